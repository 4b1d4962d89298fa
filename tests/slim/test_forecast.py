"""Forecasts on the device: input features, and forecasts in sensor units."""

import json
from datetime import datetime, timezone

import numpy as np
import pytest
from click.testing import CliRunner
from command_helpers import DATA, MODELS, edgelstm_here
from edgelstm.runtime.errors import ConfigError, ModelError, SeriesError, ShapeError
from edgelstm.runtime.forecasting.calendar import calendar_features
from edgelstm.runtime.forecasting.features import InputFeatures, context_size, examples
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.forecasting.time_grid import bridged, on_grid, read_recent
from edgelstm.runtime.io.time_zones import local_seconds
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.sources import Columns

from edgelstm.cli.forecast import command

HOUR = 3600.0
WINDOW, HORIZON = 4, 3
INTERVALS = {
    "80": {"lower": [[-1.0]] * HORIZON, "upper": [[2.0]] * HORIZON},
    "95": {"lower": [[-3.0]] * HORIZON, "upper": [[4.0]] * HORIZON},
}


def metadata(features, names=("load",), scale=2.0):
    count = len(names)
    return Metadata(
        "forecaster", WINDOW, HORIZON, tuple(map(Channel, names)), HOUR,
        Scaler("standard", (10.0,) * count, (scale,) * count), sections={"forecast": features.record()},
    )  # fmt: skip


def rising(history, context):
    """A model in miniature: one scaled unit more each hour."""
    return np.arange(1.0, HORIZON + 1)


@pytest.fixture
def forecaster():
    return Forecaster(metadata(InputFeatures(2, 1, intervals=INTERVALS)), rising)


def rows(*columns):
    return np.array(columns, float).T


def test_an_answer_is_added_to_the_last_value_in_sensor_units(forecaster):
    found = forecaster.forecast(rows([8, 9, 11, 12]), np.arange(4) * HOUR)

    assert found.values.ravel().tolist() == [14.0, 16.0, 18.0]
    assert found.times.tolist() == [4 * HOUR, 5 * HOUR, 6 * HOUR]


def test_intervals_are_residuals_in_sensor_units(forecaster):
    narrow = forecaster.forecast(rows([8, 9, 11, 12]), np.arange(4) * HOUR)
    wide = forecaster.forecast(rows([8, 9, 11, 12]), np.arange(4) * HOUR, level=95)

    assert (narrow.level, wide.level) == (80, 95)
    assert (narrow.values - narrow.lower).ravel().tolist() == [2.0] * HORIZON
    assert (wide.upper - wide.values).ravel().tolist() == [8.0] * HORIZON


def test_a_level_that_the_model_does_not_carry_is_refused(forecaster):
    with pytest.raises(ModelError, match="80, 95 percent; received 50"):
        forecaster.forecast(rows([8, 9, 11, 12]), np.arange(4) * HOUR, level=50)


@pytest.mark.parametrize("normalize", ["none", "last", "window"])
def test_a_normalization_is_undone_exactly(normalize):
    """A model that answers what came gives just that back."""
    values = np.random.default_rng(0).normal(3.0, 2.0, (40, 2)).astype(np.float32)
    features, origins = InputFeatures(2, 2, normalize=normalize), np.arange(WINDOW, 30)
    given = examples(features, WINDOW, HORIZON, values, np.arange(40.0), origins)
    future = np.moveaxis(values[origins[:, None] + np.arange(HORIZON)], -1, 1)

    np.testing.assert_allclose(given.answers(future) * given.unit + given.level, future, atol=1e-5)


def test_window_normalization_survives_a_flat_window():
    given = examples(
        InputFeatures(2, 1, normalize="window"),
        WINDOW,
        HORIZON,
        np.ones((9, 1), np.float32),
        np.arange(9.0),
        np.array([4]),
    )

    assert np.isfinite(given.history).all()
    assert given.unit.min() > 0


def test_one_origin_gives_the_same_bits_as_many():
    """Training asks for thousands of origins at once, the device for one."""
    random = np.random.default_rng(1)
    values, times = random.normal(size=(60, 4)).astype(np.float32), 1e9 + HOUR * np.arange(60)
    features = InputFeatures(2, 2, 1, calendar=True, yearly=True, zone="Europe/Berlin")
    origins = np.arange(WINDOW, 50)
    many = examples(features, WINDOW, HORIZON, values, times, origins)

    for place, origin in enumerate(origins):
        one = examples(features, WINDOW, HORIZON, values, times, np.array([origin]))
        assert one.history[0].tobytes() == many.history[place].tobytes()
        assert one.context[0].tobytes() == many.context[place].tobytes()


@pytest.mark.parametrize("holidays", [None, [], [0, 2]])
@pytest.mark.parametrize("yearly", [False, True])
def test_the_context_has_the_size_that_the_network_is_built_for(yearly, holidays):
    values = np.zeros((60, 4), np.float32)
    features = InputFeatures(2, 2, 1, calendar=True, yearly=yearly, holidays=holidays)
    given = examples(features, WINDOW, HORIZON, values, np.arange(60.0), np.array([8]))

    assert given.context.shape[-1] == context_size(features, HORIZON, 4)


def test_targets_to_come_are_never_looked_at():
    values = np.random.default_rng(2).normal(size=(20, 3)).astype(np.float32)
    features, times = InputFeatures(2, 1, 1, calendar=True), HOUR * np.arange(20)
    before = examples(features, WINDOW, HORIZON, values, times, np.array([10]))
    values[10:, [0, 2]] = 99.0  # target and a channel that is not known beforehand
    after = examples(features, WINDOW, HORIZON, values, times, np.array([10]))

    assert before.context.tobytes() == after.context.tobytes()
    assert before.history.tobytes() == after.history.tobytes()


def test_covariates_to_come_change_the_context():
    values, times = np.zeros((20, 2), np.float32), HOUR * np.arange(20)
    features = InputFeatures(2, 1, 1)
    before = examples(features, WINDOW, HORIZON, values, times, np.array([10])).context
    values[11, 1] = 1.0

    assert (examples(features, WINDOW, HORIZON, values, times, np.array([10])).context != before).any()


def test_holidays_around_the_origin_are_told_on_the_zones_calendar():
    """Half past eleven in the evening in London is the next day in Tokyo."""
    rows_of_a_day, start = 24, 1_700_006_400.0 - 1_700_006_400.0 % 86_400
    origin, times = 24 * 8 + 23, start + HOUR * np.arange(24 * 12)
    first = int(start // 86_400)

    def told(zone, day):
        features = InputFeatures(rows_of_a_day, 1, calendar=True, zone=zone, holidays=[first + day])
        made = examples(features, 24 * 7, 24, np.zeros((len(times), 1), np.float32), times, np.array([origin]))
        return made.context[0, 0, -9:].tolist()

    assert told("", 8) == [0.0] * 7 + [1.0, 0.0]
    assert told("", 9) == [0.0] * 8 + [1.0]
    assert told("", 1) == [1.0] + [0.0] * 8
    assert told("Asia/Tokyo", 9) == [0.0] * 7 + [1.0, 0.0]


def test_damaged_holidays_are_refused():
    with pytest.raises(ModelError, match="damaged"):
        InputFeatures.of(metadata(InputFeatures(2, 1, calendar=True, holidays="soon")))


def test_missing_covariates_are_named():
    forecaster = Forecaster(metadata(InputFeatures(2, 1, 1), ("load", "holiday")), rising)

    with pytest.raises(SeriesError, match="holiday must be known for the 3 rows to forecast; received 1"):
        forecaster.forecast(rows([8, 9, 11, 12, np.nan], [0, 0, 0, 0, 1]), np.arange(5) * HOUR)


def test_rows_with_empty_targets_are_the_ones_to_forecast():
    forecaster = Forecaster(metadata(InputFeatures(2, 1, 1), ("load", "holiday")), rising)
    found = forecaster.forecast(rows([8, 9, 11, 12, *[np.nan] * 3], [0] * 7), np.arange(7) * HOUR)

    assert found.times[0] == 4 * HOUR


def test_too_few_rows_are_refused(forecaster):
    with pytest.raises(ShapeError, match="needs 4 rows before it; received 2"):
        forecaster.forecast(rows([8, 9]), np.arange(2) * HOUR)


def test_a_gap_in_the_window_is_refused(forecaster):
    with pytest.raises(SeriesError, match="load is missing 2 rows before"):
        forecaster.forecast(rows([8, 9, np.nan, 12]), np.arange(4) * HOUR)


def test_a_detector_is_no_forecaster(bundle):
    with pytest.raises(ModelError, match="--target"):
        Forecaster.from_bundle(bundle)


def test_the_calendar_agrees_with_pythons():
    random = np.random.default_rng(3)
    times = random.integers(0, 2_000_000_000, 200).astype(float)
    features = calendar_features(times)
    dates = [datetime.fromtimestamp(time, timezone.utc) for time in times]

    assert features[:, 6:13].argmax(axis=1).tolist() == [date.weekday() for date in dates]
    turn = np.array([(date.hour + date.minute / 60 + date.second / 3600) / 24 for date in dates])
    np.testing.assert_allclose(features[:, 0], np.sin(2 * np.pi * turn), atol=1e-5)


def test_a_zone_shifts_the_clock_with_its_daylight_saving():
    winter, summer = (datetime(2024, month, 1, 12, tzinfo=timezone.utc).timestamp() for month in (1, 7))

    assert (local_seconds(np.array([winter, summer]), "Europe/Berlin") - [winter, summer]).tolist() == [3600, 7200]


def test_an_unknown_zone_is_named():
    with pytest.raises(ConfigError, match="Europe/Atlantis"):
        calendar_features([0.0], "Europe/Atlantis")


def test_recent_rows_are_sorted_and_short_gaps_bridged():
    text = ["time,load", "7200,3", "0,1", "0,9", "14400,5"]
    found = read_recent(text, Columns(("load",)), HOUR)

    assert found.values.ravel().tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert not found.dated


def test_long_gaps_and_empty_ends_stay_empty():
    values, _ = on_grid(rows([1, 6, 7]), np.array([0.0, 5.0, 6.0]), 1.0)

    assert np.isnan(bridged(values)[1:5]).all()
    assert np.isnan(bridged(rows([1.0, np.nan]))[1])


def test_rows_at_other_distances_are_refused():
    with pytest.raises(SeriesError, match="other distances"):
        read_recent(["time,load", "0,1", "9e9,2"], Columns(("load",)), 1.0)


def run(forecaster, monkeypatch, text, *options):
    monkeypatch.setattr("edgelstm.runtime.model_file.trial.load_tried_bundle", lambda path: None)
    monkeypatch.setattr(Forecaster, "from_bundle", classmethod(lambda cls, bundle: forecaster))
    return CliRunner().invoke(command, ["load.tflite", "-", *options], input=text)


TEXT = "time,load\n" + "".join(f"2024-05-01 0{hour}:00:00,{value}\n" for hour, value in enumerate([8, 9, 11, 12]))


def test_the_command_prints_a_table(forecaster, monkeypatch):
    found = run(forecaster, monkeypatch, TEXT)

    assert found.stdout.splitlines()[:2] == ["time\tload\tload_low80\tload_high80", "2024-05-01 04:00:00\t14\t12\t18"]
    assert len(found.stdout.splitlines()) == 1 + HORIZON


def test_the_command_prints_json(forecaster, monkeypatch):
    found = json.loads(run(forecaster, monkeypatch, TEXT, "--json", "--level", 95).stdout)

    assert found["interval_percent"] == 95
    assert found["targets"]["load"]["forecast"] == [14.0, 16.0, 18.0]
    assert found["times"][-1] == "2024-05-01 06:00:00"


def test_the_command_names_a_bad_cell(forecaster, monkeypatch):
    found = run(forecaster, monkeypatch, TEXT.replace(",11", ",high"))

    assert "line 4: column load: 'high' is not a number" in str(found.exception)


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_a_tflite_file_forecasts_where_only_the_base_is_installed(models, stream, scheme):
    """The tank's level swings between 30 and 70 cm in 24 s; the rows are those before the first fault."""
    found = Forecaster.load(models / f"ahead.{scheme}.tflite").forecast(stream[:100, 1:], stream[:100, 0])

    assert found.times.tolist() == stream[100:106, 0].tolist()
    assert np.abs(found.values[:, 0] - stream[100:106, 1]).max() < 3.0
    assert (found.lower < found.values).all()
    assert (found.values < found.upper).all()


def test_the_command_forecasts_from_a_file(models):
    found = CliRunner().invoke(
        command, [str(models / "ahead.int8.tflite"), str(models / "stream.csv"), "--json"], catch_exceptions=False
    )
    told = json.loads(found.stdout)

    assert told["times"][0] == "3600"
    assert len(told["targets"]["level_cm"]["upper"]) == 6


@pytest.mark.parametrize("name", ["x.txt", "picture", "x.csv"])
def test_a_picture_of_no_form_is_refused_before_any_work(tmp_path, name):
    done = edgelstm_here("forecast", MODELS / "ahead.int8.tflite", DATA, "--plot", tmp_path / name)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"Error: The name of a picture ends in .png, .svg, .pdf; received {name}. Rename it.\n"
