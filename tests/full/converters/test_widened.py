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
