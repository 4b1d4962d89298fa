"""Int8 weights under float kernels: the error is that of the weights alone, where 8-bit activations lose too much."""

from functools import cache

import numpy as np
from conftest import F, L, T, keras, outputs_of, stack, waves
from edgelstm.converters.job import Job
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.pipeline import convert_all
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.converters.quantization.weight_rounding import with_rounded_gates, with_rounded_layers
from edgelstm.converters.validation.limits import relative_rms
from old_runtime import run_on_tflite_runtime


@cache
def made():
    """A rounded float model, its widened form, and windows."""
    keras.utils.set_random_seed(8)
    file, windows = lower(stack(L.LSTM(16, return_sequences=True), L.LSTM(12), L.Dense(5))), smooth()
    seen = observe(file, (windows,))
    rounded = with_rounded_layers(with_rounded_gates(file, seen), seen)
    return rounded, quantize(rounded, seen, QuantizationScheme("widened", io="float32")), windows


def smooth():
    return waves(np.random.default_rng(8), (60, T, F))


def test_it_gives_what_the_rounded_weights_give_in_float():
    rounded, widened, windows = made()
    exact, ours = (run(model.content, (windows,))[0] for model in (rounded, widened))

    assert np.abs(ours - exact).max() <= 1e-5 * exact.std()


def test_its_weights_have_8_bits_in_the_file():
    rounded, widened, _ = made()

    assert len(widened.content) < 0.6 * len(rounded.content)


def test_it_runs_on_tflite_runtime(tmp_path):
    _, widened, windows = made()
    older, newer = run_on_tflite_runtime(widened.content, (windows,), tmp_path)[0], run(widened.content, (windows,))[0]

    assert np.abs(older - newer).max() <= 1e-5 * newer.std()


@cache
def looped():
    """A GRU in float, with int8 weights in its loop, and with these widened; and windows."""
    keras.utils.set_random_seed(8)
    file, windows = lower(stack(L.GRU(16), L.Dense(5))), smooth()
    seen = observe(file, (windows,))
    forms = (quantize(file, seen, QuantizationScheme(depth, io="float32")) for depth in ("hybrid", "widened"))
    return file, *forms, windows


def test_weights_of_a_loop_are_widened_too():
    file, hybrid, widened, windows = looped()
    exact, rounding, ours = (run(model.content, (windows,))[0] for model in (file, hybrid, widened))

    assert relative_rms(ours, exact) <= 0.85 * relative_rms(rounding, exact)  # 1 where its kernel rounds activations
    assert len(widened.content) < len(file.content)


def test_a_widened_loop_runs_on_tflite_runtime(tmp_path):
    *_, widened, windows = looped()
    older, newer = run_on_tflite_runtime(widened.content, (windows,), tmp_path)[0], run(widened.content, (windows,))[0]

    assert np.abs(older - newer).max() <= 1e-5 * newer.std()


@cache
def with_a_small_output(share):
    """Validation of int8 of a model whose second output varies less than the first, in the same 8 bits."""
    keras.utils.set_random_seed(8)
    model, data = stack(L.LSTM(16), L.Dense(2)), smooth()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * np.float32([1, share]), bias])
    job = Job(lower(model), (data[:40],), (data[40:],), (outputs_of(model, data[40:]),), model.count_params())
    return convert_all(job, ("int8",))["int8"].validation


def test_it_is_taken_where_an_all_integer_model_loses_too_much_in_one_channel():
    validation = with_a_small_output(0.12)

    assert validation.depth == "widened"
    assert validation.channel_error <= 0.01


def test_an_all_integer_model_without_such_a_channel_is_taken_before_a_more_accurate_one_with_it():
    validation = with_a_small_output(0.2)

    assert validation.depth == "full"
    assert validation.channel_error <= 0.02


def test_it_is_taken_where_an_input_in_8_bits_costs_more_than_the_weights():
    """One reading in a hundred windows is fifty times as large as the others: 8 bits leave these five steps."""
    keras.utils.set_random_seed(8)
    model, data = stack(L.LSTM(16), L.Dense(2)), smooth()
    data[0, 0] *= 50
    expected = (outputs_of(model, data[40:]),)
    job = Job(lower(model), (data[:40],), (data[40:],), expected, model.count_params())
    validation = convert_all(job, ("int8",))["int8"].validation

    assert validation.depth == "widened"
    assert max(validation.error, validation.channel_error) <= 0.01
