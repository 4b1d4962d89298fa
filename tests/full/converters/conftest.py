"""Small architectures with smooth random inputs, lowered once a session."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from edgelstm.converters.flatbuffer import TFLiteFile  # noqa: E402
from edgelstm.converters.lowering.keras_to_tflite import lower  # noqa: E402
from edgelstm.converters.quantization import quantizer  # noqa: E402
from edgelstm.converters.quantization.calibrator import Observations, observe  # noqa: E402
from edgelstm.converters.quantization.scheme import QuantizationScheme  # noqa: E402
from keras import layers as L  # noqa: E402, N812

T, F = 16, 3


def waves(random, shape):
    """Windows (N, T, F) of sines of random phase and period with a little noise: bounded, as sensors are."""
    count, rows, channels = shape
    phase, period = random.uniform(0, 2 * np.pi, (count, 1, channels)), random.uniform(6, 30, (count, 1, channels))
    steps = np.arange(rows)[None, :, None]
    return (1.5 * np.sin(2 * np.pi * steps / period + phase) + random.normal(0, 0.05, shape)).astype(np.float32)


def functional(build, *shapes):
    """A functional model over inputs of these shapes."""
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], build(*inputs))


def observed(build):
    """A functional model over one input, lowered, with 40 windows for it and what was seen of them."""
    keras.utils.set_random_seed(7)
    file, windows = lower(functional(build, (T, F))), waves(np.random.default_rng(7), (40, T, F))
    return file, windows, observe(file, (windows,))


def with_and_without(step, build, monkeypatch):
    """Windows, and the int8 files of a model that a step of the quantizer has worked on, and has not."""
    file, windows, seen = observed(build)
    short = quantizer.quantize(file, seen, QuantizationScheme())
    monkeypatch.setattr(quantizer, step, lambda graph: None)
    return windows, short, quantizer.quantize(file, seen, QuantizationScheme())


def outputs_of(model, data):
    """Keras' own outputs; by a direct call, as `predict` traces the model first, for longer than its conversion takes."""
    return keras.tree.map_structure(np.asarray, model(data, training=False))


def shared():
    lstm = L.LSTM(6)
    return functional(lambda a, b: L.Dense(2)(L.Concatenate()([lstm(a), lstm(b)])), (T, F), (T, F))


def nested():
    inner = keras.Sequential([keras.Input((T, F)), L.LSTM(6, return_sequences=True), L.Dense(4)])
    return functional(lambda x: L.LSTM(5)(inner(x)), (T, F))


def encoder_decoder():
    def build(x):
        last, h, c = L.LSTM(8, return_state=True)(x)
        return L.Dense(2)(L.LSTM(8, return_sequences=True)(L.RepeatVector(5)(last), initial_state=[h, c]))

    return functional(build, (T, F))


def attention():
    def build(x):
        x = L.Bidirectional(L.LSTM(6, return_sequences=True))(x)
        return L.Dense(2)(L.LSTM(5)(L.Concatenate()([x, L.Attention()([x, x])])))

    return functional(build, (T, F))


def residual():
    def build(x):
        first = L.LSTM(6, return_sequences=True)(x)
        return L.Dense(1)(L.LSTM(6)(L.Add()([first, L.LSTM(6, return_sequences=True)(first)])))

    return functional(build, (T, F))


def heads():
    def build(x):
        x = L.LSTM(8, return_sequences=True)(x)
        return L.Dense(2)(L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 4)(x, x)))

    return functional(build, (T, F))


def two_outputs():
    def build(x):
        x = L.LSTM(8)(x)
        return [L.Dense(2)(x), L.Dense(3, activation="tanh")(x)]

    return functional(build, (T, F))


def stack(*layers):
    return keras.Sequential([keras.Input((T, F)), *layers])


ZOO = {
    "dense_head": lambda: stack(L.LSTM(8), L.Dense(2)),
    "stacked": lambda: stack(L.LSTM(12, return_sequences=True), L.Dropout(0.2), L.LSTM(8), L.Dense(2)),
    "autoencoder": lambda: stack(
        L.LSTM(12), L.RepeatVector(T), L.LSTM(12, return_sequences=True), L.TimeDistributed(L.Dense(F))
    ),
    "row_autoencoder": lambda: stack(
        L.LSTM(12, return_sequences=True), L.Dense(2), L.LSTM(12, return_sequences=True), L.Dense(F)
    ),
    "backwards": lambda: stack(L.LSTM(8, go_backwards=True), L.Dense(2)),
    "no_bias": lambda: stack(L.LSTM(8, use_bias=False), L.Dense(2, use_bias=False)),
    "sequence_output": lambda: stack(L.LSTM(8, return_sequences=True)),
    "bidirectional_concat": lambda: stack(L.Bidirectional(L.LSTM(6)), L.Dense(2)),
    "bidirectional_sum": lambda: stack(L.Bidirectional(L.LSTM(6, return_sequences=True), merge_mode="sum"), L.LSTM(4)),
    "bidirectional_mul": lambda: stack(L.Bidirectional(L.LSTM(6), merge_mode="mul"), L.Dense(2)),
    "bidirectional_ave": lambda: stack(L.Bidirectional(L.LSTM(6), merge_mode="ave"), L.Dense(2)),
    "convolution": lambda: stack(L.Conv1D(8, 3, activation="relu"), L.MaxPooling1D(2), L.LSTM(8), L.Dense(1)),
    "batch_norm": lambda: stack(L.Conv1D(6, 3, padding="causal"), L.BatchNormalization(), L.LSTM(8), L.Dense(1)),
    "layer_norm": lambda: stack(L.LSTM(8, return_sequences=True), L.LayerNormalization(), L.LSTM(6), L.Dense(1)),
    "rescaling": lambda: stack(L.Rescaling(0.5, 0.1), L.LSTM(8), L.Dense(2, activation="sigmoid")),
    "softmax_head": lambda: stack(L.LSTM(8), L.Dense(4, activation="softmax")),
    "pooled": lambda: stack(L.LSTM(8, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(2)),
    "attention": attention,
    "multi_head_attention": heads,
    "residual": residual,
    "shared": shared,
    "nested": nested,
    "two_outputs": two_outputs,
    "encoder_decoder": encoder_decoder,
    "relu_lstm": lambda: stack(L.LSTM(8, activation="relu"), L.Dense(2)),
    "masked": lambda: stack(L.Masking(), L.LSTM(8), L.Dense(2)),
    "gru": lambda: stack(L.GRU(8, return_sequences=True), L.GRU(6, reset_after=False), L.Dense(2)),
    "simple_rnn": lambda: stack(L.SimpleRNN(8), L.Dense(2)),
}
NOT_LSTM = {"gru", "simple_rnn"}


@dataclass(frozen=True)
class Specimen:
    """A model of the zoo, lowered."""

    name: str
    model: object
    windows: tuple
    held: tuple
    expected: tuple
    file: TFLiteFile
    seen: Observations

    @property
    def graph(self):
        return self.file.graph


@cache
def specimen(name):
    """Build, feed and lower a model of the zoo."""
    keras.utils.set_random_seed(3)
    model = ZOO[name]()
    random = np.random.default_rng(3)
    data = tuple(waves(random, (240, *tensor.shape[1:])) for tensor in model.inputs)
    windows, held = tuple(part[:200] for part in data), tuple(part[200:] for part in data)
    expected = tuple(keras.tree.flatten(outputs_of(model, list(held) if len(held) > 1 else held[0])))
    file = lower(model)
    return Specimen(name, model, windows, held, expected, file, observe(file, windows))


@pytest.fixture(params=sorted(ZOO))
def animal(request):
    """Each model of the zoo in turn."""
    return specimen(request.param)
