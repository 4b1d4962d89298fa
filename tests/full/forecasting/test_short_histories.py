"""The benchmark of short histories."""

import numpy as np
from forecast_data import Case
from forecast_short import change, parts

from edgelstm.data.series import Series

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
