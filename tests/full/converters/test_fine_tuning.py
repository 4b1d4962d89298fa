"""Fine-tuning sees the integer arithmetic that the device has, gains by it, and is never taken where it does not."""

from functools import cache

import numpy as np
from conftest import F, L, T, keras, outputs_of, stack, waves
from edgelstm.converters import convert
from edgelstm.converters.fine_tuning import distillation
from edgelstm.converters.fine_tuning.integer_layers import Simulation
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.private_api import replaced_calls
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme


@cache
def windows():
    return waves(np.random.default_rng(5), (96, T, F))


def model(scale=2.0):
    keras.utils.set_random_seed(5)
    made = stack(L.LSTM(8, return_sequences=True), L.LSTM(6), L.Dense(2))
    made.set_weights([scale * part for part in made.get_weights()])
    return made


def rms(ours, exact):
    return float(np.sqrt(np.mean((ours - exact) ** 2)) / exact.std())


def test_the_simulation_is_nearer_to_the_interpreter_than_float_is():
    """Single precision tips a rounding now and then, and the hidden state carries that on: the bits are not the same."""
    keras.utils.set_random_seed(5)
    made, data = stack(L.LSTM(8, return_sequences=True), L.LSTM(6)), windows()
    file = lower(made)
    integer = run(quantize(file, observe(file, (data,)), QuantizationScheme("full")).content, (data,))[0]
    exact = outputs_of(made, data)
    simulation = Simulation(made)
    with replaced_calls(simulation.calls()):
        assert np.abs(np.asarray(made(data, training=False)) - exact).max() <= 1e-5
        simulation.integer = True
        simulated = np.asarray(made(data, training=False))

    assert rms(simulated, integer) <= 0.8 * rms(integer, exact)


def test_without_a_gain_the_weights_stay_as_they_were(monkeypatch):
    monkeypatch.setattr(distillation, "_round_all", lambda _: None)
    monkeypatch.setattr(distillation, "UPDATES", 0)
    made = model()
    before = made.get_weights()

    assert not distillation.fine_tune(made, (windows(),))
    assert all(np.array_equal(old, new) for old, new in zip(before, made.get_weights(), strict=True))


def test_a_model_without_lstms_is_left_alone():
    keras.utils.set_random_seed(5)

    assert not distillation.fine_tune(stack(L.GRU(4), L.Dense(2)), (windows(),))


def test_the_same_model_is_tuned_to_the_same_weights(monkeypatch):
    monkeypatch.setattr(distillation, "UPDATES", 20)
    monkeypatch.setattr(distillation, "EVERY", 10)
    results = []
    for _ in range(2):
        made = model()
        distillation.fine_tune(made, (windows(),))
        results.append(made.get_weights())

    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))


def test_a_conversion_is_never_worse_for_it(monkeypatch):
    monkeypatch.setattr(distillation, "UPDATES", 40)
    data = windows()
    errors = [
        convert(model(), data[:72], data[72:], fine_tune=tuned, apart=False)["int8"].validation.error
        for tuned in (False, True)
    ]

    assert errors[1] <= errors[0]
