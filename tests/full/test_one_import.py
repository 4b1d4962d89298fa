"""A conversion loads TensorFlow in one process, its own child, whoever made the model."""

import os
from importlib import import_module

import keras
import numpy as np
import pytest
from commands import edgelstm
from edgelstm.converters.child import Child
from edgelstm.runtime.errors import ConversionError
from keras import layers as L  # noqa: N812

W, F = 8, 2
# an import hook in every Python of a command: processes that load TensorFlow write their number down
HOOK = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow.python":
            with open(os.environ["IMPORTS"], "a") as log:
                log.write(f"{os.getpid()}\\n")
sys.meta_path.insert(0, Watch())
"""


@pytest.fixture
def folder(tmp_path):
    """A Keras model from elsewhere and its rows, in a folder with the hook and one for temporary files."""
    keras.utils.set_random_seed(0)
    keras.Sequential([keras.Input((W, F)), L.LSTM(4), L.Dense(F)]).save(tmp_path / "theirs.keras")
    rows = np.random.default_rng(0).normal(size=(400, F))
    np.savetxt(tmp_path / "normal.csv", rows, delimiter=",", header="flow,pressure", comments="", fmt="%.4f")
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    (tmp_path / "scratch").mkdir()
    return tmp_path


def convert(folder, data, code=0):
    """Run `convert` in a folder, with files named from there; its errors, and the processes that loaded TensorFlow."""
    imports = folder / "imports.txt"
    imports.touch()
    watched = {"PYTHONPATH": str(folder / "hook"), "IMPORTS": str(imports), "TMPDIR": str(folder / "scratch")}
    done = edgelstm(
        "convert", "theirs.keras", "--calibration", data, "--scheme", "float32",
        code=code, cwd=folder, env={**os.environ, **watched},
    )  # fmt: skip
    return done.stderr, set(imports.read_text().split())


def test_a_model_from_elsewhere_is_calibrated_where_it_is_converted(folder):
    _, processes = convert(folder, "normal.csv")

    assert len(processes) == 1
    assert (folder / "theirs.float32.tflite").exists()
    assert list((folder / "scratch").iterdir()) == []


def test_rows_that_cannot_be_read_end_the_process_that_would_convert(folder):
    (folder / "words.csv").write_text("flow,pressure\nhigh,low\n")
    errors, _ = convert(folder, "words.csv", code=1)

    assert "words.csv" in errors
    assert list((folder / "scratch").iterdir()) == []


def test_rows_that_do_not_fit_are_refused_in_one_line(folder):
    (folder / "wide.csv").write_text("a,b,c\n" + "1,2,3\n" * 100)
    errors, processes = convert(folder, "wide.csv", code=1)

    assert len(processes) == 1
    assert errors.startswith("Error: The model takes 2 channels; wide.csv has 3 (a, b, c).")


RAISING = """
def unreadable(tell):
    open("nowhere/rows.csv")
def early(tell):
    raise KeyError("rows: of no model")
def late(tell):
    tell("lowering")
    raise ValueError("layer: unknown")
"""


@pytest.mark.parametrize(
    ("task", "error", "words"),
    [
        ("unreadable", FileNotFoundError, "nowhere/rows.csv"),
        ("early", ConversionError, "failed before the conversion: KeyError: 'rows: of no model'"),
        ("late", ConversionError, "refused the model: ValueError: layer: unknown"),
    ],
)
def test_an_error_that_is_none_of_ours_is_told_by_where_it_happened(task, error, words, tmp_path, monkeypatch):
    (tmp_path / "raising.py").write_text(RAISING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(error, match=words), Child() as child:
        child.run(getattr(import_module("raising"), task), lambda _: None)


def test_a_child_that_falls_says_at_which_step(tmp_path, monkeypatch):
    (tmp_path / "falling.py").write_text("import os\ndef fall(tell):\n    tell('lowering')\n    os.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    steps = []
    with pytest.raises(ConversionError, match=r"crashed \(SIGABRT\) at its step 'lowering'"), Child() as child:
        child.run(import_module("falling").fall, steps.append)

    assert steps == ["loading TensorFlow", "lowering"]
    assert not child.folder.exists()
