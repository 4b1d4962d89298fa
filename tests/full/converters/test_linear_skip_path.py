"""The linear skip path: a linear way past the recurrent layers keeps 16 bits, and so goes on beyond the range of training."""

from functools import cache

import numpy as np
import pytest
from conftest import F, L, T, functional, keras, stack, waves
from edgelstm.converters import convert
from edgelstm.converters.flatbuffer import INT8, INT16
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.converters.quantization.weight_rounding import with_rounded_layers
from old_runtime import run_on_tflite_runtime


def highway(x):
    """A forecaster of the trainer's form: LSTM and a linear map of the whole window, added."""
    return L.Reshape((1, F))(L.Add()([L.Dense(F)(L.LSTM(8)(x)), L.Dense(F)(L.Flatten()(x))]))


def newest(x):
    """Sum of the layers' output and the newest row."""
    return L.Add()([L.Dense(F)(L.LSTM(8)(x)), x[:, -1]])


FORMS = {"highway": highway, "newest": newest}


@cache
def made(form):
    keras.utils.set_random_seed(4)
    model = functional(FORMS[form], (T, F))
    windows = waves(np.random.default_rng(4), (120, T, F))
    return lower(model), windows[:80], windows[80:]


def quantized(form, io):
    file, windows, _ = made(form)
    return quantize(file, observe(file, (windows,)), QuantizationScheme("full", io=io))


def error(form, io, stretch=1.0):
    """RMS error as a share of the output's deviation, on held-back windows that are stretched."""
    file, _, held = made(form)
    exact, ours = (run(model.content, (stretch * held,))[0] for model in (file, quantized(form, io)))
    return float(np.sqrt(np.mean((ours - exact) ** 2)) / exact.std())


@pytest.mark.parametrize("form", FORMS)
def test_it_is_more_accurate_than_eight_bits(form):
    assert error(form, "auto") <= error(form, "int8") / 2


@pytest.mark.parametrize("form", FORMS)
def test_five_times_beyond_the_range_it_goes_on_where_eight_bits_are_clipped(form):
    """The recurrent layers alone see a clipped window there."""
    assert error(form, "auto", stretch=5.0) <= 0.1
    assert error(form, "int8", stretch=5.0) >= 0.3


def test_inputs_and_outputs_have_16_bits_and_the_recurrent_layer_has_8():
    graph = quantized("highway", "auto").graph
    lstm = next(op for op in graph.operators if graph.name_of(op) == "UNIDIRECTIONAL_SEQUENCE_LSTM")
    ends = [graph.tensors[int(index)].type for index in (*graph.sub.inputs, *graph.sub.outputs)]

    assert ends == [INT16, INT16]
    assert graph.tensors[int(lstm.inputs[0])].type == INT8


@pytest.mark.parametrize("form", FORMS)
def test_it_gives_the_same_bits_on_tflite_runtime(form, tmp_path):
    content, _, held = quantized(form, "auto").content, *made(form)[1:]
    held = held * np.linspace(1, 10, len(held), dtype=np.float32)[:, None, None]

    assert np.array_equal(run_on_tflite_runtime(content, (held,), tmp_path)[0], run(content, (held,))[0])


def test_a_model_without_one_keeps_eight_bits():
    keras.utils.set_random_seed(4)
    file = lower(stack(L.LSTM(8), L.Dense(2)))
    windows = made("highway")[1]
    graph = quantize(file, observe(file, (windows,)), QuantizationScheme("full", io="auto")).graph

    assert [graph.tensors[int(index)].type for index in (*graph.sub.inputs, *graph.sub.outputs)] == [INT8, INT8]


def test_a_way_through_an_activation_is_none():
    def build(x):
        return L.Add()([L.Dense(F)(L.LSTM(8)(x)), L.Dense(F, activation="relu")(L.Flatten()(x))])

    keras.utils.set_random_seed(4)
    file = lower(functional(build, (T, F)))
    graph = quantize(file, observe(file, (made("highway")[1],)), QuantizationScheme("full", io="auto")).graph

    assert graph.tensors[int(graph.sub.inputs[0])].type == INT8


def test_mixtures_of_precision_leave_it_alone():
    _, windows, held = made("highway")
    keras.utils.set_random_seed(4)
    found = convert(functional(highway, (T, F)), windows, held, ("int8", "dynamic"), search=True, apart=False)

    assert any("float activations" in name for name in found)
    assert all(conversion.validation.error <= 0.05 for conversion in found.values())


def test_one_half_of_its_weights_is_smaller_and_gives_the_same_bits_on_tflite_runtime(tmp_path):
    file, windows, held = made("highway")
    seen = observe(file, (windows,))
    rounded = with_rounded_layers(file, seen, path=True)
    short = quantize(rounded, seen, QuantizationScheme("full", coarse_path=True)).content

    assert len(short) < len(quantized("highway", "auto").content) - T * F * F
    assert np.array_equal(run_on_tflite_runtime(short, (held,), tmp_path)[0], run(short, (held,))[0])


@pytest.mark.parametrize(("byte_budget", "narrow"), [(0, False), (1, True), (10**6, False)])
def test_a_file_beyond_its_budget_has_one_half_of_the_weights_where_that_is_accurate(byte_budget, narrow):
    """The LSTM is nearly silent: 15 bits of the path are then all of the accuracy, which is kept unless the file is too large."""

    def build(x):
        still = keras.initializers.RandomNormal(stddev=1e-4, seed=1)
        return L.Reshape((1, F))(
            L.Add()([L.Dense(F, kernel_initializer=still)(L.LSTM(8)(x)), L.Dense(F)(L.Flatten()(x))])
        )

    _, windows, held = made("highway")
    keras.utils.set_random_seed(4)
    found = convert(functional(build, (T, F)), windows, held, ("int8",), byte_budget=byte_budget, apart=False)["int8"]
    wide = convert(functional(build, (T, F)), windows, held, ("int8",), apart=False)["int8"]

    assert (found.validation.size < wide.validation.size - T * F * F // 2) == narrow


def test_rounding_leaves_its_weights_alone_where_they_have_two_halves():
    file, windows, _ = made("highway")
    rounded = with_rounded_layers(file, observe(file, (windows,)))
    wide = [
        [graph.constant(int(op.inputs[1])) for op in graph.operators if graph.name_of(op) == "FULLY_CONNECTED"]
        for graph in (file.graph, rounded.graph)
    ]
    same = {old.shape: np.array_equal(old, new) for old, new in zip(*wide, strict=True)}

    assert same == {(F, T * F): True, (F, 8): False}
