"""A model file is tried in a process of its own before a watch, `score`, `bench` or `doctor` loads it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_helpers import edgelstm_here
from edgelstm.runtime import Detector, error_stream
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.inference.flatbuffer.reader import read_model
from edgelstm.runtime.inference.flatbuffer.summary import read_graph
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file import trial as trials
from edgelstm.runtime.model_file.bundle import parse_bundle
from edgelstm.runtime.model_file.trial import Trial, load_tried_bundle, trial_note, try_model
from model_files import aborting, repack

MODELS = Path(__file__).parent / "models"
GOOD = (MODELS / "cast.int8.tflite").read_bytes()


def with_weights(value):
    """A float model with one weight replaced."""
    content = (MODELS / "auto.float32.tflite").read_bytes()
    body = bytearray(parse_bundle(content).flatbuffer)
    start, size = max((buffer.data for buffer in read_model(bytes(body)).buffers), key=lambda data: data[1])
    body[start : start + size] = np.full(size // 4, value, np.float32).tobytes()
    return repack(content, body=bytes(body))


def test_a_good_model_passes_and_is_not_tried_twice(tmp_path, monkeypatch):
    try_model(GOOD, "pump.tflite", tmp_path)
    monkeypatch.setattr(trials, "Trial", None)
    try_model(GOOD, "pump.tflite", tmp_path)

    assert [path.name[:64] for path in (tmp_path / "tried").iterdir()] == [trial_note(GOOD, tmp_path).name[:64]]


def test_a_model_that_ends_its_process_is_refused():
    read_graph(parse_bundle(aborting(MODELS)).flatbuffer)

    with pytest.raises(ModelError, match=r"pump\.tflite ended a process in a trial"):
        try_model(aborting(MODELS), "pump.tflite")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_answers_what_is_no_number_is_refused(value):
    with pytest.raises(ModelError, match=r"pump\.tflite answers a window of .* with values that are no numbers"):
        try_model(with_weights(value), "pump.tflite")


def test_a_trial_that_takes_too_long_is_ended():
    trial = Trial(GOOD, "pump.tflite", seconds=0.05)

    with pytest.raises(ModelError, match=r"took longer than 0.05 s"):
        trial.check()
    assert trial.ended


def test_a_trial_has_a_limit_of_memory():
    program = (
        "from edgelstm.runtime.model_file.trial_worker import limit\n"
        "import numpy\n"
        "limit(50 << 20, 0)\n"
        "numpy.ones(5 << 20, numpy.uint8)\n"
        "try: numpy.ones(200 << 20, numpy.uint8)\n"
        "except MemoryError: print('limited')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)

    assert done.stdout == "limited\n"


def test_a_folder_that_cannot_be_written_costs_a_trial_each_time(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "tried").write_text("")
    try_model(GOOD, "pump.tflite", tmp_path)
    try_model(GOOD, "pump.tflite", tmp_path)

    assert (tmp_path / "tried").read_text() == ""


def test_old_notes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "MOST_NOTES", 3)
    for number in range(5):
        trials.note_passed(tmp_path / "tried" / f"{number}")

    assert len(list((tmp_path / "tried").iterdir())) == 3


def test_modules_in_the_working_folder_are_not_imported(tmp_path):
    """`numpy.py` beside a model must not run."""
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        Trial(GOOD, "pump.tflite").check()
    finally:
        os.chdir(here)


@pytest.mark.parametrize("name", sorted(path.name for path in MODELS.glob("*.tflite")))
def test_every_model_of_ours_passes(name):
    assert load_tried_bundle(MODELS / name).origin == name


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("score", "aborting"),
        ("run", "aborting"),
        ("bench", "aborting"),
        ("doctor", "aborting"),
        ("score", "half"),
        ("inspect", "half"),
    ],
)
def test_a_damaged_file_is_one_clear_line_and_exit_code_1(command, kind, tmp_path):
    path = tmp_path / "pump.tflite"
    path.write_bytes(aborting(MODELS) if kind == "aborting" else GOOD[: len(GOOD) // 2])
    words = [command, path, *([MODELS / "stream.csv"] if command in ("score", "run") else [])]
    done = edgelstm_here(*words)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    if command == "doctor":
        assert "FAIL" in done.stdout
    else:
        assert len(done.stderr.splitlines()) == 1
        assert "pump.tflite" in done.stderr


def test_bench_says_that_a_keras_model_is_to_be_converted(tmp_path):
    path = tmp_path / "pump.keras"
    path.write_bytes(b"PK\3\4" + bytes(100))
    done = edgelstm_here("bench", path)

    assert done.returncode == 1
    assert "edgelstm convert" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow(reason="models are measured in processes of their own")
def test_bench_and_inspect_take_a_file_of_another_tool(tmp_path):
    path = tmp_path / "foreign.tflite"
    path.write_bytes(parse_bundle(GOOD).flatbuffer)
    bench = edgelstm_here("bench", path, "--seconds", "0.05", "--json")
    inspect = edgelstm_here("inspect", path, "--json")

    assert json.loads(bench.stdout)[0]["scheme"] == ""
    assert json.loads(inspect.stdout)["metadata"] is None


def test_a_system_that_forbids_limits_does_not_refuse_the_model():
    """As `SystemCallFilter=~@resources` does in a unit."""
    program = (
        "import resource\n"
        "def forbidden(*words): raise ValueError('not allowed to raise maximum limit')\n"
        "resource.setrlimit = forbidden\n"
        "import sys; from edgelstm.runtime.model_file.trial_worker import examine\n"
        "print(repr(examine(open(sys.argv[1], 'rb').read(), 60)))"
    )
    words = [sys.executable, "-c", program, MODELS / "cast.int8.tflite"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)

    assert done.stdout == "''\n"


def test_integers_without_a_scale_are_no_inputs_of_a_detector(monkeypatch):
    def without_scale(*words, **options):
        model = TFLiteModel(*words, **options)
        model.inputs = (replace(model.inputs[0], scale=0.0),)
        return model

    monkeypatch.setattr(error_stream, "TFLiteModel", without_scale)

    with pytest.raises(ModelError, match="inputs or outputs of type int8 with a scale of 0; a detector takes"):
        Detector.load(MODELS / "auto.int8.tflite")
