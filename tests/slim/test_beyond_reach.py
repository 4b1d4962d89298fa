"""Values far beyond what an integer model holds: a forecast that stands at the end of its numbers follows them, as float's does."""

import math

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.error_stream import ForecastErrors
from edgelstm.runtime.inference.engine import PlainEngine

REACH, FAR = 16.0, 1000.0


def stream(forecast):
    """Errors of a forecast from the newest row, of one channel, in numbers that end at 16."""
    engine = PlainEngine(lambda window: np.clip(forecast(window[-1:]), -REACH, REACH), 1, 1)
    engine.reach = REACH
    return ForecastErrors(engine, [(-1.0, 1.0)])


def errors(made, values):
    return [None if (error := made.push([value])) is None else next(iter(error)) for value in values]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_level_beyond_is_an_error_when_it_comes_and_when_it_goes(sign):
    values = [sign * value for value in (0.0, FAR, FAR, FAR + 3.0, FAR + 3.0, 0.0, 0.0)]

    assert errors(stream(lambda row: row), values) == [None, *(sign * e for e in (FAR, 0.0, 3.0, 0.0, -FAR - 3.0, 0.0))]


def test_a_forecast_that_does_not_follow_stays_as_it_is():
    """As that of a channel that stood still in training: what is far from it is an error as long as it lasts."""
    assert errors(stream(np.zeros_like), [0.0, FAR, FAR]) == [None, FAR, FAR]
    assert errors(stream(lambda row: np.clip(row, -4.0, 4.0)), [0.0, FAR, FAR]) == [None, FAR, FAR - 4.0]


def test_values_within_the_numbers_are_forecast_as_ever():
    assert errors(stream(lambda row: row), [0.0, REACH, REACH, 5.0]) == [None, REACH, 0.0, 5.0 - REACH]


@pytest.mark.parametrize("name", ["cast.int8", "cast.float32", "auto.int8"])
def test_only_16_bits_have_an_end_that_a_forecast_may_stand_at(models, name):
    """Eight bits end near the values of training, where a value has to look wrong."""
    engine = Detector.from_bundle(load_bundle(models / f"{name}.tflite")).stream.engine
    ends = [32767 * tensor.scale for tensor in (engine.model.inputs[0], engine.model.outputs[0])]

    assert engine.reach == (min(ends) if name == "cast.int8" else math.inf)
