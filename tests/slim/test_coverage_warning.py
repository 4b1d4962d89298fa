"""Every command warns of rows without a score where they are most, with the likely reason; never exit code 0 in silence."""

import json

import pytest
from command_helpers import edgelstm, edgelstm_here
from edgelstm.runtime import Detector
from edgelstm.runtime.input.sampling_rate import LEAST_ROWS
from edgelstm.runtime.input.unscored_rows import WINDOWS
from edgelstm.runtime.input.unscored_warning import REASONS, coverage_warning
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.service.runner import Runner
from edgelstm.runtime.sources import IterableSource

METADATA = Metadata("forecaster", window=24, period=1.0)


@pytest.mark.parametrize("status", ["missing", "duplicate", "late", "early", "time", "warmup"])
def test_the_reason_is_the_commonest_status_of_rows_without_a_score(status):
    counts = {"ok": 90, "late": 20, "early": 20, status: 100}

    assert f"90 of {sum(counts.values())} rows were scored: 100 {REASONS[status][:12]}" in coverage_warning(
        METADATA, 90, counts
    )


def test_unreadable_lines_count_as_rows():
    assert coverage_warning(METADATA, 40, {"ok": 40}, unreadable=60).startswith(
        "40 of 100 rows were scored: 60 could not"
    )


def test_rows_that_were_held_without_a_score_are_told():
    assert "90 lack too many readings" in coverage_warning(METADATA, 0, {"held": 90, "warmup": 24})


def test_nothing_is_said_where_half_of_the_rows_are_scored_or_none_came():
    assert coverage_warning(METADATA, 50, {"ok": 40, "held": 10, "late": 50}) == ""
    assert coverage_warning(METADATA, 0, {}) == ""


@pytest.fixture
def doubled(stream, tmp_path):
    """A file whose time column lost its seconds: ten rows have the same time."""
    path = tmp_path / "doubled.csv"
    rows = "".join(f"{row[0] // 10:g},{row[1]},{row[2]}\n" for row in stream)
    path.write_text("time,level_cm,flow_lpm\n" + rows)
    return path


def test_run_and_score_warn_of_lost_rows_with_the_reason(models, doubled, tmp_path):
    model = models / "cast.int8.tflite"
    watched, scored = (
        edgelstm_here("run", model, doubled),
        edgelstm_here("score", model, doubled, "-o", tmp_path / "scores.csv"),
    )

    for done in (watched, scored):
        assert done.returncode == 0
        assert "Warning: 36 of 600 rows were scored: 540 have the time of the row before" in done.stderr
        assert "--time-column" in done.stderr


@pytest.fixture
def serial_dates(stream, tmp_path):
    """A file whose times are a spreadsheet's days: each row follows within a 86,400th of the period."""
    path = tmp_path / "serial.csv"
    rows = "".join(f"{45956 + at / 86400:.9f},{row[1]},{row[2]}\n" for at, row in enumerate(stream))
    path.write_text("time,level_cm,flow_lpm\n" + rows)
    return path


@pytest.mark.parametrize("command", ["run", "score"])
def test_a_file_of_which_no_row_is_scored_is_an_error(models, serial_dates, command):
    done = edgelstm_here(command, models / "cast.int8.tflite", serial_dates)

    assert done.returncode == 1
    assert "Error: 0 of 600 rows were scored: 599 follow the row before in less than half" in done.stderr


def test_the_last_rows_of_a_file_with_a_state_may_be_too_few_for_a_score(models, stream, tmp_path):
    path = tmp_path / "grows.csv"
    path.write_text("time,level_cm,flow_lpm\n" + "".join(f"{t},{a},{b}\n" for t, a, b in stream[:5]))
    done = edgelstm_here("run", models / "cast.int8.tflite", path, "--state", tmp_path / "state.json")

    assert done.returncode == 0
    assert "Warning: 0 of 5 rows were scored" in done.stderr


def test_a_stream_whose_clock_stands_still_is_an_open_event_and_one_warning_until_a_score(bundle, stream, caplog):
    values = stream[:, 1:].tolist()
    detector = Detector.from_bundle(bundle)
    start = detector.metadata.window + 100
    limit = WINDOWS * max(LEAST_ROWS, detector.metadata.window)
    times = [float(min(at, start) if at < start + 150 else at) for at in range(len(values))]
    told = Told()
    runner = Runner(detector, IterableSource(zip(times, values, strict=True)), [told], "pump")
    runner.run()
    opened, closed = (next(event for event in told.events if event.state == state) for state in ("open", "closed"))

    assert [(event.kind, event.reason) for event in (opened, closed)] == [("sensor_fault", "unscored")] * 2
    assert (opened.id, opened.start) == (closed.id, float(start))
    assert told.rows[told.events.index(opened)] == start + limit
    assert told.statuses[told.rows[told.events.index(closed)]] == "ok"
    assert [
        f"0 of {limit} rows were scored: {limit} have the time of the row before" in m for m in caplog.messages
    ] == [True]


def test_a_blind_stream_goes_on_from_a_snapshot_with_the_same_events(bundle, stream):
    whole, first, second = (Detector.from_bundle(bundle) for _ in range(3))
    values = stream[:, 1:].tolist()
    times = [float(min(at, 60) if at < 200 else at) for at in range(len(values))]
    rows = list(zip(values, times, strict=True))
    expected = [event for sample, time in rows for event in whole.update(sample, time).events]
    events = [event for sample, time in rows[:150] for event in first.update(sample, time).events]
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert second.faults.unscored.open
    events += [event for sample, time in rows[150:] for event in second.update(sample, time).events]

    assert events == expected
    assert [event.state for event in events if event.reason == "unscored"] == ["open", "closed"]


def test_rows_that_lose_their_time_are_told_by_the_time_of_the_last_one_that_had_it(bundle, stream):
    detector = Detector.from_bundle(bundle)
    rows = [(row.tolist(), 1.7e9 + at if at <= 100 else None) for at, row in enumerate(stream[:200, 1:])]
    (opened,) = [event for values, time in rows for event in detector.update(values, time).events]
    (closed,) = detector.finish()

    assert (opened.reason, opened.start, closed.end) == ("unscored", 1.7e9 + 100, 1.7e9 + 100)


class Told:
    """A sink that keeps events with the number of the row at which they came."""

    def __init__(self):
        self.statuses, self.events, self.rows = [], [], []

    def result(self, sample, result):
        self.statuses.append(result.status)

    def event(self, event):
        self.events.append(event)
        self.rows.append(len(self.statuses) - 1)

    def close(self):
        """Nothing is held."""


def test_score_is_an_error_when_no_row_is_scored_and_leaves_no_file(models, doubled, tmp_path):
    short = tmp_path / "short.csv"
    short.write_text("".join(doubled.read_text().splitlines(keepends=True)[:101]))
    done = edgelstm_here("score", models / "cast.int8.tflite", short, "-o", tmp_path / "scores.csv")

    assert done.returncode == 1
    assert "0 of 100 rows were scored: 90 have the time of the row before" in done.stderr
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize("command", ["run", "score"])
def test_an_empty_file_is_an_error_for_both_commands(models, tmp_path, command):
    (tmp_path / "empty.csv").write_text("time,level_cm,flow_lpm\n")
    done = edgelstm_here(command, models / "cast.int8.tflite", tmp_path / "empty.csv")

    assert done.returncode == 1
    assert "holds no rows" in done.stderr


def test_nothing_is_warned_of_on_a_good_file(models):
    assert "Warning" not in edgelstm_here("run", models / "cast.int8.tflite", models / "stream.csv").stderr


def json_lines(stream, pieces):
    """Rows as JSON lines: each lacks one channel in turn, or comes as one message a channel, 40 ms apart."""
    for number, (time, level, flow) in enumerate(stream.tolist()):
        halves = {"time": time, "level_cm": level, "flow_lpm": None}, {"time": time, "level_cm": None, "flow_lpm": flow}
        if pieces:
            yield json.dumps(halves[0]) + "\n" + json.dumps(halves[1] | {"time": time + 0.04})
        else:
            yield json.dumps(halves[number % 2])


@pytest.mark.parametrize(("pieces", "rows", "scored"), [(False, 600, 576), (True, 1200, 1152)])
def test_json_rows_that_lack_channels_are_scored_and_a_fault_is_found(models, stream, pieces, rows, scored):
    done = edgelstm("run", models / "cast.int8.tflite", "-", stdin="\n".join(json_lines(stream, pieces)) + "\n")
    opened = [event for event in map(json.loads, done.stdout.splitlines()) if event["state"] == "open"]

    assert f"{rows} samples, {scored} scored" in done.stderr
    assert "Warning" not in done.stderr
    assert [event for event in opened if 300 <= event["start"] - stream[0, 0] < 310 and event["kind"] == "anomaly"]
