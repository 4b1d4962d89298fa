"""Forecasters of short histories, and their benchmark."""

import numpy as np
import pytest
from edgelstm.runtime.errors import TrainingError
from forecast_data import Case
from forecast_short import change, parts

from edgelstm.data.series import Series
from edgelstm.forecasting.architecture import Network
from edgelstm.forecasting.options import Options
from edgelstm.forecasting.train import train_forecaster

ROWS = 40 * 24


def _case(values):
    rows = len(values)
    series = Series(values[:, None], 1.7e9 + 3600 * np.arange(rows), ("load",), 3600.0, ((0, rows),))
    return Case("made", series, 1, 0, 24, 24, (rows, rows, rows), 168, "")


def test_weeks_alike_on_a_wandering_level_are_forecast_better():
    changes = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        week = np.tile(random.normal(size=168), 6)[:ROWS]
        changes.append(change(_case(week + np.cumsum(random.normal(0, 0.2, ROWS))), 0, ROWS))

    assert np.mean(changes) < -10


def test_no_example_sees_answers_of_a_later_part():
    learn, choose, judge = parts(_case(np.arange(float(ROWS))), 0, ROWS, 8)

    assert len(learn) == 672 - 8 * 24 - 24 + 1
    assert len(choose) == 768 - 672 - 24 + 1
    assert len(judge) == ROWS - 768 - 24 + 1


@pytest.mark.parametrize(("days", "looked_back"), [(15, 7), (17, 8)])
def test_two_weeks_of_rows_are_enough_for_a_forecaster(days, looked_back):
    values = np.sin(np.arange(24.0 * days) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 0.1, 24 * days)
    options = Options(24, network=Network(units=4), epochs=1)

    assert train_forecaster(_case(values).series, options).metadata.window == 24 * looked_back


def test_a_look_back_that_is_given_is_not_shortened():
    with pytest.raises(TrainingError, match=r"stretches of 192 \+ 24 rows"):
        train_forecaster(_case(np.arange(24.0 * 15)).series, Options(24, lookback=192, epochs=1))
