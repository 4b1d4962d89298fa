"""Untrained, tiny and large weights, small and large inputs: right, or refused in one sentence; never silently wrong."""

from functools import cache

import numpy as np
import pytest
from conftest import F, L, keras, outputs_of, waves
from edgelstm.converters.job import Job
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.pipeline import convert_all
from edgelstm.converters.quantization.calibrator import run
from edgelstm.converters.validation.limits import relative_rms
from edgelstm.runtime.errors import ConversionError

STEPS = 8
WINDOWS = 160
MODELS = {
    "plain": lambda: [L.LSTM(5), L.Dense(2)],
    "deep": lambda: [
        L.LSTM(5, return_sequences=True), L.LayerNormalization(), L.Bidirectional(L.LSTM(3)), L.Dense(2, "tanh")
    ],
    "relu": lambda: [L.LSTM(4, activation="relu"), L.Dense(2)],
    "gru": lambda: [L.GRU(4), L.Dense(2)],
}  # fmt: skip
# (weights, inputs) as multiples of untrained weights and of sines of amplitude 1.5; tame ones must convert
TAME = [(1e-2, 30.0), (1.0, 1.0)]
WILD = [(1e-3, 1.0), (10.0, 30.0)]
SCHEMES = ("dynamic", "int8")


@cache
def job(name, weights, inputs):
    """Model and windows of one case; the seed is the case's place."""
    keras.utils.set_random_seed(sorted(MODELS).index(name))
    model = keras.Sequential([keras.Input((STEPS, F)), *MODELS[name]()])
    model.set_weights([weights * part for part in model.get_weights()])
    data = (inputs * waves(np.random.default_rng(2), (WINDOWS, STEPS, F))).astype(np.float32)
    windows, held = data[:-32], data[-32:]
    expected = outputs_of(model, held)
    return Job(lower(model), (windows,), (held,), (expected,), model.count_params())


def check(case, scheme):
    """Convert, and measure again without the validation: from Keras to the quantized file."""
    made = convert_all(case, (scheme,))[scheme]
    ours, exact = run(made.flatbuffer, case.held)[0], case.keras_outputs[0]
    error = relative_rms(ours, exact)

    assert np.isfinite(ours).all()
    assert error <= 0.05 + 1e-4
    assert error == pytest.approx(made.validation.error, abs=1e-3)


@pytest.mark.parametrize(("weights", "inputs"), TAME + WILD)
@pytest.mark.parametrize("name", MODELS)
def test_the_float_form_is_keras_for_any_weights(name, weights, inputs):
    case = job(name, weights, inputs)
    ours, exact = run(case.lowered.content, case.held)[0], case.keras_outputs[0]
    granted = 1e-4 if weights > 1 else 1e-5  # what large weights make of the last bits

    assert np.abs(ours - exact).max() <= granted * exact.std() + 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize(("weights", "inputs"), TAME)
@pytest.mark.parametrize("name", MODELS)
def test_tame_weights_convert(name, weights, inputs):
    for scheme in SCHEMES:
        check(job(name, weights, inputs), scheme)


@pytest.mark.parametrize(("weights", "inputs"), WILD)
@pytest.mark.parametrize("name", MODELS)
def test_wild_weights_convert_or_are_refused_with_the_error(name, weights, inputs):
    for scheme in SCHEMES:
        try:
            check(job(name, weights, inputs), scheme)
        except ConversionError as error:
            refusal = str(error)
        else:
            continue

        assert f"Scheme {scheme} differs from float by " in refusal
        assert "\n" not in refusal
