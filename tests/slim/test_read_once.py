"""Pipes: refused where a file is read several times, and read like files where once is enough."""

import os
import subprocess
import sys

import pytest
from command_helpers import DATA, MODEL, edgelstm
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.sources.line_reader import check_rereadable

from edgelstm.data.series import read_series

LABELLED = "".join(
    f"{line},{'anomaly' if not at else int(at > 500)}\n" for at, line in enumerate(DATA.read_text().splitlines())
)


def piped(command, *words):
    """Pipe labelled rows into a command of a shell."""
    program = [sys.executable, "-m", "edgelstm", command, *map(str, words)]
    return subprocess.run(program, input=LABELLED, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["/dev/stdin", "-"])
@pytest.mark.parametrize("command", ["evaluate", "calibrate"])
def test_a_pipe_is_refused_where_rows_are_read_several_times(tmp_path, command, name):
    model = tmp_path / "m.tflite"
    model.write_bytes(MODEL.read_bytes())
    done = piped(command, model, name, "--label-column", "anomaly")

    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {'Standard input' if name == '-' else name} can be read only once, and would be read several times. "
        "Write it to a file, and name that.\n"
    )
    assert model.read_bytes() == MODEL.read_bytes()


@pytest.mark.parametrize("command", ["score", "run"])
@pytest.mark.parametrize("name", ["/dev/stdin", "-"])
def test_what_reads_once_takes_a_pipe(tmp_path, command, name):
    (tmp_path / "d.csv").write_text(LABELLED)
    done = piped(command, MODEL, name)

    assert done.returncode == 0
    assert done.stdout == edgelstm(command, MODEL, tmp_path / "d.csv").stdout
    assert done.stdout


def test_training_reads_no_pipe_and_does_not_wait_for_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SeriesError, match="pipe can be read only once"):
        read_series([tmp_path / "pipe"])


def test_standard_input_that_is_a_file_is_one(tmp_path):
    (tmp_path / "d.csv").write_text(LABELLED)
    program = [sys.executable, "-m", "edgelstm", "evaluate", MODEL, "/dev/stdin", "-o", tmp_path / "e.json"]
    with (tmp_path / "d.csv").open() as stream:
        done = subprocess.run(program, stdin=stream, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    assert "rows scored" in done.stdout


def test_a_file_that_is_not_there_is_left_to_its_reader(tmp_path):
    check_rereadable(tmp_path / "gone.csv")
    check_rereadable(tmp_path)
