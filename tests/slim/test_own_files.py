"""Outputs that are inputs are refused, and so are states that are files of another kind."""

import os
import shutil
from pathlib import Path

import pytest
from command_helpers import DATA, MODEL, MODELS, edgelstm, edgelstm_here
from edgelstm.runtime.errors import ConfigError, OutputError
from edgelstm.runtime.io.atomic_files import check_apart, check_writable
from edgelstm.runtime.service.state_file import check_state, write_state


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory with model and data, and further names of the data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(MODEL, "m.tflite")
    shutil.copy(MODELS / "ahead.int8.tflite", "ahead.tflite")
    shutil.copy(DATA, "d.csv")
    Path("link.csv").symlink_to("d.csv")
    os.link("d.csv", "hard.csv")
    return tmp_path


def contents():
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file() and path.name[0] != "."}


@pytest.mark.parametrize(
    "words",
    [
        ("score", "m.tflite", "d.csv", "-o", "d.csv"),
        ("score", "m.tflite", "d.csv", "-o", "./link.csv"),
        ("score", "m.tflite", "d.csv", "-o", "m.tflite"),
        ("score", "m.tflite", "d.csv", "--plot", "hard.csv"),
        ("run", "m.tflite", "d.csv", "--state", "d.csv"),
        ("run", "m.tflite", "d.csv", "--state", "m.tflite", "--dry-run"),
        ("run", "m.tflite", "d.csv", "--state", "s", "--event-log", "link.csv"),
        ("run", "m.tflite", "d.csv", "--to", "file:d.csv"),
        ("run", "m.tflite", "d.csv", "--scores-to", "file:hard.csv"),
        ("run", "m.tflite", "d.csv", "--to", "sqlite:m.tflite"),
        ("forecast", "ahead.tflite", "d.csv", "--plot", "link.csv"),
        ("forecast", "ahead.tflite", "d.csv", "--live", "--to", "file:d.csv"),
        ("evaluate", "m.tflite", "d.csv", "-o", "d.csv"),
        ("evaluate", "m.tflite", "d.csv", "--plot", "m.tflite"),
        ("card", "m.tflite", "-o", "m.tflite"),
    ],
    ids=" ".join,
)
def test_an_output_that_is_an_input_is_refused_before_any_work(work, words):
    before = contents()
    done = edgelstm_here(*words)

    assert done.returncode == 1
    assert "it is the input" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert contents() == before


def test_one_stream_does_not_write_what_another_reads(work):
    Path("two.toml").write_text(
        '[[stream]]\nmodel = "m.tflite"\nsource = "d.csv"\nname = "a"\nto = ["file:two.toml"]\n'
        '[[stream]]\nmodel = "ahead.tflite"\nsource = "d.csv"\nname = "b"\n'
    )
    own = edgelstm_here("run", "--config", "two.toml")
    Path("two.toml").write_text(Path("two.toml").read_text().replace("file:two.toml", "file:ahead.tflite"))
    other = edgelstm_here("run", "--config", "two.toml")

    assert own.stderr == "Error: Cannot write two.toml: it is the input two.toml. Name another output.\n"
    assert other.stderr == "Error: Cannot write ahead.tflite: it is the input ahead.tflite. Name another output.\n"


def test_standard_input_is_an_input_too(work):
    with Path("d.csv").open() as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", _standard_input(stream.fileno(), os.stat))
        with pytest.raises(OutputError, match="it is the input standard input"):
            check_apart("link.csv", "-")


def _standard_input(descriptor, stat):
    return lambda path, *more, **options: stat(descriptor if path == 0 else path, *more, **options)


def test_a_device_may_be_read_and_written(tmp_path):
    check_writable("/dev/null", "/dev/null")
    os.mkfifo(tmp_path / "pipe")
    check_writable(tmp_path / "pipe", tmp_path / "pipe")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_state_replaces_no_file_of_another_kind(work, dry):
    Path("notes.txt").write_text("flow and level, and what they mean for the pump, a thought a line\n" * 3)
    before = contents()
    done = edgelstm_here("run", "m.tflite", "d.csv", "--state", "notes.txt", *dry)

    assert done.returncode == 1
    assert done.stderr == (
        "Error: notes.txt is no state of a model, and would be replaced by one. Name another file with --state.\n"
    )
    assert contents() == before


def test_a_damaged_state_is_one_still(work):
    write_state(Path("state"), {"rows": 1})
    whole = Path("state").read_bytes()
    check_state(Path("state"))
    for damaged in (b"", b"\0" * 500, b"\xff" + whole[1:], whole[:64] + b"\n\0\0", whole[:-3]):
        Path("state").write_bytes(damaged)
        check_state(Path("state"))
    Path("state").write_bytes(whole[:-3])
    done = edgelstm("run", "m.tflite", "d.csv", "--state", "state")

    assert done.returncode == 0
    assert "The state in state is not used, the model starts afresh" in done.stderr


@pytest.mark.parametrize("content", [b"time,flow\n1,2\n", b"{}", b"ab" * 32 + b"  pump.csv\n"])
def test_what_is_no_state_is_told(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ConfigError, match="is no state of a model"):
        check_state(tmp_path / "file")
