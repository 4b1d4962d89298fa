"""Channels that never change: a sensor that was stuck while normal operation was recorded."""

import numpy as np
import pytest
from conftest import F, L, T, functional, keras, waves
from edgelstm.converters import convert

SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8")


def forecaster(channels, scale=1.0):
    """The trainer's form: a linear map of the window beside an LSTM, with weights that a solver left near 0."""

    def build(x):
        linear = L.Dense(channels, name="linear")(L.Flatten()(x))
        return L.Reshape((1, channels))(L.Add()([L.Dense(channels, name="head")(L.LSTM(6)(x)), linear]))

    keras.utils.set_random_seed(2)
    model = functional(build, (T, channels))
    for layer in ("linear", "head"):
        weights = model.get_layer(layer).get_weights()
        model.get_layer(layer).set_weights([part * scale for part in weights])
    return model


@pytest.mark.parametrize("left", [0.0, -1.7e-16, 1e-12])
@pytest.mark.parametrize("solved", [1.0, 1e-32])
def test_nothing_but_a_constant_converts_in_every_scheme(left, solved):
    """Scaling leaves the last bit of a float of a constant: steps of that size end a kernel with SIGABRT."""
    windows = np.full((80, T, 1), left, np.float32)
    windows[::2] *= 1.5

    made = convert(forecaster(1, solved), windows[:60], windows[60:], SCHEMES, apart=False)

    assert {scheme: conversion.validation.error <= 0.05 for scheme, conversion in made.items()} == dict.fromkeys(
        SCHEMES, True
    )


def test_a_constant_channel_among_others_costs_them_nothing():
    data = waves(np.random.default_rng(3), (120, T, F))
    stuck = data.copy()
    stuck[..., 1] = 1e-16

    errors = [
        convert(forecaster(F), rows[:90], rows[90:], ("int8",), apart=False, like_inputs=True)["int8"].validation
        for rows in (data, stuck)
    ]

    assert errors[1].error <= 1.5 * errors[0].error + 0.001
    assert errors[1].channel_error <= 0.05
