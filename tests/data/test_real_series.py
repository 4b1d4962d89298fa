"""Real public series through all commands, as a user types them. Needs EDGELSTM_DATA."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = os.environ.get("EDGELSTM_DATA")
pytestmark = [
    # the subject is the accuracy of trainings with all defaults on whole series: they take as long as a user's, also above 20 s
    pytest.mark.slow(reason="whole trainings on public series"),
    pytest.mark.data,
    pytest.mark.skipif(not FOLDER, reason="EDGELSTM_DATA names no folder with the public series"),
]


WEEK = 7 * 86_400


def edgelstm(*arguments):
    """Run a command; its standard output."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("edgelstm")), *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def events(model, data):
    """Closed anomaly events of a run."""
    lines = map(json.loads, edgelstm("run", model, data).splitlines())
    return [event for event in lines if event["state"] == "closed" and event["kind"] == "anomaly"]


def build(folder, train, *options):
    """Train and convert; the folder then holds float32 and int8 bundles."""
    edgelstm("train", train, "-o", folder / "m.keras", *options)
    edgelstm("convert", folder / "m.keras", "--int8", "--scheme", "float32")
    return folder / "m.float32.tflite", folder / "m.int8.tflite"


def decisions(model, data, out):
    """Anomaly column of `edgelstm score`, NaN where a row was not scored."""
    edgelstm("score", model, data, "-o", out)
    return pd.read_csv(out)["anomaly"].to_numpy(float)


def agree(float_model, int8_model, data, folder):
    """Float and int8 decide alike in 99 % of rows."""
    first, second = (decisions(model, data, folder / "s.csv") for model in (float_model, int8_model))
    scored = np.isfinite(first) & np.isfinite(second)
    assert np.mean(first[scored] == second[scored]) >= 0.99


def event_spans(model, data):
    """Start and end of each anomaly event, and the model's window in seconds."""
    metadata = json.loads(edgelstm("inspect", model, "--json"))["metadata"]
    return [(event["start"], event["end"]) for event in events(model, data)], metadata["window"] * metadata["period"]


def events_agree(float_model, int8_model, data, short=0):
    """Each event of one model meets one of the other, widened by one window, but for so many that are no longer than a window."""
    (first, window), (second, _) = (event_spans(model, data) for model in (float_model, int8_model))
    assert first
    for these, those in ((first, second), (second, first)):
        alone = [one for one in these if not any(s - window <= one[1] and e + window >= one[0] for s, e in those)]
        assert len(alone) <= short
        assert all(end - start <= window for start, end in alone)


@pytest.fixture(scope="module")
def skab(tmp_path_factory):
    """SKAB valve1/0: the first 400 rows train, as SKAB's own protocol has it."""
    folder, data = tmp_path_factory.mktemp("skab"), Path(FOLDER) / "skab/valve1/0.csv"
    train = folder / "train.csv"
    train.write_text("".join(data.read_text().splitlines(keepends=True)[:401]))
    return folder, data, *build(folder, train)


def test_skab_valve_1_float_and_int8_agree(skab):
    folder, data, float_model, int8_model = skab

    agree(float_model, int8_model, data, folder)


def test_skab_valve_1_float_and_int8_raise_the_same_events(skab):
    _, data, float_model, int8_model = skab

    events_agree(float_model, int8_model, data)


def test_skab_valve_1_is_found(skab):
    _, data, _, int8_model = skab

    found = json.loads(edgelstm("evaluate", int8_model, data, "--label-column", "anomaly", "--json"))

    assert found["event_recall"] == 1.0
    assert found["vus_pr"] > 0.5


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """NAB machine temperature: the rows before the first labelled window train."""
    folder = tmp_path_factory.mktemp("machine")
    data = Path(FOLDER) / "nab/realKnownCause/machine_temperature_system_failure.csv"
    windows = json.loads((Path(FOLDER) / "nab/labels/combined_windows.json").read_text())
    spans = [
        [pd.Timestamp(moment, tz="UTC").timestamp() for moment in span]
        for span in windows["realKnownCause/machine_temperature_system_failure.csv"]
    ]
    frame = pd.read_csv(data)
    seconds = pd.to_datetime(frame["timestamp"], utc=True).map(pd.Timestamp.timestamp)
    train = folder / "train.csv"
    frame[seconds < spans[0][0]].to_csv(train, index=False)
    # one smooth channel: what a window looks like says more than the next row
    return folder, data, spans, seconds, *build(folder, train, "--kind", "autoencoder")


def test_machine_temperature_float_and_int8_agree_in_rows_and_events(machine):
    folder, data, _, _, float_model, int8_model = machine

    agree(float_model, int8_model, data, folder)
    # an alarm takes a quarter of a window above the threshold: what lasts just as long may miss it by a row
    events_agree(float_model, int8_model, data, short=1)


def test_machine_temperature_catches_all_but_one_with_at_most_one_false_event_a_week(machine):
    _, data, spans, seconds, _, int8_model = machine

    found = events(int8_model, data)
    caught = [any(event["start"] <= end and event["end"] >= start for event in found) for start, end in spans]
    false = [event for event in found if not any(event["start"] <= e and event["end"] >= s for s, e in spans)]
    weeks = (seconds.max() - spans[0][0]) / WEEK

    assert sum(caught) >= len(spans) - 1
    assert len(false) / weeks <= 1.0
