"""Inputs that decide something keep their exact values in an int8 model."""

import numpy as np
from conftest import F, L, T, keras, outputs_of, stack
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme


def agree(model, data):
    """Share of the output's deviation by which an int8 model differs from Keras, RMS."""
    expected = outputs_of(model, data)
    file = lower(model)
    ours = run(quantize(file, observe(file, (data,)), QuantizationScheme("full")).content, (data,))[0]
    return np.sqrt(np.mean((ours - expected) ** 2)) / expected.std()


def test_token_numbers_are_not_rounded():
    """8 bits over 300 tokens would give each token its neighbour's embedding."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((T,)), L.Embedding(300, 8), L.LSTM(8), L.Dense(2)])

    assert agree(model, np.random.default_rng(4).integers(0, 300, (60, T)).astype(np.float32)) <= 0.03


def test_a_small_value_is_not_taken_for_a_masked_row():
    """A mask looks for exact zeros; 8 bits would make zeros of small values."""
    keras.utils.set_random_seed(4)
    model = stack(L.Masking(), L.LSTM(8), L.Dense(2))
    random = np.random.default_rng(4)
    data = random.normal(size=(60, T, F)).astype(np.float32)
    data[::2, ::2] *= 1e-3

    assert agree(model, data) <= 0.03
