"""The command line as a user starts it, on the tiny models of the tests."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from edgelstm.cli import main

MODELS = Path(__file__).parent / "models"
MODEL, DATA = MODELS / "auto.int8.tflite", MODELS / "stream.csv"


def edgelstm(*words, stdin=None, env=None):
    command = [sys.executable, "-m", "edgelstm", *map(str, words)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})}
    )


def edgelstm_here(*words):
    """The same in this process, as a process takes half a second to start; for commands that read no pipe; log lines go to pytest."""
    out, errors, code = io.StringIO(), io.StringIO(), 0
    arguments, sys.argv = sys.argv, ["edgelstm", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = arguments
    return subprocess.CompletedProcess(words, code, out.getvalue(), errors.getvalue())


def spawn(*words, env=None, **more):
    command = [sys.executable, "-m", "edgelstm", *map(str, words)]
    return subprocess.Popen(command, text=True, env={**os.environ, **(env or {})}, **more)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]
