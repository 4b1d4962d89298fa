"""Alarms in plain words."""

import dataclasses
import json
import sqlite3
from contextlib import closing
from datetime import datetime, timezone

import pytest
from command_helpers import edgelstm_here
from edgelstm.runtime import Detector
from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.alarms.local_time import Clock, find_zone
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.alarms.readings import Reading
from edgelstm.runtime.alarms.sentences import sentence
from edgelstm.runtime.languages.catalogue import ENGLISH, find_catalogue, languages

START = datetime(2026, 3, 18, 10, 0, tzinfo=timezone.utc).timestamp()
OIL = Reading("oil temperature", "°C", 71.0, 58.0, 3.0, 8.7)
PRESSURE = Reading("pressure [bar]", "bar", 2.1, 2.5, 0.2, -4.0)
ALARM = Event("1", "anomaly", "closed", START, START + 840, 3.0, ("oil temperature", "pressure [bar]"), readings=(OIL, PRESSURE))  # fmt: skip
UTC = Clock(timezone.utc, seconds=False)


def test_an_alarm_names_time_sensor_value_expectation_and_direction():
    assert sentence(ALARM, ENGLISH, UTC) == (
        "18 Mar, 10:00–10:14: oil temperature 71 °C, expected 58 ± 3; pressure too low by 0.4 bar"
    )


def test_german_has_a_decimal_comma_and_its_own_dates():
    assert sentence(ALARM, find_catalogue("de"), UTC) == (
        "18.03., 10:00–10:14: oil temperature 71 °C, erwartet 58 ± 3; pressure um 0,4 bar zu niedrig"
    )


def test_an_open_alarm_says_since_when():
    assert sentence(dataclasses.replace(ALARM, state="open", end=None), ENGLISH, UTC).startswith(
        "since 18 Mar, 10:00: "
    )


def test_a_value_that_training_never_had_is_said_so():
    reading = dataclasses.replace(OIL, beyond="above")

    assert "(above all values of training)" in sentence(dataclasses.replace(ALARM, readings=(reading,)), ENGLISH, UTC)


def test_a_silent_channel_has_no_value():
    reading = dataclasses.replace(OIL, measured=None, deviations=None)

    assert sentence(dataclasses.replace(ALARM, readings=(reading,)), ENGLISH, UTC).endswith(
        "oil temperature silent, expected 58 ± 3"
    )


def test_times_are_those_of_the_zone_in_summer_and_in_winter():
    berlin = Clock(find_zone("Europe/Berlin"), seconds=False)
    summer = datetime(2026, 7, 1, 10, 0, tzinfo=timezone.utc).timestamp()

    assert berlin.span(START, None, "%-d %b") == "18 Mar, 11:00"
    assert berlin.span(summer, None, "%-d %b") == "1 Jul, 12:00"


def test_a_clock_on_the_wall_is_shown_as_it_came():
    narrator = Narrator(ENGLISH, find_zone("Asia/Tokyo"))

    assert narrator.tell(ALARM, "2026-03-18 10:00", 60).text.startswith("18 Mar, 10:00–10:14")
    assert narrator.tell(ALARM, "2026-03-18T10:00:00Z", 60).text.startswith("18 Mar, 19:00–19:14")


def test_over_midnight_both_days_are_named():
    assert UTC.span(START, START + 86_400, "%d.%m.") == "18.03., 10:00 – 19.03., 10:00"


@pytest.mark.parametrize("words", [find_catalogue(one) for one in languages()], ids=languages())
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("sensor_fault", "missing"), ("sensor_fault", "stuck"), ("sensor_fault", "rate"), ("sensor_fault", "unscored"),
        ("drift", "inputs"), ("drift", "scores"), ("overflow", "mqtt: 7 records dropped"), ("model", "last_good"), ("model", "too slow"),
    ],
)  # fmt: skip
def test_every_kind_of_event_has_words_in_every_language(words, kind, reason):
    text = sentence(Event("1", kind, "open", START, None, None, ("flow",), reason), words, UTC)

    assert f"{kind} {reason}" not in text
    assert "{" not in text
    assert len(text) > len("since 18 Mar, 10:00: ") + 10


def test_a_detector_reports_the_furthest_value_and_what_it_expected(models, stream):
    detector = Detector.load(models / "auto.int8.tflite")
    events = []
    for row, values in enumerate(stream[:, 1:]):
        values = values.copy()
        if 100 <= row < 130:
            values[1] += 40.0
        events += detector.update(values.tolist(), float(row)).events
    opened = next(event for event in events if event.kind == "anomaly" and event.start >= 90)
    reading = opened.readings[0]

    assert reading.channel == opened.channels[0] == detector.metadata.names[1]
    assert reading.measured == pytest.approx(max(stream[:, 2][90:130]) + 40.0, abs=40.0)
    assert reading.measured > reading.expected + reading.within
    assert reading.deviations > 2
    assert reading.beyond == "above"


def test_readings_survive_a_snapshot_in_the_middle_of_an_alarm(models, stream):
    rows = stream[:, 1:].copy()
    rows[100:130, 1] += 40.0

    def watch(stops: set[int]) -> list[dict]:
        detector, events = Detector.load(models / "auto.int8.tflite"), []
        for row, values in enumerate(rows):
            if row in stops:
                state = json.loads(json.dumps(detector.snapshot()))
                detector = Detector.load(models / "auto.int8.tflite")
                detector.restore(state)
            events += detector.update(values.tolist(), float(row)).events
        return [event.record() for event in events]

    assert watch({99, 101, 104, 120}) == watch(set())
    assert any(event["readings"] for event in watch(set()))


def test_run_prints_the_sentence_in_the_language_of_the_device(models, stream, tmp_path):
    data = tmp_path / "rows.csv"
    detector = Detector.load(models / "auto.int8.tflite")
    lines = [",".join(["time", *detector.metadata.names])]
    for row, values in enumerate(stream[:, 1:]):
        cells = [f"{value + (40.0 if at == 1 and 100 <= row < 130 else 0):.4f}" for at, value in enumerate(values)]
        lines.append(",".join([f"2026-03-18T10:{row // 60:02}:{row % 60:02}Z", *cells]))
    data.write_text("\n".join(lines) + "\n")
    done = edgelstm_here(
        "run", models / "auto.int8.tflite", data, "--language", "de", "--timezone", "Europe/Berlin",
        "--to", f"sqlite:{tmp_path}/events.db", "--state", tmp_path / "state",
    )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    text = next(event["text"] for event in events if event["kind"] == "anomaly" and event["state"] == "closed")

    assert text.startswith("18.03., 11:01:")
    assert "erwartet" in text
    with closing(sqlite3.connect(tmp_path / "events.db")) as base:
        assert (text,) in base.execute("SELECT text FROM event").fetchall()


def test_a_database_of_an_earlier_version_gets_the_new_columns(models, stream, tmp_path):
    from edgelstm.runtime.io.addresses import parse_address
    from edgelstm.runtime.sinks.delivery import Stream
    from edgelstm.runtime.sinks.sqlite import SqliteDelivery, SqliteOptions

    path = tmp_path / "events.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(
            'CREATE TABLE event (model TEXT NOT NULL, id TEXT NOT NULL, kind TEXT, state TEXT, start REAL, "end" REAL, '
            "peak REAL, channels TEXT, reason TEXT, PRIMARY KEY (model, id))"
        )
    delivery = SqliteDelivery(parse_address(f"sqlite:{path}"), SqliteOptions(), Stream("pump", False))
    told = Narrator(ENGLISH, timezone.utc).tell(ALARM, "", 60)

    assert delivery.deliver([{"type": "event", "model": "pump", "seq": 1, **told.record()}]) == 1
    delivery.close()
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("SELECT text FROM event").fetchall() == [(told.text,)]


@pytest.mark.parametrize(("flag", "word"), [("--language", "klingon"), ("--timezone", "Europe/Atlantis")])
def test_an_unknown_language_or_zone_is_refused_before_the_start(models, tmp_path, flag, word):
    done = edgelstm_here("run", models / "auto.int8.tflite", tmp_path / "none.csv", flag, word)

    assert done.returncode == 1
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1
