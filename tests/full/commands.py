"""Running commands: as a user does, or in this process, where TensorFlow is loaded already (its start takes 5 s)."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from unittest import mock

from edgelstm.cli import main

COMMAND = str(Path(sys.executable).with_name("edgelstm"))
PUMP = Path(__file__).parents[2] / "calibration_data"


def edgelstm(*arguments, code=0, **options):
    """Run a command as a user would."""
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, **options)
    assert done.returncode == code, done.stderr
    return done


def here(*arguments, code=0):
    """Run a command in this process, through the same entry point."""
    out, err = io.StringIO(), io.StringIO()
    words = ["edgelstm", *map(str, arguments)]
    with mock.patch.object(sys, "argv", words), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            left = 0
        except SystemExit as ended:
            left = int(ended.code or 0)
    done = subprocess.CompletedProcess(words, left, out.getvalue(), err.getvalue())
    assert left == code, done.stderr
    return done


def refused(*arguments, **options):
    """Run a command that fails: one error line on stderr, exit code 1, no traceback."""
    return _only_error(edgelstm(*arguments, code=1, **options).stderr)


def refused_here(*arguments):
    """As `refused`, in this process."""
    return _only_error(here(*arguments, code=1).stderr)


def _only_error(text):
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1, text
    return lines[0]
