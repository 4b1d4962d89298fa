"""Intervals by hour of the day, and ends that follow what comes: what is promised holds whatever the series does."""

import json

import numpy as np
import pytest
from command_helpers import MODELS
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.forecasting.intervals import Intervals
from edgelstm.runtime.forecasting.live import LiveForecaster
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler

HOUR, START = 3600.0, 1.7e9 - 1.7e9 % 86_400
ENDS = {"80": {"lower": [[-1.0]], "upper": [[2.0]]}, "95": {"lower": [[-3.0]], "upper": [[3.0]]}}
BY_HOUR = tuple((0.5 + (hour >= 12),) for hour in range(24))


def made(hours=None, intervals=ENDS):
    return Intervals(InputFeatures(24, 1, intervals=intervals, hours=hours), 1, HOUR)


def test_an_hour_with_larger_residuals_has_a_wider_interval():
    one = made(BY_HOUR)
    places = one.hours(START + HOUR * np.array([3, 15]))
    ends = one.ends(np.zeros(2, int), places, one.fresh())

    assert places.tolist() == [3, 15]
    assert ends[:, 0, :, 0].tolist() == [[-0.5, 1.0], [-1.5, 3.0]]


def test_hours_are_those_of_the_models_zone():
    one = Intervals(InputFeatures(24, 1, zone="Asia/Tokyo", intervals=ENDS), 1, HOUR)

    assert one.hours([START]).tolist() == [9]
    assert one.hours([17.0]).tolist() == [0]  # a count is no date


def test_ends_that_follow_hold_their_share_at_each_hour_whatever_the_series_does():
    """Residuals off centre, twice as large by day, and twice as large again in the second half of 200 days.

    By how much a share is off is told by how far its end had to move: (factor of the hour) / (days * 0.5), exactly.
    """
    days, one, random = 200, made(), np.random.default_rng(0)
    factors, missed = one.fresh(), np.zeros((24, 2, 2))
    for row in range(24 * days):
        hour = row % 24
        residual = random.normal(0.5, 0.8) * (1 + (hour >= 12)) * (1 + (row >= 12 * days))
        ends = one.ends(np.array([0]), np.array([hour]), factors)[0, :, :, 0]
        outside = np.stack([residual < ends[:, 0], residual > ends[:, 1]], axis=1).astype(float)
        missed[hour] += outside / days
        factors = one.adapted(factors, hour, outside[:, :, None])
    promised, inside = np.array([0.1, 0.025])[:, None], 1 - missed.sum(axis=2)

    np.testing.assert_allclose(missed - promised, factors[1:, :, :, 0] / (0.5 * days), atol=1e-9)
    assert np.abs(inside - [0.8, 0.95]).max() < 0.04
    assert np.abs(inside.mean(axis=0) - [0.8, 0.95]).max() < 0.01


def test_what_is_not_measured_moves_nothing():
    one = made()
    factors = one.adapted(one.fresh(), 5, np.full((2, 2, 1), np.nan))

    assert (factors == one.fresh()).all()


def test_a_live_model_widens_its_interval_after_misses():
    """A load that jumps by more than any interval says, at every row."""
    features = InputFeatures(2, 1, intervals=ENDS)
    metadata = Metadata(
        "forecaster", 4, 1, (Channel("load"),), HOUR, Scaler("standard", (0.0,), (1.0,)), sections={"forecast": features.record()},
    )  # fmt: skip
    model = LiveForecaster(Forecaster(metadata, lambda history, context: np.zeros(1)))
    widths = []
    for row in range(60):
        result = model.update([10.0 * (row % 2)], START + HOUR * row)
        if result.forecast:
            told = result.forecast["targets"]["load"]
            widths.append(told["upper"][0] - told["lower"][0])
    state = json.loads(json.dumps(model.snapshot()))
    other = LiveForecaster(Forecaster(metadata, lambda history, context: np.zeros(1)))
    other.restore(state)

    assert widths[0] == 3.0
    assert widths[-1] > 2 * widths[0]
    assert (other.reliability.factors == model.reliability.factors).all()


@pytest.mark.parametrize("hours", [((1.0,),) * 23, ((0.0,),) * 24, ((float("nan"),),) * 24])
def test_damaged_hours_are_refused(hours):
    features = InputFeatures(2, 1, intervals=ENDS, hours=hours)
    metadata = Metadata("forecaster", 4, 1, (Channel("load"),), HOUR, sections={"forecast": features.record()})

    with pytest.raises(ModelError, match="damaged"):
        InputFeatures.of(metadata)


def test_a_model_of_an_earlier_version_has_the_same_interval_at_all_hours():
    forecaster = Forecaster.load(MODELS / "ahead.int8.tflite")

    assert forecaster.features.hours is None
    assert forecaster.levels() == (80, 95)
