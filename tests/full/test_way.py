"""From a CSV to alarms through the command line, on a small model."""

import json
import os
import platform
import resource
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import edgelstm, here

from edgelstm.deployment.scheme_search import Found, Tried, reason
from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402

PUMP = Path(__file__).parents[2] / "calibration_data"


@pytest.fixture(scope="session")
def way(tmp_path_factory):
    """A folder with data, a quickly trained model, and its conversions."""
    folder = tmp_path_factory.mktemp("way")
    rows = PUMP.joinpath("pump_normal.csv").read_text().splitlines(keepends=True)
    (folder / "normal.csv").write_text("".join(rows[:1801]))
    (folder / "faults.csv").write_text(PUMP.joinpath("pump_faults.csv").read_text())
    options = ("--lookback", "12", "--units", "16", "--epochs", "4")
    edgelstm("train", folder / "normal.csv", "-o", folder / "pump.keras", *options)
    edgelstm("convert", folder / "pump.keras", "--int8", "--scheme", "float32")
    return folder


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
    edgelstm("convert", way / "pump.keras", "--int8", "-o", tmp_path / "again.tflite")

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
    found = [
        json.loads(here("evaluate", way / name, way / "faults.csv", "--json").stdout)
        for name in ("pump.keras", "pump.float32.tflite", "pump.int8.tflite")
    ]

    assert found[0]["vus_pr"] == pytest.approx(found[1]["vus_pr"], abs=0.01)
    assert found[2]["vus_pr"] > 0.3
    assert all(entry["event_recall"] is not None for entry in found)


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
    edgelstm("evaluate", way / "pump.float32.tflite", way / "faults.csv")

    assert json.loads((way / "pump.float32.evaluation.json").read_text())["scheme"] == "float32"


def test_rows_out_of_order_are_judged_by_their_own_rows():
    """The first row arrives last: the detector drops it as late, and every alarm keeps its own rows."""
    from edgelstm.runtime.detector import Detector
    from edgelstm.runtime.model_file.metadata import Channel, Metadata
    from edgelstm.runtime.model_file.scaler import Scaler
    from edgelstm.runtime.scoring.scorers import Scoring
    from edgelstm.runtime.scoring.threshold import Threshold

    from edgelstm.evaluation.evaluate import replay

    metadata = Metadata(
        "autoencoder", 2, channels=(Channel("a"),), period=1.0, scaler=Scaler("none", (0.0,), (1.0,)),
        scoring=Scoring("mean", 1, (0.0,), (1.0,)), threshold=Threshold(5.0),
        sections={"decision": {"minimum": 1, "cooldown": 1}},
    )  # fmt: skip
    values = np.asarray([[0.0]] * 4 + [[9.0]] * 3 + [[0.0]] * 4)
    time = np.asarray([1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])

    found = replay(Detector(metadata, lambda window: 0 * window), values, time)

    assert found.alarms == ((4, 6),)


def test_a_spike_far_outside_the_range_does_not_vanish_in_int8(way, tmp_path):
    rows = (way / "normal.csv").read_text().splitlines()
    cells = rows[600].split(",")
    cells[5] = "900.0"
    (tmp_path / "spike.csv").write_text("\n".join([*rows[:600], ",".join(cells), *rows[601:700]]) + "\n")

    edgelstm("score", way / "pump.int8.tflite", tmp_path / "spike.csv", "-o", tmp_path / "s.csv")
    table = [line.split(",") for line in (tmp_path / "s.csv").read_text().splitlines()[1:]]

    assert table[599][2] == "1" or table[599][1] == ""
    assert max(float(row[1]) for row in table if row[1]) > 20 or table[599][1] == ""


def test_rows_can_be_kept_out_of_the_model_file(way, tmp_path):
    here("train", way / "normal.csv", "-o", tmp_path / "m.keras", "--no-embed", "--epochs", "1", "--lookback", "8")
    refused = edgelstm("convert", tmp_path / "m.keras", "--int8", code=1)

    assert "edgelstm.npz" not in zipfile.ZipFile(tmp_path / "m.keras").namelist()
    assert "--calibration" in refused.stderr


def test_a_foreign_model_converts_with_a_calibration_file(way, tmp_path):
    layers = [keras.Input((10, 5)), keras.layers.LSTM(6, return_sequences=True), keras.layers.Dense(5)]
    keras.Sequential(layers).save(tmp_path / "theirs.keras")

    edgelstm("convert", tmp_path / "theirs.keras", "--int8", "--calibration", way / "normal.csv", "--allow-drop")
    said = json.loads(edgelstm("inspect", tmp_path / "theirs.int8.tflite", "--json").stdout)

    assert said["metadata"]["kind"] == "autoencoder"


# -- bad input -------------------------------------------------------------------------------------------------------


def refused(*arguments, **options):
    """One or two sentences on stderr, exit code 1, no traceback."""
    said = edgelstm(*arguments, code=1, **options).stderr
    assert "Traceback" not in said
    line = [text for text in said.splitlines() if text.startswith("Error:")]
    assert len(line) == 1, said
    return line[0]


def test_missing_files_are_named(way, tmp_path):
    assert "gone.csv" in refused("train", tmp_path / "gone.csv", "-o", tmp_path / "m.keras")
    assert "gone.keras" in refused("convert", tmp_path / "gone.keras")
    assert "gone.tflite" in refused("run", tmp_path / "gone.tflite", way / "faults.csv")
    assert "gone.csv" in refused("run", way / "pump.int8.tflite", tmp_path / "gone.csv")


def test_a_wrong_channel_count_names_the_channels(way, tmp_path):
    (tmp_path / "two.csv").write_text("a,b\n1,2\n3,4\n")

    assert "motor_current_a" in refused("run", way / "pump.int8.tflite", tmp_path / "two.csv")


@pytest.mark.parametrize("keep", [10, 3000, -40])
def test_a_truncated_model_is_refused(way, tmp_path, keep):
    (tmp_path / "cut.tflite").write_bytes((way / "pump.int8.tflite").read_bytes()[:keep])

    refused("run", tmp_path / "cut.tflite", way / "faults.csv")


def test_a_flipped_byte_is_found(way, tmp_path):
    content = bytearray((way / "pump.int8.tflite").read_bytes())
    content[2000] ^= 0xFF
    (tmp_path / "bad.tflite").write_bytes(bytes(content))

    assert "damaged" in refused("run", tmp_path / "bad.tflite", way / "faults.csv")


def test_a_keras_file_that_is_none_is_refused(way, tmp_path):
    (tmp_path / "no.keras").write_bytes(b"hello")

    assert "not a Keras 3 model" in refused("convert", tmp_path / "no.keras")


def run_code(inputs):
    """Code that a stranger's file might run when it is loaded."""
    open("ran", "w").close()
    return inputs


def test_a_lambda_layer_is_not_run(way, tmp_path):
    layers = [keras.Input((10, 5)), keras.layers.Lambda(run_code), keras.layers.LSTM(4)]
    keras.Sequential(layers).save(tmp_path / "code.keras")
    (tmp_path / "ran").unlink(missing_ok=True)

    said = refused("convert", tmp_path / "code.keras", "--calibration", way / "normal.csv", cwd=tmp_path)

    assert "Lambda" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code.keras"]


def test_too_little_data_is_said_before_training(tmp_path):
    (tmp_path / "short.csv").write_text("a,b\n" + "1,2\n3,4\n" * 10)

    assert "at least 50 windows" in refused("train", tmp_path / "short.csv", "-o", tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


def test_a_missing_folder_is_said_at_once(way, tmp_path):
    assert "folder" in refused("train", way / "normal.csv", "-o", tmp_path / "none/m.keras")


def small_files(most=2048):
    """Limits the size of files, before a program starts: stands for a full disk, as root may write everywhere else."""

    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return prepare


@pytest.mark.parametrize("command", ["score", "train", "convert"])
def test_a_full_disk_leaves_nothing_half_written(way, tmp_path, command):
    """Conversions work in the folder for temporary files, which is full, too."""
    words = {
        "score": ("score", way / "pump.int8.tflite", way / "faults.csv", "-o", tmp_path / "scores.csv"),
        "train": ("train", way / "normal.csv", "-o", tmp_path / "m.keras", "--epochs", "1", "--lookback", "8"),
        "convert": ("convert", way / "pump.keras", "--int8", "-o", tmp_path / "m.tflite"),
    }[command]
    said = refused(*words, preexec_fn=small_files(), env={**os.environ, "TMPDIR": str(tmp_path)})

    assert "Cannot" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_permission_is_a_clear_error(tmp_path):
    from edgelstm.runtime.errors import OutputError
    from edgelstm.runtime.io.atomic_files import write_atomic

    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            write_atomic(tmp_path / "x", b"1")
        except OutputError:
            os._exit(7)
        os._exit(8)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert list(tmp_path.iterdir()) == []


def test_scores_are_finite(way, tmp_path):
    edgelstm("score", way / "pump.int8.tflite", way / "faults.csv", "-o", tmp_path / "s.csv")
    cells = [line.split(",")[1] for line in (tmp_path / "s.csv").read_text().splitlines()[1:]]

    assert np.isfinite([float(cell) for cell in cells if cell]).all()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="--target x86 is proven on x86-64")
def test_target_x86_gives_8_bit_weights_unrolled_on_loading(way, tmp_path):
    target = tmp_path / "gateway.tflite"

    said = json.loads(edgelstm("convert", way / "pump.keras", "--target", "x86", "-o", target, "--json").stdout)
    scored = edgelstm("score", target, way / "faults.csv")

    assert (said["scheme"], said["target"]) == ("dynamic", "x86")
    assert 0 < said["latency_us"] < 1e6
    assert said["float_bytes"] > said["size"]
    assert scored.stderr == ""


def test_target_x86_and_int8_exclude_each_other(way):
    done = edgelstm("convert", way / "pump.keras", "--target", "x86", "--int8", code=2)

    assert "leave int8 out" in done.stderr


def test_a_search_writes_the_smallest_model_within_the_budget(way, tmp_path):
    options = ("--max-drop", "0.02", "-o", tmp_path / "small.tflite", "--json")
    said = json.loads(edgelstm("convert", way / "pump.keras", *options).stdout)

    tried = said["search"]["tried"]
    fitting = [model for model in tried if model["error"] <= 0.02]
    assert [model["size"] for model in tried] == sorted(model["size"] for model in tried)
    assert any("with float16 weights" in model["name"] for model in tried)
    assert said["size"] == min(model["size"] for model in fitting)
    assert said["error"] <= 0.02
    assert (
        json.loads(edgelstm("inspect", tmp_path / "small.tflite", "--json").stdout)["metadata"]["scheme"]
        == said["scheme"]
    )


def test_a_search_by_labels_measures_detection(way, tmp_path):
    options = ("--max-drop", "0.05", "--data", way / "faults.csv", "-o", tmp_path / "small.tflite", "--json")
    said = json.loads(edgelstm("convert", way / "pump.keras", *options).stdout)

    drops = [model["drop"] for model in said["search"]["tried"] if model["fits"]]
    keras, small = (
        json.loads(here("evaluate", file, way / "faults.csv", "--json").stdout)["vus_pr"]
        for file in (way / "pump.keras", tmp_path / "small.tflite")
    )
    assert drops == [pytest.approx(keras - small, abs=1e-6)]
    assert drops[0] <= 0.05


def test_a_search_says_in_one_sentence_why_nothing_fits():
    tried = (Tried("int8", 100, 0.02, 0.3, False), Tried("float32", 400, 0.0, 0.04, False))

    said = reason(Found("VUS-PR below Keras float", 0.01, tried, None))

    assert said.startswith(
        "None of 2 models stays within 0.01 (VUS-PR below Keras float): the best, float32, loses 0.0400."
    )


def test_a_search_chooses_the_scheme_itself(way):
    done = edgelstm("convert", way / "pump.keras", "--max-drop", "0.01", "--int8", code=2)

    assert "--max-drop chooses the scheme" in done.stderr
