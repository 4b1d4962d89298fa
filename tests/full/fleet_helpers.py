"""Small plants of pumps, each with other parameters, and functions that workers call."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from commands import COMMAND
from edgelstm.calibration_data import simulator

KEPT = []
QUICK = ("--epochs", "2", "--units", "6", "--lookback", "8")


def pump_csv(number, rows, asset=False):
    """Rows of one pump, as lines of CSV with a header."""
    random = np.random.default_rng(1000 + number)
    parameters = {
        "SHUT_OFF": 400 * random.uniform(0.7, 1.4),
        "STATIC": 40 * random.uniform(0.5, 2),
        "EFFICIENCY": random.uniform(0.5, 0.75),
    }
    with mock.patch.multiple(simulator, **parameters):
        values = simulator.simulate(rows, number).values
    name = f"P{number}," if asset else ""
    lines = [("pump," if asset else "") + ",".join(["time", *simulator.CHANNELS])]
    for second, row in enumerate(values):
        cells = (f"{value:.{digits}f}" for value, digits in zip(row, simulator.DECIMALS, strict=True))
        lines.append(f"{name}{second},{','.join(cells)}")
    return [f"{line}\n" for line in lines]


def write_plant(folder, count, rows=400):
    """A folder with a file a pump."""
    folder.mkdir()
    for number in range(count):
        (folder / f"P{number}.csv").write_text("".join(pump_csv(number, rows)))
    return folder


def double(task):
    return 2 * task


def refuse_odd(task):
    if task % 2:
        raise ValueError(f"{task} is\nodd")
    return task


def slow_once(task):
    """Sleep in the first call alone; later ones find the mark of it."""
    mark = Path(task)
    if not mark.exists():
        mark.write_text(f"{os.getpid()} {os.getppid()}")
        time.sleep(60)
    return os.getpid()


def grow(task):
    """Keep 300 MB more in each call."""
    KEPT.append(np.ones(300 << 17))
    return os.getpid()


def end_itself(task):
    if task == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def wait_for(condition, seconds=400):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def kill_when(words, condition):
    """Run a command until something is true, and kill it."""
    command = [COMMAND, *map(str, words)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: running.poll() is not None or condition())
        assert running.poll() is None, "it ended by itself"
    finally:
        running.kill()
        running.wait()


@contextmanager
def cluster(folder, workers=1):
    """A Dask scheduler and workers, as processes of their own on loopback; yields the address and the workers."""
    file = folder / "scheduler.json"
    program = (sys.executable, "-m")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    place = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    started = [subprocess.Popen([*program, "distributed.cli.dask_scheduler", *place], **options)]
    worker = ("--nthreads", "1", "--no-dashboard", "--scheduler-file", str(file), "--host", "127.0.0.1", "--no-nanny")
    try:
        wait_for(lambda: file.exists() and file.read_text())  # it is there before it is written
        started += [
            subprocess.Popen([*program, "distributed.cli.dask_worker", *worker], **options) for _ in range(workers)
        ]
        import json

        yield json.loads(file.read_text())["address"], started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
