"""The learned size of a forecast's errors on the device: intervals are multiples of it."""

import numpy as np
import pytest
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.forecasting.features import MOVES, InputFeatures
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.forecasting.reliability import Reliability
from edgelstm.runtime.forecasting.spread import FURTHEST, signs, spread
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler

HOUR, WINDOW, HORIZON, CONTEXT = 3600.0, 4, 3, 2  # level and unit of the window
INTERVALS = {"80": {"lower": [[-1.0]] * HORIZON, "upper": [[1.0]] * HORIZON}}
NEWEST_CHANGE = CONTEXT  # the first of the signs of movement


def features(usual=1.0, constant=0.0, **weights):
    given = np.zeros(CONTEXT + MOVES)
    for place, weight in weights.items():
        given[int(place[1:])] = weight
    return InputFeatures(2, 1, intervals=INTERVALS, spread=[usual, *given.tolist(), constant])


def forecaster(made):
    scaler = Scaler("standard", (10.0,), (2.0,))
    metadata = Metadata(
        "forecaster", WINDOW, HORIZON, (Channel("load"),), HOUR, scaler, sections={"forecast": made.record()}
    )
    return Forecaster(metadata, lambda history, context: np.zeros(HORIZON))


def width(made, load):
    found = forecaster(made).forecast(np.array(load, float)[:, None], np.arange(len(load)) * HOUR)
    return float((found.upper - found.lower)[0, 0])


def test_without_one_intervals_are_as_they_were():
    plain = InputFeatures(2, 1, intervals=INTERVALS)

    assert width(plain, [8, 9, 11, 12]) == 4.0  # two ends of a scaled unit, 2 sensor units each
    assert spread(plain, (np.zeros((5, 2, 2)), np.zeros((5, CONTEXT))), np.zeros((5, HORIZON))).tolist() == [[1.0]] * 5


def test_intervals_are_multiples_of_the_usual_size():
    assert width(features(usual=3.0), [8, 9, 11, 12]) == pytest.approx(12.0)


def test_a_restless_past_widens_them_by_its_weight():
    """With a weight of 1 the size is proportional to the change from patch to patch, but for the least one."""
    made = features(**{f"_{NEWEST_CHANGE}": 1.0}, constant=1.0)

    ratio = width(made, [8, 9, 10, 11]) / width(made, [9, 9, 9.2, 9.2])
    assert ratio == pytest.approx((1.0 + 1e-3) / (0.1 + 1e-3), rel=1e-4)


@pytest.mark.parametrize(("constant", "times"), [(50.0, FURTHEST), (-50.0, 1 / FURTHEST)])
def test_no_size_is_further_than_ten_times_from_the_usual_one(constant, times):
    assert width(features(constant=constant), [8, 9, 11, 12]) == pytest.approx(4.0 * times)


@pytest.mark.parametrize("patches", [(1, 4), (4, 1), (2, 2)])
def test_signs_are_finite_where_nothing_moves(patches):
    found = signs(np.zeros((3, *patches)), np.zeros((3, CONTEXT)), np.zeros((3, 7)))

    assert found.shape == (3, CONTEXT + MOVES)
    assert np.isfinite(found).all()


def test_one_forecast_has_the_bits_of_many():
    random = np.random.default_rng(0)
    inputs, answers = (
        (random.normal(size=(9, 3, 4)), random.normal(size=(9, CONTEXT))),
        random.normal(size=(9, HORIZON)),
    )
    made = features(_0=0.3, _4=0.2, _8=-0.1)

    one_by_one = [spread(made, [part[at : at + 1] for part in inputs], answers[at : at + 1])[0, 0] for at in range(9)]
    np.testing.assert_allclose(one_by_one, spread(made, inputs, answers)[:, 0], rtol=1e-12)


def test_a_value_inside_the_wider_interval_is_no_miss():
    """Live, the ends are held against what came in the same units as they were shown."""
    shares = []
    for usual in (1.0, 4.0):
        one = forecaster(features(usual=usual))
        watch = Reliability(one, "load")
        rows = np.full((WINDOW, 1), 10.0)
        watch.made(one.forecast(rows, np.arange(WINDOW) * HOUR), rows[-2:])
        watch.observe(0, None, np.array([13.0]))  # 3 sensor units off; ends at 2 and at 8
        shares.append(watch.coverage[0, 0])

    assert shares == [0.0, 1.0]


@pytest.mark.parametrize(
    "damaged", [[1.0], [0.0] * (CONTEXT + MOVES + 2), [float("nan")] * (CONTEXT + MOVES + 2), ["wide"], 3]
)
def test_a_damaged_one_is_refused(damaged):
    with pytest.raises(ModelError, match="forecast section is damaged"):
        forecaster(InputFeatures(2, 1, intervals=INTERVALS, spread=damaged))
