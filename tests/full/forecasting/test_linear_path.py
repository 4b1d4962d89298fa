"""The linear path of a forecaster, what proves that training brought more, and holidays."""

import json
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
from click.testing import CliRunner
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.forecasting.features import InputFeatures

from edgelstm.cli import group
from edgelstm.data.series import Series
from edgelstm.forecasting.architecture import Network, build
from edgelstm.forecasting.data import Pairs
from edgelstm.forecasting.holidays import AHEAD, holiday_days
from edgelstm.forecasting.linear_path import Equations, LinearMap, best_alone, last_week
from edgelstm.forecasting.options import Options, layout, week_of_short
from edgelstm.forecasting.proof import proven
from edgelstm.keras_file import read_extras

BEGIN = datetime(2023, 1, 1, tzinfo=timezone.utc).timestamp()


def run(*arguments):
    result = CliRunner().invoke(group, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def test_the_regression_finds_what_past_and_context_bring():
    random = np.random.default_rng(0)
    history, context = random.normal(size=(3000, 2, 3)), random.uniform(-1, 1, (3000, 4))
    lags, season = random.normal(size=(6, 2)), random.normal(size=(4, 2))
    answers = history.reshape(-1, 6) @ lags + context @ season + 0.7
    found = Equations.of(history, context, answers).solve()

    np.testing.assert_allclose(found.kernel, lags, atol=0.05)
    np.testing.assert_allclose(found.season, season, atol=0.05)
    np.testing.assert_allclose(found.bias, 0.7, atol=0.02)


def test_a_context_that_is_left_out_has_no_weight():
    random = np.random.default_rng(1)
    history, context = random.normal(size=(500, 2, 3)), random.normal(size=(500, 2))
    equations = Equations.of(history, context, 1 + context[:, :1])

    assert not equations.solve(with_context=False).season.any()
    np.testing.assert_allclose(equations.solve().season, [[1.0], [0.0]], atol=0.02)


def test_the_mean_of_several_look_backs_is_the_mean_of_their_forecasts():
    examples = _examples(600, 7, 3)
    history, context, answers = examples.history, examples.context, examples.answers
    parts = [
        Equations.of(history[:, -patches:], context, answers).solve().forecast(_newest(examples, patches))
        for patches in (7, 4, 2)
    ]

    found = Equations.of(history, context, answers).solve(looks=3)
    np.testing.assert_allclose(found.forecast(examples), np.mean(parts, axis=0), atol=1e-5)


def test_one_look_back_is_kept_where_it_is_clearly_better():
    """The answer lies in the oldest patch, which shorter look-backs do not see."""
    plain = _examples(2000, 8, 2)
    oldest = _answering(plain, plain.history[:, 0, :1])
    equations = Equations.of(oldest.history, oldest.context, oldest.answers)

    np.testing.assert_array_equal(best_alone(equations, oldest).kernel, equations.solve().kernel)


def test_else_several_look_backs_share_the_forecast():
    plain = _examples(300, 8, 2)
    newest = _answering(plain, plain.history[:, -1, -1:])
    equations = Equations.of(newest.history, newest.context, newest.answers)

    np.testing.assert_array_equal(best_alone(equations, newest).kernel, equations.solve(looks=3).kernel)


def test_last_weeks_values_carry_the_newest_distance_from_them():
    week, lags, horizon = 14, 16, 4
    history = np.random.default_rng(7).normal(size=(5, lags))
    newest = history[:, -1] - history[:, -1 - week]

    # the rows of the horizon are the week's after the one before the newest, and so on
    expected = history[:, [2, 3, 4, 5]] + newest[:, None]
    np.testing.assert_allclose(history @ last_week(lags, horizon, week), expected)


def test_of_a_horizon_beyond_a_week_the_last_week_comes_again():
    weights = last_week(8, 9, 7)

    np.testing.assert_array_equal(weights[:, 7:], weights[:, :2])


def test_a_short_history_is_shrunk_towards_last_week_where_that_forecasts_better():
    """30 examples of 16 lags cannot tell that the answer is last week's: without the shrinkage much of it is chance."""
    week, plain = 14, _examples(60, 8, 2)
    truth = plain.history.reshape(60, -1) @ last_week(16, 4, week)
    weekly = _answering(plain, truth)
    learn, judge = weekly.take(slice(0, 30)), weekly.take(slice(30, 60))
    equations = Equations.of(learn.history, learn.context, learn.answers)
    short, usual = best_alone(equations, judge, week), best_alone(equations, judge)

    exact = _answering_exactly(judge, truth[30:])
    assert short.error(exact) < 0.7 * usual.error(exact)
    halves = (usual.kernel + equations.shrunk(last_week(16, 4, week)).kernel) / 2
    np.testing.assert_allclose(short.kernel, halves, atol=1e-6)


def test_a_short_history_without_weeks_is_shrunk_towards_nothing():
    week, noise = 14, _examples(90, 8, 2)
    learn, judge = noise.take(slice(0, 60)), noise.take(slice(60, 90))
    equations = Equations.of(learn.history, learn.context, learn.answers)
    short, usual = best_alone(equations, judge, week), best_alone(equations, judge)

    assert np.abs(short.kernel).sum() < np.abs(usual.kernel).sum()
    halves = (usual.kernel + equations.shrunk(np.zeros((16, 4))).kernel) / 2
    np.testing.assert_allclose(short.kernel, halves, atol=1e-6)


def test_of_a_look_back_of_a_week_the_oldest_row_stands_for_the_week_before():
    history = np.random.default_rng(8).normal(size=(5, 14))

    expected = history[:, :4] + (history[:, -1] - history[:, 0])[:, None]
    np.testing.assert_allclose(history @ last_week(14, 4, 14), expected)


def test_a_look_back_below_a_week_is_left_alone():
    plain = _examples(60, 6, 2)
    equations = Equations.of(plain.history, plain.context, plain.answers)

    np.testing.assert_array_equal(best_alone(equations, plain, 14).kernel, best_alone(equations, plain).kernel)


@pytest.mark.parametrize(
    ("days", "period", "rows", "week"),
    [(181, 3600.0, 8 * 24, 168), (182, 3600.0, 7 * 24, 0), (10, 1800.0, 8 * 48, 336), (10, None, 8 * 12, 0)],
)
def test_less_than_half_a_year_of_rows_is_a_short_history(days, period, rows, week):
    per_day = round(86_400 / (period or 3600.0))
    series = _series(days * per_day, period)
    window, patch = layout(series, Options(24))

    assert window == rows
    assert week_of_short(series, patch) == week


def _series(rows, period):
    return Series(np.zeros((rows, 1)), np.arange(rows) * (period or 1.0), ("load",), period, ((0, rows),))


def _answering_exactly(examples, what):
    return Pairs(examples.history, examples.context, what, examples.unit, examples.clock)


def _examples(count, patches, patch):
    random = np.random.default_rng(5)
    history, context = random.normal(size=(count, patches, patch)), random.uniform(-1, 1, (count, 2))
    return Pairs(history, context, random.normal(size=(count, 4)), np.ones((count, 1)), np.zeros(count))


def _newest(examples, patches):
    return Pairs(examples.history[:, -patches:], examples.context, examples.answers, examples.unit, examples.clock)


def _answering(examples, what):
    noise = np.random.default_rng(6).normal(size=what.shape)
    return Pairs(examples.history, examples.context, what + noise, examples.unit, examples.clock)


def test_the_network_begins_as_the_linear_map():
    random = np.random.default_rng(2)
    history, context = random.normal(size=(8, 2, 3)).astype("f"), random.uniform(-1, 1, (8, 4)).astype("f")
    weights = LinearMap(random.normal(size=(6, 5)), random.normal(size=(4, 5)), random.normal(size=5))
    model = build(Network(units=4), 2, 3, 4, 5)
    weights.set(model, trainable=True)

    expected = history.reshape(8, 6) @ weights.kernel + context @ weights.season + weights.bias
    np.testing.assert_allclose(model.predict([history, context], verbose=0), expected, atol=1e-5)


def test_a_gain_of_every_week_is_proven_and_one_of_a_few_is_not():
    random = np.random.default_rng(3)
    before = random.uniform(0.5, 1.5, 24 * 140)
    steady = before * 0.95
    lucky = before + np.repeat(random.normal(-0.05, 0.3, 20), 24 * 7)

    assert proven(before, steady, 24 * 140, 24)
    assert lucky.mean() < 0.98 * before.mean()
    assert not proven(before, lucky, 24 * 140, 24)
    assert not proven(before, before * 0.99, 24 * 140, 24)  # not worth another network


def test_of_less_than_four_weeks_the_size_of_a_gain_decides():
    before = np.ones(24 * 14)
    uneven = np.repeat([0.6, 1.1], len(before) // 2)

    assert proven(before, uneven, len(before), 24)
    assert not proven(before, before * 0.99, len(before), 24)
    assert not proven(np.ones(24 * 56), np.repeat([0.6, 1.1], 24 * 28), 24 * 56, 24)


def test_holidays_of_a_country_reach_years_ahead():
    pytest.importorskip("holidays", reason="the extra [holidays] is not installed")
    days = holiday_days("DE-BY", BEGIN, BEGIN)
    dates = [date(1970, 1, 1) + timedelta(day) for day in days]

    assert date(2023, 1, 6) in dates  # Epiphany, in Bavaria but not in Berlin
    assert date(2023 + AHEAD, 12, 25) in dates
    assert days == sorted(set(days))


@pytest.mark.parametrize(("place", "message"), [("Atlantis", "no such country"), ("US-XX", "no such country")])
def test_an_unknown_place_is_named(place, message):
    pytest.importorskip("holidays", reason="the extra [holidays] is not installed")

    with pytest.raises(TrainingError, match=message):
        holiday_days(place, BEGIN, BEGIN)


def test_a_line_that_is_no_date_is_named(tmp_path):
    path = tmp_path / "days.txt"
    path.write_text("# works holidays\n2023-08-01\nsoon\n")

    with pytest.raises(TrainingError, match=r"days\.txt: .*soon"):
        holiday_days(str(path), BEGIN, BEGIN)


@pytest.mark.slow(reason="trains two models until they tell days apart")
def test_a_model_knows_the_holidays_of_a_file(tmp_path):
    """A load that rests on 50 days of 200, which no weekday tells: with them the error is less than two thirds."""
    random, days = np.random.default_rng(4), 200
    rests = np.sort(random.choice(days, 50, replace=False))
    hours = np.arange(24 * days)
    load = (10 + 5 * np.sin(2 * np.pi * hours / 24)) * np.where(np.isin(hours // 24, rests), 0.3, 1.0) + random.normal(
        0, 0.2, 24 * days
    )
    csv, dates = tmp_path / "load.csv", tmp_path / "rests.txt"
    csv.write_text("time,load\n" + "".join(f"{BEGIN + 3600 * hour:.0f},{load[hour]:.3f}\n" for hour in hours))
    dates.write_text("".join(f"{date(2023, 1, 1) + timedelta(int(day))}\n" for day in rests))
    common = (
        "train",
        "forecaster",
        csv,
        "--target",
        "load",
        "--horizon",
        12,
        "--calendar",
        "--units",
        16,
        "--epochs",
        10,
        "--batch-size",
        32,
        "--json",
    )
    without = json.loads(run(*common, "-o", tmp_path / "plain.keras").stdout)
    known = json.loads(run(*common, "-o", tmp_path / "rests.keras", "--holidays", dates).stdout)

    assert known["validation_loss"] < 0.67 * without["validation_loss"]
    assert len(InputFeatures.of(read_extras(tmp_path / "rests.keras")[0]).holidays) == 50


def test_holidays_without_a_calendar_are_refused(tmp_path):
    csv, dates = tmp_path / "load.csv", tmp_path / "rests.txt"
    csv.write_text("time,load\n" + "".join(f"{BEGIN + 3600 * hour:.0f},{hour % 24}\n" for hour in range(24 * 60)))
    dates.write_text("2023-01-06\n")
    result = CliRunner().invoke(
        group,
        [
            "train",
            "forecaster",
            str(csv),
            "-o",
            str(tmp_path / "m.keras"),
            "--target",
            "load",
            "--holidays",
            str(dates),
        ],
    )

    assert result.exit_code != 0
    assert "--calendar" in str(result.exception or result.stderr)
