"""Limits hold for each output and each channel: a large channel does not hide what a small one loses."""

from functools import cache

import numpy as np
import pytest
from conftest import F, L, T, keras, outputs_of, stack, waves
from edgelstm.converters import check_representative, convert
from edgelstm.converters.quantization.calibrator import run
from edgelstm.converters.validation.channels import channel_deviations
from edgelstm.runtime.errors import ConversionError


def smooth(count):
    return waves(np.random.default_rng(5), (count, T, F))


@cache
def sensor_units():
    """An autoencoder whose outputs are degrees, percent and hectopascals: deviations of 5, 12 and 3 around 1013."""
    keras.utils.set_random_seed(1)
    data = (smooth(120) * [5, 12, 3] + [20, 50, 1013]).astype(np.float32)
    scale = L.Normalization()
    scale.adapt(data)
    back = L.Normalization(invert=True, mean=data.mean((0, 1)), variance=data.var((0, 1)))
    return stack(scale, L.LSTM(16, return_sequences=True), L.LSTM(16, return_sequences=True), L.Dense(3), back), data


@cache
def small_channel():
    """Two outputs, the second three thousandths of the first."""
    keras.utils.set_random_seed(3)
    model = stack(L.LSTM(6), L.Dense(2))
    model.layers[1].kernel.assign(model.layers[1].kernel * np.array([1, 3e-3], np.float32))
    return model, smooth(120)


def errors(content, model, held):
    """RMS error of each channel as a share of its own deviation, measured again."""
    exact, ours = outputs_of(model, held), run(content, (held,))[0]
    axes = tuple(range(exact.ndim - 1))
    return np.sqrt(np.mean((ours - exact) ** 2, axis=axes)) / exact.std(axis=axes)


@pytest.mark.parametrize("case", [sensor_units, small_channel])
def test_an_int8_file_keeps_the_limit_in_every_channel(case):
    model, data = case()
    made = convert(model, data[:90], data[90:], ("int8",), apart=False)["int8"]

    assert made.validation.depth == "widened"  # 8 bits cannot hold the outputs: they stay float
    assert (errors(made.flatbuffer, model, data[90:]) <= 0.05).all()
    assert made.validation.channel_error == pytest.approx(errors(made.flatbuffer, model, data[90:]).max(), rel=0.01)


@pytest.mark.parametrize("case", [sensor_units, small_channel])
def test_integer_outputs_on_request_are_refused_with_the_channel_and_a_scheme_that_works(case):
    model, data = case()
    with pytest.raises(ConversionError) as caught:
        convert(model, data[:90], data[90:], ("int8",), io="int8", apart=False)

    message = str(caught.value)
    assert "in output channel " in message
    assert "holds for each output and channel. Use --scheme dynamic (" in message
    assert "which keeps them, or accept it with --allow-drop." in message
    assert convert(model, data[:90], data[90:], ("dynamic",), apart=False)["dynamic"].validation.channel_error <= 0.05


def test_a_refusal_of_dynamic_does_not_advise_dynamic():
    """One unit's weights are a thousandth of the other's: a scale a matrix loses them."""
    keras.utils.set_random_seed(3)
    model = stack(L.LSTM(2))
    model.layers[0].set_weights(
        [part * np.tile([1, 1e-3], 4).astype(np.float32) for part in model.layers[0].get_weights()]
    )
    data = smooth(120)
    with pytest.raises(ConversionError) as caught:
        convert(model, data[:90], data[90:], ("dynamic",), apart=False)

    advice = str(caught.value).split("channel. ")[1]
    assert advice.startswith("Use --scheme float16 (")
    assert "dynamic" not in advice
    assert convert(model, data[:90], data[90:], ("float16",), apart=False)["float16"].validation.channel_error <= 0.05


def test_a_constant_channel_has_no_error():
    assert channel_deviations(np.array([[1.0, 1013.0], [3.0, 1013.0]])).tolist() == [1.0, 0.0]


def test_a_sensor_s_own_deviation_judges_what_is_given_in_its_units():
    """A noisy channel's forecast varies little; an error matters beside the noise."""
    foreseen = np.array([[1.0, 0.01], [3.0, -0.01]])
    sensors = np.array([[[1.0, 2.0], [3.0, -2.0]]])

    assert channel_deviations(foreseen, sensors).tolist() == [1.0, 2.0]


def test_probabilities_are_judged_by_the_deviation_of_all_classes():
    rare = np.array([[0.9999, 0.0001], [0.0, 1.0]]) * [1, 1e-6]

    assert np.ptp(channel_deviations(rare, probabilities=True)) == 0


def test_a_channel_that_never_changes_is_named():
    windows = np.random.default_rng(0).normal(size=(200, 4, 2))
    windows[:, :, 1] = 1.0
    warnings = [check_representative((windows,), (windows,), names).warnings for names in (("flow", "state"), ())]

    assert warnings == [
        ("input channel state never changes in the representative windows",),
        ("input channel 1 never changes in the representative windows",),
    ]
