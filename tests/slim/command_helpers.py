"""The command line as a user starts it, on the tiny models of the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

MODELS = Path(__file__).parent / "models"
MODEL, DATA = MODELS / "auto.int8.tflite", MODELS / "stream.csv"


def edgelstm(*words, stdin=None, env=None):
    command = [sys.executable, "-m", "edgelstm", *map(str, words)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})}
    )


def spawn(*words, env=None, **more):
    command = [sys.executable, "-m", "edgelstm", *map(str, words)]
    return subprocess.Popen(command, text=True, env={**os.environ, **(env or {})}, **more)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]
