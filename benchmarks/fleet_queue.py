"""Discrete-event simulation of one coordinator and many workers, checked against real runs whose workers sleep.

The coordinator is one server: it takes an outcome and gives the next task, `own` seconds each time. Workers are many servers with the
time of a task. All figures of `simulate` are simulated, none is measured.
"""

import heapq
import os
import time
from collections.abc import Iterator

import numpy as np

from edgelstm.fleet.local_engine import LocalEngine

OWN = 0.5e-3  # seconds of the coordinator a task; measure it with `fleet.py empty`
TASK = 5.0  # seconds of a training


def makespan(durations: np.ndarray, workers: int, own: float) -> float:
    """Seconds until all tasks are done.

    Args:
        durations: Seconds of each task.
        workers: Their number.
        own: Seconds of the coordinator a task.
    """
    free, ends, next_task = 0.0, [], 0
    for _ in range(min(workers, len(durations))):  # the first tasks are given one after the other
        free += own
        heapq.heappush(ends, free + durations[next_task])
        next_task += 1
    last = 0.0
    while ends:
        ended = heapq.heappop(ends)
        last = max(last, ended)
        if next_task < len(durations):
            free = max(free, ended) + own
            heapq.heappush(ends, free + durations[next_task])
            next_task += 1
    return last


def efficiency(durations: np.ndarray, workers: int, own: float) -> float:
    """Share of the workers' time that is work."""
    return float(durations.sum() / (workers * makespan(durations, workers, own)))


def sleep(seconds: float) -> float:
    """Task of a real run."""
    time.sleep(seconds)
    return seconds


def start_tensorflow(task: int) -> int:
    """Start TensorFlow in a worker."""
    from edgelstm.fleet.fresh_session import fresh_session

    fresh_session()
    time.sleep(2)  # so that each worker gets one
    return task


def spin(seed: int) -> float:
    """Task of one core's work that shares nothing: what the machine itself makes of two cores."""
    state, kernel = np.random.default_rng(seed).normal(size=(2, 96, 96)) / 10
    for _ in range(5_000):
        state = np.tanh(state @ kernel)
    return float(state.sum())


def nothing(task: int) -> int:
    """Empty task."""
    return task


def validate(tasks: int = 60) -> Iterator[dict[str, object]]:
    """Real runs with workers that sleep, beside the simulation of the same."""
    durations = np.random.default_rng(0).uniform(0.1, 0.4, tasks)
    for workers in (2, 4, 8):
        engine = LocalEngine(workers)
        list(engine.run(sleep, [0.5] * workers))  # they are started
        begin = time.monotonic()
        list(engine.run(sleep, durations.tolist()))
        real = time.monotonic() - begin
        engine.close()
        simulated = makespan(durations, workers, OWN)
        yield {
            "kind": "validation", "workers": workers, "tasks": tasks, "real_seconds": real, "simulated_seconds": simulated,
            "ratio": real / simulated, "load": os.getloadavg()[0],
        }  # fmt: skip


def simulate(assets: int = 100_000) -> Iterator[dict[str, object]]:
    """Simulated efficiency by number of workers and by the coordinator's own time."""
    durations = np.random.default_rng(0).lognormal(np.log(TASK), 0.4, assets)
    for own in (OWN, 5e-3, 20e-3):
        for workers in (2, 16, 64, 256, 1024, 4096):
            yield {
                "kind": "simulated", "own_ms": 1e3 * own, "workers": workers, "assets": assets, "task_seconds": TASK,
                "efficiency": efficiency(durations, workers, own),
            }  # fmt: skip
