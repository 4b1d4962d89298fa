"""Integer models of several architectures over batches: the same bits as the interpreter."""

import numpy as np
import pytest
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization.calibrator import observe
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.runtime.inference.interpreter import TFLiteModel

from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from keras import layers as L  # noqa: E402, N812

W, F = 12, 3


def stacked():
    return keras.Sequential([keras.Input((W, F)), L.LSTM(9, return_sequences=True), L.LSTM(7), L.Dense(F)])


def autoencoder():
    rows = [
        L.LSTM(8, return_sequences=True),
        L.Dense(2, activation="relu"),
        L.LSTM(8, return_sequences=True),
        L.Dense(F),
    ]
    return keras.Sequential([keras.Input((W, F)), *rows])


def repeated():
    """RepeatVector's TILE, and one dense layer over all rows."""
    rows = [L.LSTM(8), L.RepeatVector(W), L.LSTM(7, return_sequences=True), L.TimeDistributed(L.Dense(F))]
    return keras.Sequential([keras.Input((W, F)), *rows])


def encoder_decoder():
    x = keras.Input((W, F))
    last, hidden, cell = L.LSTM(6, return_state=True)(x)
    decoded = L.LSTM(6, return_sequences=True)(L.Reshape((1, 6))(last), initial_state=[hidden, cell])
    return keras.Model(x, L.Dense(F)(decoded))


def parallel():
    x = keras.Input((W, F))
    return keras.Model(x, L.Dense(F)(L.Concatenate()([L.LSTM(6)(x[:, -5:]), L.LSTM(5)(x)])))


def highway():
    x = keras.Input((W, F))
    return keras.Model(x, L.Add()([L.Dense(F)(L.LSTM(6)(x)), L.Dense(F)(L.Flatten()(x))]))


@pytest.mark.parametrize(
    ("build", "io"),
    [
        (stacked, "int8"),
        (autoencoder, "int8"),
        (repeated, "int8"),
        (encoder_decoder, "int8"),
        (parallel, "int8"),
        (highway, "auto"),
    ],
)
def test_a_converted_architecture_gives_the_bits_of_the_interpreter(build, io):
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    windows = rng.normal(size=(60, W, F)).astype(np.float32)

    lowered = lower(build())
    content = quantize(lowered, observe(lowered, (windows[:8],)), QuantizationScheme("full", io=io)).content
    model = TFLiteModel(content)
    outlying = model.inputs[0].quantize(windows * np.geomspace(0.1, 30, 60).astype(np.float32)[:, None, None])

    assert model.batched is not None
    expected = np.concatenate([model.run_one(window) for window in outlying])
    np.testing.assert_array_equal(model.batched(outlying), expected)
