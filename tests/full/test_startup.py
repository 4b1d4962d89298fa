"""TensorFlow takes many seconds to start: what needs none does not load it, and wrong inputs are told before it loads."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[1] / "slim/models"
PROGRAM = """
import contextlib, io, json, sys
from edgelstm.cli import main
results = []
for words in json.load(sys.stdin):
    sys.argv = ["edgelstm", *words]
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    results.append([code, err.getvalue(), "tensorflow" in sys.modules])
print(json.dumps(results))
"""
WITHOUT_TENSORFLOW = (
    ["--version"],
    ["-h"],
    ["train", "-h"],
    ["convert", "-h"],
    ["report", "-h"],
    ["inspect", "model.int8.tflite"],
    ["inspect", "model.keras"],
    ["score", "model.int8.tflite", "rows.csv", "-o", "scores.csv"],
    ["run", "model.int8.tflite", "rows.csv"],
    ["evaluate", "model.int8.tflite", "labelled.csv"],
    ["calibrate", "model.int8.tflite", "rows.csv", "--force"],
    ["doctor", "model.int8.tflite"],
)
REFUSALS = (
    (["train", "gone.csv", "-o", "new.keras"], 1, "gone.csv"),
    (["train", "empty.csv", "-o", "new.keras"], 1, "empty.csv is empty"),
    (["train", "rows.csv", "-o", "nowhere/new.keras"], 1, "no folder nowhere"),
    (["train", "rows.csv", "-o", "new.tflite"], 2, ".keras"),
    (["train", "forecaster", "gone.csv", "-o", "new.keras", "--target", "a"], 1, "gone.csv"),
    (["train", "intents", "gone.csv", "-o", "new.keras"], 1, "gone.csv"),
    (["train", "states", "gone.csv", "-o", "new.keras"], 1, "gone.csv"),
    (["evaluate", "gone.keras", "labelled.csv"], 1, "gone.keras"),
    (["evaluate", "model.keras", "gone.csv"], 1, "gone.csv"),
    (["evaluate", "model.keras", "labelled.csv", "--calibration", "gone.csv"], 1, "gone.csv"),
    (["evaluate", "model.keras", "rows.csv", "--calibration", "rows.csv"], 1, "needs labels"),
    (["evaluate", "model.keras", "labelled.csv", "-o", "nowhere/x.json"], 1, "no folder nowhere"),
    (["report", "gone.keras"], 1, "gone.keras"),
    (["report", "model.keras", "--data", "gone.csv"], 1, "gone.csv"),
    (["report", "model.keras", "--data", "rows.csv", "--label-column", "faults"], 1, "no column 'faults'"),
    (["report", "model.keras", "--calibration", "gone.csv"], 1, "gone.csv"),
    (["report", "model.keras", "--bench", "gone.json"], 1, "gone.json"),
    (["report", "model.keras", "-o", "rows.csv/report"], 1, "rows.csv/report"),
    (["demo", "-o", "rows.csv/demo"], 1, "rows.csv/demo"),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Exit code, standard error, and whether TensorFlow is loaded after each command, all in one process."""
    folder = tmp_path_factory.mktemp("startup")
    shutil.copy(MODELS / "auto.int8.tflite", folder / "model.int8.tflite")
    lines = MODELS.joinpath("stream.csv").read_text().splitlines()
    shutil.copy(MODELS / "stream.csv", folder / "rows.csv")
    labelled = [f"{line},{'anomaly' if number == 0 else int(number == 5)}" for number, line in enumerate(lines)]
    (folder / "labelled.csv").write_text("\n".join(labelled) + "\n")
    (folder / "empty.csv").touch()
    _keras_file(folder / "model.keras")
    commands = [*WITHOUT_TENSORFLOW, *(words for words, _, _ in REFUSALS)]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(commands), cwd=folder, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    return {tuple(words): result for words, result in zip(commands, json.loads(process.stdout), strict=True)}


def _keras_file(path):
    """A foreign Keras model."""
    import keras

    keras.Sequential([keras.Input((8, 3)), keras.layers.LSTM(3)]).save(path)


@pytest.mark.parametrize("words", WITHOUT_TENSORFLOW, ids=" ".join)
def test_commands_that_need_no_tensorflow_do_not_load_it(results, words):
    code, errors, loaded = results[tuple(words)]

    assert code == 0 or words[0] == "doctor", errors
    assert not loaded


@pytest.mark.parametrize(
    ("words", "code", "message"), REFUSALS, ids=lambda part: " ".join(part) if isinstance(part, list) else ""
)
def test_wrong_inputs_are_told_before_tensorflow_loads(results, words, code, message):
    ended, errors, loaded = results[tuple(words)]

    assert ended == code
    assert message in errors
    assert not loaded
