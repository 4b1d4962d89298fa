"""TFLite's LSTM kernels do what the NumPy reference and the documentation say."""

import keras
import numpy as np
import pytest
import reference
from conftest import outputs_of
from edgelstm.converters.flatbuffer import Graph
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.runtime.inference.interpreter import TFLiteModel
from hypothesis import given, settings
from hypothesis import strategies as st
from old_runtime import run_on_tflite_runtime

FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
T, F, UNITS = 12, 3, 5


def lstm(seed, scale=1.0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((T, F)), keras.layers.LSTM(UNITS, return_sequences=True)])
    model.set_weights([weights * scale for weights in model.get_weights()])
    return model


def windows(seed, scale=1.0, count=24):
    return (scale * np.random.default_rng(seed).normal(size=(count, T, F))).astype(np.float32)


def integer_lstm(content):
    """The reference cell with the tensors of a quantized file."""
    graph = Graph.parse(content)
    operator = next(item for item in graph.operators if graph.name_of(item) == FUSED)

    def scale(index):
        parameters = graph.tensors[int(index)].quantization
        return float(parameters.scale[0]), int(parameters.zeroPoint[0])

    def gates(first, read):
        return tuple(read(int(index)) for index in operator.inputs[first : first + 4])

    return reference.IntegerLstm(
        gates(1, graph.constant), gates(5, graph.constant), gates(12, graph.constant),
        gates(1, lambda index: scale(index)[0]), gates(5, lambda index: scale(index)[0]),
        scale(operator.inputs[0]), scale(operator.inputs[18]), scale(operator.inputs[19])[0],
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_float_kernel_and_keras_follow_the_equations(seed):
    model, data = lstm(seed, 2.0), windows(seed)
    ours = reference.float_lstm(data, *model.get_weights())

    assert np.allclose(run(lower(model).content, (data,))[0], ours, atol=1e-6)
    assert np.allclose(outputs_of(model, data), ours, atol=1e-6)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.02, 0.5, 1.0, 3.0]), st.sampled_from([0.1, 1.0, 10.0]))
def test_the_integer_kernel_follows_the_reference_to_the_bit(seed, weight_scale, input_scale):
    data = windows(seed, input_scale)
    file = lower(lstm(seed, weight_scale))
    quantized = quantize(file, observe(file, (data,)), QuantizationScheme("full")).content
    model, cell = TFLiteModel(quantized), integer_lstm(quantized)
    for window in data[:3]:
        expected = cell(model.inputs[0].quantize(window))
        model(window)
        given = model.interpreter.get_tensor(model.outputs[0].index)[0]

        assert np.array_equal(given, expected)


def test_fixed_point_functions_are_right_to_the_twelfth_bit():
    codes = np.arange(-(1 << 15), 1 << 15)
    gate = codes * reference.GATE_SCALE

    assert np.abs(reference.logistic(codes, 3) / 32768 - 1 / (1 + np.exp(-gate))).max() < 2**-12
    for bits in range(7):
        assert np.abs(reference.tanh(codes, bits) / 32768 - np.tanh(codes / 2 ** (15 - bits))).max() < 2**-11


def test_the_integer_kernel_of_the_oldest_interpreter_does_too(tmp_path):
    data = windows(5)
    file = lower(lstm(5))
    quantized = quantize(file, observe(file, (data,)), QuantizationScheme("full")).content
    model, cell = TFLiteModel(quantized), integer_lstm(quantized)
    older = run_on_tflite_runtime(quantized, (data,), tmp_path)[0]
    codes = model.outputs[0].quantize(older)

    for window, output in zip(data, codes, strict=True):
        assert np.array_equal(output, cell(model.inputs[0].quantize(window)))
