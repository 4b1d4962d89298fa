"""Forecasts with each new row: what goes in, what comes out, restarts, and the event of an unreliable forecast."""

import json
import math
import re
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from command_helpers import DATA, MODELS, edgelstm, edgelstm_here, lines
from edgelstm.runtime.errors import ConfigError, ModelError, SeriesError, ShapeError
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.forecasting.live import LiveForecaster
from edgelstm.runtime.forecasting.time_grid import bridged, on_grid
from edgelstm.runtime.model_file.bundle import load_bundle
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.service.config import StreamConfig
from edgelstm.runtime.service.model_reload import ModelWatch
from edgelstm.runtime.service.overrides import at_work

AHEAD = MODELS / "ahead.int8.tflite"
NAN = math.nan
WINDOW, HORIZON, HOUR = 4, 3, 3600.0


@pytest.fixture
def live():
    return LiveForecaster(Forecaster.load(AHEAD))


def fed(model, rows):
    """Results of rows (time, level, flow)."""
    return [model.update(row[1:], float(row[0])) for row in rows]


def with_covariate():
    """A model in miniature of a load and its holidays: the last value goes on."""
    features = InputFeatures(2, 1, 1)
    metadata = Metadata(
        "forecaster", WINDOW, HORIZON, (Channel("load"), Channel("holiday")), HOUR,
        Scaler("standard", (10.0, 0.0), (2.0, 1.0)), sections={"forecast": features.record()},
    )  # fmt: skip
    return LiveForecaster(Forecaster(metadata, lambda history, context: np.zeros(HORIZON)))


def test_each_row_has_the_forecast_that_the_command_makes_of_the_same_rows(live, stream):
    results = fed(live, stream[:60])
    first, later = (Forecaster.load(AHEAD).forecast(stream[:row, 1:], stream[:row, 0]) for row in (24, 60))

    assert [result.status for result in results[:23]] == ["warmup"] * 23
    assert results[23].forecast["targets"]["level_cm"]["lower"] == np.round(first.lower[:, 0], 6).tolist()
    assert results[-1].forecast["targets"]["level_cm"]["forecast"] == np.round(later.values[:, 0], 6).tolist()
    assert results[-1].forecast["first"] == later.times[0]


def test_short_gaps_are_bridged_as_the_command_bridges_them(live, stream):
    rows = np.delete(stream[:60], [40, 41, 42], axis=0)
    rows[50, 1] = NAN  # a silent channel
    values, times = on_grid(rows[:, 1:], rows[:, 0], 1.0)
    one = Forecaster.load(AHEAD).forecast(bridged(values), times)
    results = fed(live, rows)

    assert results[-1].forecast["targets"]["level_cm"]["forecast"] == np.round(one.values[:, 0], 6).tolist()
    assert (results[50].status, results[50].forecast) == ("missing", {})
    assert live.validator.counts["bridged"] == 3


def test_after_a_long_gap_the_model_warms_up_again(live, stream):
    results = fed(live, np.delete(stream[:100], range(40, 44), axis=0))

    assert results[39].forecast
    assert [bool(result.forecast) for result in results[40:64]] == [False] * 23 + [True]


def test_late_and_doubled_rows_make_no_forecast(live, stream):
    fed(live, stream[:30])
    again, late = live.update(stream[29, 1:], stream[29, 0]), live.update(stream[20, 1:], stream[20, 0])

    assert (again.status, again.forecast, late.status, late.forecast) == ("duplicate", {}, "late", {})


def test_rows_that_make_no_forecast_for_long_are_one_event(live, stream):
    still = [(stream[40, 0], *row[1:]) for row in stream[41:141]]
    results = fed(live, [*stream[:41], *still, *stream[41:80]])
    events = [(row, event.reason, event.state) for row, result in enumerate(results) for event in result.events]

    assert events == [(104, "unscored", "open"), (141, "unscored", "closed")]


def test_a_snapshot_goes_on_without_a_difference(live, stream):
    whole = fed(LiveForecaster(Forecaster.load(AHEAD)), stream)
    fed(live, stream[:330])  # in the middle of an open event
    state = json.loads(json.dumps(live.snapshot()))
    other = LiveForecaster(Forecaster.load(AHEAD))
    other.restore(state)

    assert fed(other, stream[330:]) == whole[330:]


def test_a_damaged_snapshot_is_refused_and_leaves_a_fresh_model(live, stream):
    fed(live, stream[:50])
    state = live.snapshot()
    state["recent"]["rows"] = state["recent"]["rows"][:40]

    with pytest.raises(ModelError, match="does not fit"):
        live.restore(state)
    assert live.index == 0
    assert live.update(stream[0, 1:], stream[0, 0]).status == "warmup"


def test_one_event_says_that_forecasts_are_unreliable_and_one_that_they_are_not_any_more(live, stream):
    """The level of the tank is 30 cm higher in rows 300 to 339: no forecast from before can know."""
    events = [event for result in fed(live, stream) for event in result.events if event.kind == "forecast"]

    assert [(event.state, event.reason, event.channels) for event in events] == [
        ("open", "unreliable", ("level_cm",)),
        ("closed", "unreliable", ("level_cm",)),
    ]
    assert 3300 <= events[0].start <= 3340
    assert events[0].id == events[1].id
    assert live.reliability.reliable


def test_a_good_model_on_usual_rows_is_never_called_unreliable(live, stream):
    results = fed(live, stream[:300])

    assert not [event for result in results for event in result.events]
    quality = results[-1].forecast["quality"]
    assert quality["reliable"]
    assert quality["targets"]["level_cm"]["mae"] < 0.1 * quality["targets"]["level_cm"]["naive_mae"]


def test_errors_are_averaged_as_the_definition_says(live, stream):
    """A decaying average over the rows of the mean error of all forecasts of each, computed the slow way."""
    results = fed(live, stream[:80])
    made = {
        row: result.forecast["targets"]["level_cm"]["forecast"] for row, result in enumerate(results) if result.forecast
    }
    rate, average, weight = 1 / (7 * 6), 0.0, 0.0  # patch and horizon are 6 rows
    for row in range(80):
        missed = [abs(made[row - back][back - 1] - stream[row, 1]) for back in range(1, 7) if row - back in made]
        if missed:
            average, weight = (1 - rate) * average + rate * np.mean(missed), (1 - rate) * weight + rate

    assert live.reliability.record()["targets"]["level_cm"]["mae"] == pytest.approx(average / weight, rel=1e-4)


def test_covariates_come_beforehand_as_rows_with_empty_targets():
    model = with_covariate()
    for hour in range(4):
        result = model.update([8.0 + hour, 0.0], HOUR * hour)
    assert result.status == "covariates"
    for hour in range(4, 9):
        assert model.update([NAN, 1.0], HOUR * hour).status == "ahead"
    result = model.update([12.0, NAN], HOUR * 4)  # what was told beforehand stands in

    assert result.forecast["targets"]["load"]["forecast"] == [12.0] * HORIZON
    assert model.rows.newest.tolist() == [12.0, 1.0]


def test_covariates_of_rows_without_times_are_refused():
    known = with_covariate().forecaster
    timeless = Forecaster(known.metadata.with_(period=None), lambda history, context: np.zeros(HORIZON))

    with pytest.raises(ModelError, match="holiday must be told for moments to come"):
        LiveForecaster(timeless)


def test_rows_without_a_time_are_refused_where_the_model_has_one(live):
    with pytest.raises(SeriesError, match="no time"):
        live.update([50.0, 5.0])


def test_rows_of_another_width_are_refused(live):
    with pytest.raises(ShapeError, match="2 channels"):
        live.update([50.0], 0.0)


def test_settings_of_detectors_are_refused():
    with pytest.raises(ConfigError, match="--threshold, --cooldown: of detectors alone"):
        at_work(load_bundle(AHEAD), StreamConfig(model="ahead.tflite", threshold=2.0, cooldown=3))


def test_a_detector_has_no_interval_to_choose():
    with pytest.raises(ConfigError, match="--level"):
        at_work(load_bundle(MODELS / "auto.int8.tflite"), StreamConfig(model="auto.tflite", level=95))


def test_a_forecaster_does_not_take_over_from_a_detector(tmp_path, caplog):
    """The file is replaced by that of another job, of the same channels."""
    content = load_bundle(AHEAD)
    names = [one.name for one in load_bundle(MODELS / "auto.int8.tflite").metadata.channels]
    assert names == [one.name for one in content.metadata.channels]
    path = tmp_path / "model.tflite"
    path.write_bytes((MODELS / "auto.int8.tflite").read_bytes())
    watch = ModelWatch(path, lambda bundle: at_work(bundle, StreamConfig()), every=0.0, folder=tmp_path)
    old = at_work(load_bundle(path), StreamConfig())
    path.write_bytes(AHEAD.read_bytes())
    while "cannot be used" not in caplog.text:
        assert watch.replaced(old) is None
    watch.close()

    assert "One of the two is a detector" in caplog.text


def test_the_command_forecasts_with_each_row_and_goes_on_after_a_restart(tmp_path):
    """A file that grows between two runs: together they write what one run writes."""
    text, state = DATA.read_text().splitlines(keepends=True), tmp_path / "live.state"
    growing = tmp_path / "growing.csv"
    whole = edgelstm_here("forecast", AHEAD, DATA, "--live")
    growing.write_text("".join(text[:331]))
    first = edgelstm_here("forecast", AHEAD, growing, "--live", "--state", state)
    growing.write_text("".join(text))
    second = edgelstm_here("forecast", AHEAD, growing, "--live", "--state", state)

    assert whole.returncode == first.returncode == second.returncode == 0
    before, after = ([one for one in lines(run.stdout) if one["type"] == "forecast"] for run in (first, second))
    assert before + after == [one for one in lines(whole.stdout) if one["type"] == "forecast"]
    assert after[0]["row"] == 330
    assert "600 samples, 577 forecast from, 1 events" in whole.stderr


def test_run_takes_a_forecaster_too_and_standard_input_is_a_source():
    done = edgelstm("run", AHEAD, "-", "--level", 95, stdin=DATA.read_text()[:2000])
    told = lines(done.stdout)

    assert done.returncode == 0, done.stderr
    assert {one["type"] for one in told} == {"forecast"}
    assert {one["interval_percent"] for one in told} == {95}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "file:x"), "--to: for live forecasts"),
        (("--live", "--json"), "--plot and --json are for one forecast"),
    ],
)
def test_flags_of_the_other_use_are_refused(words, message):
    done = edgelstm_here("forecast", AHEAD, DATA, *words)

    assert done.returncode == 2
    assert message in re.sub(r"\s+", " ", done.stderr)


def test_an_interval_that_the_model_does_not_carry_is_one_line():
    done = edgelstm_here("forecast", AHEAD, DATA, "--live", "--level", 50)

    assert done.returncode == 1
    assert "80, 95 percent; received 50" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_database_gets_each_forecast_and_the_events(tmp_path):
    base = tmp_path / "load.db"
    done = edgelstm_here("forecast", AHEAD, DATA, "--live", "--to", f"sqlite:{base}", "--state-dir", tmp_path)
    with sqlite3.connect(base) as database:
        forecasts = database.execute(
            "SELECT target, first, forecast, upper, reliable FROM forecast ORDER BY seq"
        ).fetchall()
        events = database.execute("SELECT kind, state FROM event").fetchall()
    database.close()

    assert done.returncode == 0, done.stderr
    assert len(forecasts) == 577
    assert forecasts[0][:2] == ("level_cm", 3024.0)
    assert len(json.loads(forecasts[0][2])) == len(json.loads(forecasts[0][3])) == 6
    assert {row[4] for row in forecasts} == {0, 1}
    assert events == [("forecast", "closed")]


def test_a_model_without_intervals_is_watched_by_its_error_alone(stream):
    bundle = load_bundle(AHEAD)
    section = {**bundle.metadata.sections["forecast"], "intervals": None}
    metadata = bundle.metadata.with_(sections={**bundle.metadata.sections, "forecast": section})
    model = LiveForecaster(Forecaster.from_bundle(replace(bundle, metadata=metadata)))
    results = fed(model, stream)

    assert "lower" not in results[-1].forecast["targets"]["level_cm"]
    assert [event.state for result in results for event in result.events] == ["open", "closed"]
