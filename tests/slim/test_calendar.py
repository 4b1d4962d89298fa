"""A detector with a calendar: what is normal on a Monday is a fault on a Sunday."""

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from click.testing import CliRunner
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.errors import ConfigError, ModelError, SeriesError
from edgelstm.runtime.input.calendar import WEEK, Calendar, scaled_inputs
from edgelstm.runtime.model_file.metadata import CALENDAR, from_json, to_json

from edgelstm.cli.run import command

HERE = Path(__file__).parent / "models"
sys.path.insert(0, str(HERE))
from make import HOUR, MONDAY, plant  # noqa: E402

NAMES = ("week.float32", "week.int8", "week.stream.int8")
BERLIN = "Europe/Berlin"
LATER = MONDAY + 7 * 7 * 24 * HOUR - HOUR  # 2026-03-23, 0:00 in Berlin less an hour: summer time begins on the 29th


def moment(*parts):
    return datetime(*parts, tzinfo=ZoneInfo(BERLIN)).timestamp()


def with_sunday_shift(times, values):
    """The rows with a working day's power on the second Sunday, 2026-04-05."""
    faulty = values.copy()
    faulty[(times >= moment(2026, 4, 5, 6)) & (times < moment(2026, 4, 5, 20))] += 30
    return faulty


def alarms(detector, times, values):
    """Times at which alarms opened."""
    results = [detector.update(row, time) for row, time in zip(values.tolist(), times.tolist(), strict=True)]
    return [
        event.start
        for result in results
        for event in result.events
        if event.kind == "anomaly" and event.state == "open"
    ]


def test_one_moment_has_the_numbers_of_many():
    times = np.random.default_rng(0).uniform(1.5e9, 2e9, 5000)
    for zone in ("", BERLIN, "Asia/Kathmandu"):
        calendar = Calendar(28, zone)
        alone = np.array([calendar.at(time) for time in times.tolist()], np.float32)

        assert np.array_equal(alone, calendar.rows(times))
        assert alone.shape == (5000, calendar.size)


def test_a_week_later_on_the_local_clock_the_numbers_are_the_same():
    local, written = Calendar(28, BERLIN), Calendar(28)
    winter, summer = moment(2026, 3, 23, 6), moment(2026, 3, 30, 6)

    assert summer - winter == WEEK - HOUR  # an hour was left out
    assert local.at(winter) == local.at(summer)
    assert written.at(winter) != written.at(summer)
    assert written.at(winter) == written.at(winter + WEEK)


def test_numbers_are_sines_and_cosines_of_the_week():
    monday = Calendar(2).at(datetime(2026, 3, 23, tzinfo=timezone.utc).timestamp())
    thursday_noon = Calendar(2).at(datetime(2026, 3, 26, 12, tzinfo=timezone.utc).timestamp())

    assert monday == (0.0, 1.0, 0.0, 1.0)
    assert thursday_noon == (0.0, -1.0, 0.0, 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_working_day_on_a_sunday_is_found_and_normal_weeks_are_not_over_the_change_to_summer_time(name):
    times, values = plant(LATER + HOUR, 14, seed=5)
    normal, faulty = (Detector.load(HERE / f"{name}.tflite") for _ in range(2))

    assert alarms(normal, times, values) == []
    found = alarms(faulty, times, with_sunday_shift(times, values))
    assert found
    assert all(moment(2026, 4, 5, 6) <= start < moment(2026, 4, 5, 20) for start in found)


def test_the_alarm_names_the_usual_value_of_the_hour():
    times, values = plant(LATER + HOUR, 14, seed=5)
    detector = Detector.load(HERE / "week.int8.tflite")
    events = []
    for row, time in zip(with_sunday_shift(times, values).tolist(), times.tolist(), strict=True):
        events += detector.update(row, time).events
    events += detector.finish()
    reading = next(event for event in events if event.kind == "anomaly" and event.state == "closed").readings[0]

    assert reading.measured > 35
    assert reading.expected < 25  # on a Sunday the plant takes 10 kW


@pytest.mark.parametrize("name", ["week.int8", "week.float32"])
def test_rows_known_beforehand_and_rows_that_come_give_the_same_bits(name):
    times, values = plant(LATER + HOUR, 14, seed=5)
    values[50] = np.nan
    times[100:] += 3 * HOUR  # bridged
    times[200:] += 40 * HOUR
    plain, ahead = (Detector.load(HERE / f"{name}.tflite") for _ in range(2))
    ahead.expect(values, times)
    pairs = list(zip(values.tolist(), times.tolist(), strict=True))

    assert [ahead.update(*pair) for pair in pairs] == [plain.update(*pair) for pair in pairs]
    assert plain.snapshot() == ahead.snapshot()


def test_the_interpreter_runs_no_window_that_is_known():
    times, values = plant(LATER + HOUR, 3, seed=5)
    detector = Detector.load(HERE / "week.int8.tflite")
    detector.expect(values, times)
    detector.engine._interpreter = None  # would fail

    assert all(
        detector.update(row, time).status in ("ok", "warmup")
        for row, time in zip(values.tolist(), times.tolist(), strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_goes_on_bit_for_bit(name):
    times, values = plant(LATER + HOUR, 14, seed=5)
    pairs = list(zip(with_sunday_shift(times, values).tolist(), times.tolist(), strict=True))
    whole, first, second = (Detector.load(HERE / f"{name}.tflite") for _ in range(3))
    for pair in pairs[:310]:
        whole.update(*pair)
        first.update(*pair)
    second.restore(json.loads(json.dumps(first.snapshot())))

    assert [second.update(*pair) for pair in pairs[310:]] == [whole.update(*pair) for pair in pairs[310:]]
    assert second.snapshot() == whole.snapshot()


def test_bridged_rows_get_the_calendar_of_the_time_that_they_stand_for():
    bundle = load_bundle(HERE / "week.float32.tflite")
    windows = []

    def predict(window):
        windows.append(window.copy())
        return np.zeros((2, 1), np.float32)

    detector = Detector(bundle.metadata, predict)
    times = MONDAY + HOUR * np.delete(np.arange(12.0), 9)  # row 9 is missing
    for time in times.tolist():
        detector.update([20.0], time)

    assert np.array_equal(windows[-1][:, 1:], Calendar.of(bundle.metadata).rows(MONDAY + HOUR * np.arange(4.0, 12)))
    assert windows[-1].shape == (8, bundle.metadata.width)


@pytest.mark.parametrize("time", [None, 17.0])
def test_a_stream_without_dates_is_refused(time):
    with pytest.raises(SeriesError, match="has a calendar, so rows need dates"):
        Detector.load(HERE / "week.int8.tflite").update([20.0], time)


def test_a_row_without_a_date_in_a_stream_with_dates_is_dropped_and_counted():
    detector = Detector.load(HERE / "week.int8.tflite")
    detector.update([20.0], MONDAY)

    assert detector.update([20.0], None).status == "time"
    assert detector.validator.counts["time"] == 1
    assert detector.update([20.0], MONDAY + HOUR).status == "warmup"


def test_run_says_in_one_line_that_a_file_without_dates_does_not_do(tmp_path):
    (tmp_path / "rows.csv").write_text("power_kw\n" + "20.5\n21\n" * 20)
    done = CliRunner().invoke(command, [str(HERE / "week.int8.tflite"), str(tmp_path / "rows.csv")])

    assert isinstance(done.exception, SeriesError)
    assert "--time-column" in str(done.exception)


def test_inputs_are_scaled_values_and_the_calendar():
    metadata = load_bundle(HERE / "week.int8.tflite").metadata
    times, values = plant(MONDAY, 2)
    rows = scaled_inputs(metadata, values, times)

    assert rows.shape == (48, metadata.width) == (48, 57)
    assert np.array_equal(rows[:, :1], metadata.scaler.transform(values))
    assert np.array_equal(rows[:, 1:], Calendar(28, BERLIN).rows(times))


@pytest.mark.parametrize("waves", [0, -1, 28.0, "many", None, 10**9])
def test_a_damaged_calendar_is_refused(waves):
    metadata = load_bundle(HERE / "week.int8.tflite").metadata
    spoilt = metadata.with_(sections={**metadata.sections, CALENDAR: {"waves": waves, "zone": ""}})

    with pytest.raises(ModelError, match="calendar"):
        from_json(to_json(spoilt))


def test_a_time_zone_that_this_machine_does_not_know_is_named():
    metadata = load_bundle(HERE / "week.int8.tflite").metadata
    spoilt = metadata.with_(sections={**metadata.sections, CALENDAR: {"waves": 28, "zone": "Europe/Atlantis"}})

    with pytest.raises(ConfigError, match="Europe/Atlantis"):
        Calendar.of(spoilt)
