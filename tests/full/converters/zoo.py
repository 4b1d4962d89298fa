"""Trained small architectures: every one on the pump series of `calibration_data`, seed 7, 12 epochs at most.

The first 70 % of the rows train, the next 15 % choose quantization ranges and plans, the last 15 % prove them; each model must beat predicting
the training targets' mean. Targets: `next` row, whole `window`, next row at every `step`, or the pump's `state`
(flow above its median), each standardized.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from edgelstm.calibration_data.simulator import content

from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from conftest import outputs_of  # noqa: E402
from keras import layers as L  # noqa: E402, N812
from keras import ops  # noqa: E402

SEED, EPOCHS = 7, 12
T, F = 24, 5
TOKENS = 16
TRAIN, CHOOSE = 0.7, 0.85


@dataclass(frozen=True)
class Species:
    """An architecture and what it learns."""

    build: Callable[[], keras.Model]
    """Makes the untrained model."""
    target: str = "next"
    """next, window, step, state, or a tuple's worth for several outputs joined by +."""
    feed: str = "rows"
    """rows (T, F); halves: two inputs of channels 0-1 and 2-4; tokens: flow in 16 levels; gaps: rows, the first ones 0."""


@dataclass(frozen=True)
class Animal:
    """A trained model with its windows."""

    name: str
    """Its place in the zoo."""
    model: keras.Model
    """The trained model."""
    windows: tuple[np.ndarray, ...]
    """Representative windows, one array an input."""
    held: tuple[np.ndarray, ...]
    """Later windows."""
    expected: tuple[np.ndarray, ...]
    """The Keras model's outputs on these."""
    gain: float
    """Mean squared error on the later windows over that of the training mean; below 1 is learned."""


def model_of(build, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], build(*inputs))


def stack(*layers, shape=(T, F)):
    return keras.Sequential([keras.Input(shape), *layers])


def encoder_decoder():
    def build(x):
        last, h, c = L.LSTM(16, return_state=True)(x)
        decoded = L.LSTM(16, return_sequences=True)(L.RepeatVector(T)(last), initial_state=[h, c])
        return L.TimeDistributed(L.Dense(F))(decoded)

    return model_of(build, (T, F))


def attention():
    def build(x):
        x = L.Bidirectional(L.LSTM(8, return_sequences=True))(x)
        return L.Dense(F)(L.LSTM(12)(L.Concatenate()([x, L.Attention()([x, x])])))

    return model_of(build, (T, F))


def heads():
    def build(x):
        x = L.LSTM(16, return_sequences=True)(x)
        x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 8)(x, x)]))
        return L.Dense(F)(L.GlobalAveragePooling1D()(x))

    return model_of(build, (T, F))


def residual():
    def build(x):
        first = L.LSTM(12, return_sequences=True)(x)
        return L.Dense(F)(L.LSTM(12)(L.Add()([first, L.LSTM(12, return_sequences=True)(first)])))

    return model_of(build, (T, F))


def skip():
    def build(x):
        return L.Dense(F)(L.LSTM(12)(L.Concatenate()([x, L.LSTM(12, return_sequences=True)(x)])))

    return model_of(build, (T, F))


def shared():
    def build(x):
        lstm = L.LSTM(12)
        return L.Dense(F)(L.Concatenate()([lstm(x[:, ::2]), lstm(x[:, 1::2])]))

    return model_of(build, (T, F))


def nested():
    inner = stack(L.LSTM(12, return_sequences=True), L.Dense(8, activation="tanh"))
    return model_of(lambda x: L.Dense(F)(L.LSTM(12)(inner(x))), (T, F))


def two_inputs():
    def build(left, right):
        return L.Dense(F)(L.Concatenate()([L.LSTM(8)(left), L.LSTM(8)(right)]))

    return model_of(build, (T, 2), (T, F - 2))


def two_outputs():
    def build(x):
        x = L.LSTM(16)(x)
        return [L.Dense(F)(x), L.Dense(1, activation="sigmoid")(x)]

    return model_of(build, (T, F))


def slices():
    def build(x):
        last = x[:, -1, :]
        return ops.add(last, L.Dense(F)(L.LSTM(12)(ops.subtract(x, ops.expand_dims(last, 1)))))

    return model_of(build, (T, F))


ZOO = {
    "one_layer": Species(lambda: stack(L.LSTM(16), L.Dense(F))),
    "stacked": Species(lambda: stack(L.LSTM(24, return_sequences=True), L.Dropout(0.1), L.LSTM(16), L.Dense(F))),
    "every_step": Species(lambda: stack(L.LSTM(16, return_sequences=True), L.Dense(F)), "step"),
    "autoencoder": Species(
        lambda: stack(L.LSTM(24), L.RepeatVector(T), L.LSTM(24, return_sequences=True), L.TimeDistributed(L.Dense(F))),
        "window",
    ),
    "row_autoencoder": Species(
        lambda: stack(L.LSTM(16, return_sequences=True), L.Dense(3), L.LSTM(16, return_sequences=True), L.Dense(F)),
        "window",
    ),
    "encoder_decoder": Species(encoder_decoder, "window"),
    "backwards": Species(lambda: stack(L.LSTM(16, go_backwards=True), L.Dense(F))),
    "no_bias": Species(lambda: stack(L.LSTM(16, use_bias=False), L.Dense(F, use_bias=False))),
    "bidirectional_concat": Species(lambda: stack(L.Bidirectional(L.LSTM(12)), L.Dense(F))),
    "bidirectional_sum": Species(
        lambda: stack(L.Bidirectional(L.LSTM(12, return_sequences=True), merge_mode="sum"), L.LSTM(12), L.Dense(F))
    ),
    "bidirectional_mul": Species(lambda: stack(L.Bidirectional(L.LSTM(12), merge_mode="mul"), L.Dense(F))),
    "bidirectional_ave": Species(lambda: stack(L.Bidirectional(L.LSTM(12), merge_mode="ave"), L.Dense(F))),
    "convolution": Species(
        lambda: stack(L.Conv1D(12, 3, activation="relu"), L.MaxPooling1D(2), L.LSTM(12), L.Dense(F))
    ),
    "batch_norm": Species(
        lambda: stack(L.Conv1D(12, 3, padding="causal"), L.BatchNormalization(), L.ReLU(), L.LSTM(12), L.Dense(F))
    ),
    "layer_norm": Species(
        lambda: stack(L.LSTM(12, return_sequences=True), L.LayerNormalization(), L.LSTM(12), L.Dense(F))
    ),
    "rescaling": Species(lambda: stack(L.Rescaling(0.5, 0.1), L.LSTM(16), L.Dense(1, activation="sigmoid")), "state"),
    "softmax_head": Species(lambda: stack(L.LSTM(16), L.Dense(8, activation="relu"), L.Dense(2, "softmax")), "class"),
    "max_pooled": Species(lambda: stack(L.LSTM(16, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(F))),
    "mean_pooled": Species(
        lambda: stack(L.AveragePooling1D(2), L.LSTM(16, return_sequences=True), L.GlobalAveragePooling1D(), L.Dense(F))
    ),
    "attention": Species(attention),
    "multi_head_attention": Species(heads),
    "residual": Species(residual),
    "skip": Species(skip),
    "shared": Species(shared),
    "nested": Species(nested),
    "slices": Species(slices),
    "two_inputs": Species(two_inputs, feed="halves"),
    "two_outputs": Species(two_outputs, "next+state"),
    "embedding": Species(lambda: stack(L.Embedding(TOKENS, 6), L.LSTM(16), L.Dense(F), shape=(T,)), feed="tokens"),
    "relu_lstm": Species(lambda: stack(L.LSTM(12, activation="relu"), L.Dense(F))),
    "masked": Species(lambda: stack(L.Masking(), L.LSTM(16), L.Dense(F)), feed="gaps"),
    "gru": Species(lambda: stack(L.GRU(12), L.Dense(F))),
}
LOOPED = {"gru"}
FEW = ("autoencoder", "attention", "skip", "embedding")  # one a trap, for the ordinary tests


def _rows() -> np.ndarray:
    rows = np.loadtxt(
        content("pump_normal.csv").splitlines(), delimiter=",", skiprows=1, usecols=range(1, F + 1), dtype=np.float32
    )
    train = rows[: int(TRAIN * len(rows))]
    return (rows - train.mean(axis=0)) / train.std(axis=0)


def _feed(kind: str, windows: np.ndarray) -> tuple[np.ndarray, ...]:
    if kind == "halves":
        return windows[..., :2], windows[..., 2:]
    if kind == "tokens":
        return (np.clip((windows[..., 1] + 2) * TOKENS / 4, 0, TOKENS - 1).astype(np.int32),)
    if kind == "gaps":
        windows = windows.copy()
        for number, window in enumerate(windows):
            window[: number % 9] = 0.0
    return (windows,)


def _targets(kind: str, windows: np.ndarray, following: np.ndarray) -> tuple[np.ndarray, ...]:
    found = {
        "next": following,
        "window": windows,
        "step": np.concatenate([windows[:, 1:], following[:, None]], axis=1),
        "state": (following[:, 1:2] > 0).astype(np.float32),
        "class": np.stack([following[:, 1] <= 0, following[:, 1] > 0], axis=1).astype(np.float32),
    }
    return tuple(found[part] for part in kind.split("+"))


@cache
def specimen(name: str) -> Animal:
    """Build, train and feed an animal of the zoo."""
    species = ZOO[name]
    keras.utils.set_random_seed(SEED)
    rows = _rows()
    starts = np.arange(0, len(rows) - T, 3)
    windows = np.stack([rows[start : start + T] for start in starts])
    given, wanted = _feed(species.feed, windows), _targets(species.target, windows, rows[starts + T])
    first, second = (int(share * len(starts)) for share in (TRAIN, CHOOSE))
    model = species.build()
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    stop = keras.callbacks.EarlyStopping("loss", min_delta=1e-3, patience=3)
    early = [part[:first] for part in given], [part[:first] for part in wanted]
    model.fit(*(side if len(side) > 1 else side[0] for side in early), 32, EPOCHS, verbose=0, callbacks=[stop])
    later = [part[second:][:150] for part in given]
    expected = tuple(keras.tree.flatten(outputs_of(model, later if len(later) > 1 else later[0])))
    gains = [
        np.mean((ours - target[second:][:150]) ** 2)
        / np.mean((target[:first].mean(axis=0) - target[second:][:150]) ** 2)
        for ours, target in zip(expected, wanted, strict=True)
    ]
    chosen = tuple(part[first:second] for part in given)
    return Animal(name, model, chosen, tuple(later), expected, float(max(gains)))
