"""A streaming forecaster through the command line: trained, converted, at work."""

import json

import numpy as np
import pytest
from commands import PUMP, edgelstm, here, refused_here


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """A folder with a quickly trained streaming forecaster and its int8 form."""
    folder = tmp_path_factory.mktemp("stream")
    rows = PUMP.joinpath("pump_normal.csv").read_text().splitlines(keepends=True)
    (folder / "normal.csv").write_text("".join(rows[:1801]))
    (folder / "faults.csv").write_text(PUMP.joinpath("pump_faults.csv").read_text())
    options = ("--kind", "forecaster", "--streaming", "--lookback", "16", "--units", "8", "--epochs", "2")
    here("train", folder / "normal.csv", "-o", folder / "pump.keras", *options)
    here("convert", folder / "pump.keras", "--int8", "--streaming")
    return folder


def test_the_file_says_that_it_streams(stream):
    said = json.loads(here("inspect", stream / "pump.stream.int8.tflite", "--json").stdout)

    assert (said["metadata"]["stateful"], said["metadata"]["window"], said["metadata"]["horizon"]) == (True, 1, 1)
    assert said["metadata"]["streaming"]["window"] == 16
    assert 1 <= said["metadata"]["streaming"]["warmup"] <= 16
    assert said["metadata"]["accuracy"]["steps"] == 10_000
    assert said["metadata"]["accuracy"]["error"] <= 0.05
    assert said["metadata"]["threshold"]["samples"] > 1000


def test_score_and_run_agree_and_every_row_after_the_warmup_has_a_score(stream, tmp_path):
    edgelstm("score", stream / "pump.stream.int8.tflite", stream / "faults.csv", "-o", tmp_path / "scores.csv")
    said = edgelstm("run", stream / "pump.stream.int8.tflite", stream / "faults.csv", "--scores").stdout
    table = [line.split(",")[1] for line in (tmp_path / "scores.csv").read_text().splitlines()[1:]]
    records = [json.loads(line) for line in said.splitlines()]
    scores = ["" if record["score"] is None else str(record["score"]) for record in records if "score" in record]
    warmup = next(row for row, cell in enumerate(table) if cell)

    assert [float(cell) for cell in table if cell] == [float(cell) for cell in scores if cell]
    assert 1 <= warmup <= 16
    assert all(table[warmup:])


def test_after_a_gap_the_model_warms_up_again(stream):
    from edgelstm.runtime import Detector

    detector, fresh = (Detector.load(stream / "pump.stream.int8.tflite") for _ in range(2))
    rows = np.loadtxt(stream / "normal.csv", delimiter=",", skiprows=1, usecols=range(1, 6))
    warmup = detector.metadata.sections["streaming"]["warmup"]
    for time, row in enumerate(rows[:100]):
        detector.update(row, float(time))
    # the network starts afresh; what the score has learnt of usual errors is kept
    fresh.scorer.restore(detector.scorer.to_state())
    fresh.scorer.reset()
    after, expected = (
        [one.update(row, 5000.0 + time) for time, row in enumerate(rows[:100])] for one in (detector, fresh)
    )

    assert [result.score for result in after] == [result.score for result in expected]
    assert [result.score is None for result in after[: warmup + 1]] == [True] * warmup + [False]


def test_bench_evaluate_and_calibrate_take_it(stream, tmp_path):
    model = stream / "pump.stream.int8.tflite"
    measured = json.loads(here("bench", model, "--json").stdout)
    found = json.loads(here("evaluate", model, stream / "faults.csv", "--json").stdout)
    (tmp_path / "m.tflite").write_bytes(model.read_bytes())
    done = json.loads(here("calibrate", tmp_path / "m.tflite", stream / "normal.csv", "--json").stdout)

    assert (measured[0] if isinstance(measured, list) else measured)["latency"]["p50"] > 0
    assert found["vus_pr"] > 0.3
    assert done["after"] == pytest.approx(done["before"], rel=0.5)


def test_the_same_file_converts_windowed_too(stream):
    here("convert", stream / "pump.keras", "--scheme", "float32")
    said = json.loads(here("inspect", stream / "pump.float32.tflite", "--json").stdout)

    assert (said["metadata"]["stateful"], said["metadata"]["window"]) == (False, 16)


def test_a_window_model_is_refused_by_its_layer(stream, tmp_path):
    options = ("--lookback", "8", "--epochs", "1", "--units", "4")
    here("train", stream / "normal.csv", "-o", tmp_path / "w.keras", "--kind", "forecaster", *options)
    here("train", stream / "normal.csv", "-o", tmp_path / "a.keras", "--kind", "autoencoder", *options)

    assert "'patches' (Reshape)" in refused_here("convert", tmp_path / "w.keras", "--int8", "--streaming")
    assert "stays windowed" in refused_here("convert", tmp_path / "a.keras", "--int8", "--streaming")
    assert "without attention" in refused_here(
        "train", stream / "normal.csv", "-o", tmp_path / "x.keras", "--streaming", "--kind", "forecaster", "--attention"
    )
