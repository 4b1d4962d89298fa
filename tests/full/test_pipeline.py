"""From a CSV to alarms through the command line, on a small model."""

import json
import platform
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from commands import edgelstm, here

from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402


def test_the_int8_file_is_smaller_and_carries_everything(way):
    said = json.loads(edgelstm("inspect", way / "pump.int8.tflite", "--json").stdout)

    assert (way / "pump.int8.tflite").stat().st_size < (way / "pump.float32.tflite").stat().st_size
    assert said["metadata"]["scheme"] == "int8"
    assert said["metadata"]["window"] == 12


def test_both_files_stay_loadable_by_stock_tools(way):
    code = (
        f"import keras, ai_edge_litert.interpreter as i; keras.models.load_model({str(way / 'pump.keras')!r});"
        f"i.Interpreter(model_path={str(way / 'pump.int8.tflite')!r}).allocate_tensors(); print('both')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout.strip() == "both", done.stderr


def test_converting_twice_gives_the_same_bytes(way, tmp_path):
    here("convert", way / "pump.keras", "--int8", "-o", tmp_path / "again.tflite")

    assert (tmp_path / "again.tflite").read_bytes() == (way / "pump.int8.tflite").read_bytes()


def test_score_and_run_agree_row_by_row(way, tmp_path):
    edgelstm("score", way / "pump.int8.tflite", way / "faults.csv", "-o", tmp_path / "scores.csv")
    lines = edgelstm("run", way / "pump.int8.tflite", way / "faults.csv", "--scores").stdout.splitlines()
    table = [line.split(",") for line in (tmp_path / "scores.csv").read_text().splitlines()[1:]]
    streamed = [json.loads(line) for line in lines]
    streamed = [record for record in streamed if "score" in record]

    assert len(table) == len(streamed) == 4800
    for row, record in zip(table, streamed, strict=True):
        assert (row[1] == "") == (record["score"] is None)
        assert not row[1] or float(row[1]) == record["score"]


def test_keras_float_and_int8_are_measured_alike(way):
    results = [
        json.loads(here("evaluate", way / name, way / "faults.csv", "--json").stdout)
        for name in ("pump.keras", "pump.float32.tflite", "pump.int8.tflite")
    ]

    assert results[0]["vus_pr"] == pytest.approx(results[1]["vus_pr"], abs=0.01)
    assert results[2]["vus_pr"] > 0.3
    assert all(entry["event_recall"] is not None for entry in results)


def test_evaluate_prints_and_stores_every_metric_with_its_meaning(way, tmp_path):
    said = edgelstm("evaluate", way / "pump.int8.tflite", way / "faults.csv", "-o", tmp_path / "e.json").stdout
    stored = json.loads((tmp_path / "e.json").read_text())

    names = ("vus_pr", "roc_auc", "pr_auc", "f1", "far", "mar", "event_recall", "event_precision", "delay",
             "delay_seconds", "false_alarms_per_day", "false_alarms_per_1000_rows")  # fmt: skip
    for name in names:
        line = next(line for line in said.splitlines() if line.split()[0] == name)
        assert stored["meaning"][name] in line
        assert f"{stored[name]:.3f}" in line


def test_an_evaluation_is_stored_beside_the_model_unless_told_otherwise(way):
    here("evaluate", way / "pump.float32.tflite", way / "faults.csv")

    assert json.loads((way / "pump.float32.evaluation.json").read_text())["scheme"] == "float32"


def test_rows_out_of_order_are_judged_by_their_own_rows():
    """The first row arrives last: the detector drops it as late, and every alarm keeps its own rows."""
    from edgelstm.runtime.detector import Detector
    from edgelstm.runtime.model_file.metadata import Channel, Metadata
    from edgelstm.runtime.model_file.scaler import Scaler
    from edgelstm.runtime.scoring.scorer import Scoring
    from edgelstm.runtime.scoring.threshold import Threshold

    from edgelstm.evaluation.replaying import replay

    metadata = Metadata(
        "autoencoder", 2, channels=(Channel("a"),), period=1.0, scaler=Scaler("none", (0.0,), (1.0,)),
        scoring=Scoring("mean", 1, (0.0,), (1.0,)), threshold=Threshold(5.0),
        sections={"decision": {"minimum": 1, "cooldown": 1}},
    )  # fmt: skip
    values = np.asarray([[0.0]] * 4 + [[9.0]] * 3 + [[0.0]] * 4)
    time = np.asarray([1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])

    results = replay(Detector(metadata, lambda window: 0 * window), values, time)

    assert results.alarms == ((4, 6),)


def test_a_spike_far_outside_the_range_does_not_vanish_in_int8(way, tmp_path):
    rows = (way / "normal.csv").read_text().splitlines()
    cells = rows[600].split(",")
    cells[5] = "900.0"
    (tmp_path / "spike.csv").write_text("\n".join([*rows[:600], ",".join(cells), *rows[601:700]]) + "\n")

    here("score", way / "pump.int8.tflite", tmp_path / "spike.csv", "-o", tmp_path / "s.csv")
    table = [line.split(",") for line in (tmp_path / "s.csv").read_text().splitlines()[1:]]

    assert table[599][2] == "1" or table[599][1] == ""
    assert max(float(row[1]) for row in table if row[1]) > 20 or table[599][1] == ""


def test_rows_can_be_kept_out_of_the_model_file(way, tmp_path):
    here("train", way / "normal.csv", "-o", tmp_path / "m.keras", "--no-embed", "--epochs", "1", "--lookback", "8")
    result = here("convert", tmp_path / "m.keras", "--int8", code=1)

    assert "edgelstm.npz" not in zipfile.ZipFile(tmp_path / "m.keras").namelist()
    assert "--calibration" in result.stderr


def test_a_foreign_model_converts_with_a_calibration_file(way, tmp_path):
    layers = [keras.Input((10, 5)), keras.layers.LSTM(6, return_sequences=True), keras.layers.Dense(5)]
    keras.Sequential(layers).save(tmp_path / "theirs.keras")

    here("convert", tmp_path / "theirs.keras", "--int8", "--calibration", way / "normal.csv", "--allow-drop")
    said = json.loads(here("inspect", tmp_path / "theirs.int8.tflite", "--json").stdout)

    assert said["metadata"]["kind"] == "autoencoder"


def test_scores_are_finite(way, tmp_path):
    here("score", way / "pump.int8.tflite", way / "faults.csv", "-o", tmp_path / "s.csv")
    cells = [line.split(",")[1] for line in (tmp_path / "s.csv").read_text().splitlines()[1:]]

    assert np.isfinite([float(cell) for cell in cells if cell]).all()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="--target x86 is proven on x86-64")
def test_target_x86_gives_8_bit_weights_unrolled_on_loading(way, tmp_path):
    target = tmp_path / "gateway.tflite"

    said = json.loads(here("convert", way / "pump.keras", "--target", "x86", "-o", target, "--json").stdout)
    scored = here("score", target, way / "faults.csv")

    assert (said["scheme"], said["target"]) == ("dynamic", "x86")
    assert 0 < said["latency_us"] < 1e6
    assert said["float_bytes"] > said["size"]
    assert scored.stderr == ""


def test_target_x86_and_int8_exclude_each_other(way):
    done = here("convert", way / "pump.keras", "--target", "x86", "--int8", code=2)

    assert "leave int8 out" in done.stderr
