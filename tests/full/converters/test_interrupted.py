"""A conversion that is interrupted leaves no folder and no process behind."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import F, L, T, stack

SCRIPT = """
import sys, numpy as np
from edgelstm.converters import convert
windows = np.load(sys.argv[2])
convert(sys.argv[1], windows, windows, tell=lambda step: print(step, flush=True))
"""


@pytest.mark.slow(reason="commands with TensorFlow are started and killed")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_conversion_leaves_nothing(how, tmp_path):
    stack(L.LSTM(4), L.Dense(1)).save(tmp_path / "model.keras")
    np.save(tmp_path / "windows.npy", np.random.default_rng(1).normal(size=(40, T, F)).astype(np.float32))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-c", SCRIPT, tmp_path / "model.keras", tmp_path / "windows.npy"]
    process = subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(scratch)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    process.stdout.readline()  # the worker has begun
    process.send_signal(how)
    process.wait()
    process.stdout.close()
    workers = worker_count(scratch)
    end = time.monotonic() + 60
    while (any(scratch.iterdir()) or worker_count(scratch)) and time.monotonic() < end:
        time.sleep(0.2)

    assert list(scratch.iterdir()) == []
    assert worker_count(scratch) == 0, f"{workers} before"


def worker_count(scratch):
    """Processes whose command names a folder in there."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    return sum("edgelstm.converters.worker" in line and str(scratch) in line for line in listed.splitlines())
