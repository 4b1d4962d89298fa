"""Constants of a quantized file: equal ones are one tensor, and zeros that states begin with have 16 bits."""

import numpy as np
from conftest import F, L, T, keras, stack, waves
from edgelstm.converters.flatbuffer import INT16, Graph
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from old_runtime import run_on_tflite_runtime


def test_the_states_of_all_layers_begin_with_the_same_zeros(tmp_path):
    keras.utils.set_random_seed(6)
    file = lower(stack(L.LSTM(8, return_sequences=True), L.LSTM(8), L.Dense(F)))
    windows = waves(np.random.default_rng(6), (40, T, F))
    content = quantize(file, observe(file, (windows,)), QuantizationScheme("full")).content
    graph = Graph.parse(content)
    begins = {
        int(op.inputs[0])
        for op in graph.operators
        if graph.name_of(op) == "QUANTIZE" and graph.constant(int(op.inputs[0])) is not None
    }

    assert [graph.tensors[index].type for index in begins] == [INT16]
    assert not any(graph.constant(index).any() for index in begins)
    assert np.array_equal(run_on_tflite_runtime(content, (windows,), tmp_path)[0], run(content, (windows,))[0])


def test_equal_biases_of_two_gates_are_rounded_apart():
    """The float model keeps a tensor each, since rounding gives each gate a bias of its own."""
    keras.utils.set_random_seed(6)
    graph = lower(stack(L.LSTM(8), L.Dense(F))).graph
    lstm = next(op for op in graph.operators if "LSTM" in graph.name_of(op))

    assert len({int(index) for index in lstm.inputs[12:16]}) == 4
