"""Judges of an alarm: the bias of one channel of many, bars of normal operation, and two judges together."""

from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime.scoring.ewma import EwmaScorer
from edgelstm.runtime.scoring.judges import ALONE, Judge, agreement, bars_of, deviations
from edgelstm.runtime.scoring.registry import fit_scoring, scorer_of, style_of

RANDOM = np.random.default_rng(0)
CHANNELS = 8
NORMAL = RANDOM.normal(size=(2000, CHANNELS))


@pytest.fixture(scope="module")
def chart():
    fitted = EwmaScorer.fit(NORMAL, style_of("ewma"))
    return replace(fitted, bars=(np.inf, np.inf, 1.0))  # bias alone


def bias(kind, chart, errors, masked=()):
    scorer = kind(chart)
    return [scorer.update(error, masked)[0] for error in errors.tolist()][-1]


def moved(channels):
    errors = RANDOM.normal(size=(100, CHANNELS))
    errors[:, :channels] += 1.5
    return errors


def test_one_channel_of_many_is_hidden_from_a_judge_less_than_from_a_root_mean_square(chart):
    one = moved(1)

    assert bias(Judge, chart, one) > 1.5 * bias(EwmaScorer, chart, one)


def test_where_all_channels_move_alike_both_see_the_same(chart):
    same = np.full((100, CHANNELS), 1.5)

    assert bias(Judge, chart, same) == pytest.approx(bias(EwmaScorer, chart, same), rel=0.1)


def test_a_channel_that_does_not_count_hides_no_bias_of_the_others(chart):
    errors = moved(2)

    assert bias(Judge, chart, errors, masked=(7,)) == pytest.approx(bias(Judge, chart, errors), rel=0.1)


def test_no_channel_that_counts_moved_is_no_bias(chart):
    assert bias(Judge, chart, moved(1), masked=(0,)) < 3


def test_the_bar_of_the_bias_rises_with_the_number_of_channels(chart):
    many = bars_of(replace(chart, bars=()), NORMAL, inputs=0)
    one = bars_of(replace(EwmaScorer.fit(NORMAL[:, :1], style_of("ewma")), bars=()), NORMAL[:, :1], inputs=0)

    assert many[2] == pytest.approx(deviations(CHANNELS))
    assert one[2] == pytest.approx(deviations(1))


@pytest.mark.parametrize(("recurrent", "linear", "alarm"), [(0.9, 0.9, False), (3.0, 0.8, True), (3.0, 0.6, False)])
def test_two_judges_are_nearly_as_strict_as_the_less_sure_one(recurrent, linear, alarm):
    assert (agreement([recurrent, linear]) > 1) == alarm


def test_what_the_linear_forecast_alone_sees_takes_more():
    assert agreement([0.0, ALONE - 0.01]) < 1 < agreement([0.0, ALONE + 0.01])


def test_the_recurrent_forecast_alone_is_not_enough():
    assert agreement([1e30, 0.0]) == 0


@pytest.mark.parametrize("sizes", [(1e30, 1e30), (0.0, 0.0), (1e-300, 1e-300)])
def test_no_reading_is_too_large_or_too_small(sizes):
    assert np.isfinite(agreement(sizes))


def test_an_alarm_that_starts_of_the_machine_would_hide_has_a_score_above_the_threshold():
    """The limit of the chart is that of starts, which a small bias does not reach."""
    random = np.random.default_rng(0)
    starts = random.normal(size=(4000, CHANNELS))
    for number, row in enumerate(range(20, 4000, 100)):
        starts[row : row + 3, 0] = 20.0 if number % 2 else -20.0
    fitted = fit_scoring(starts, style_of("witnesses"))
    judged, ranked = scorer_of(fitted), scorer_of(replace(fitted, bars=()))
    biased = random.normal(size=(300, CHANNELS)) + np.eye(CHANNELS)[3] * 1.2
    pairs = [(judged.update(row)[0], ranked.update(row)[0]) for row in biased.tolist()]

    assert sum(score > 1 >= ranking for score, ranking in pairs) > 20
