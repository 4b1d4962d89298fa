"""Processes of this machine: spawned, one task at a time, replaced when they end or grow.

They are started without `multiprocessing`, which does not let a Dask worker have children, and wants to import the user's script.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from .engine import ATTEMPTS, Answer, Outcome, ended

NEEDED = 1 << 30  # bytes that a worker with TensorFlow takes, its model and data included
GROWN = 1.5  # times its memory after the first task, from which on a worker is replaced
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
ONE_THREAD = dict.fromkeys(THREADS, "1")  # read by libraries when they are loaded
LEAST_GROWN = 256 << 20  # bytes that it has grown by at least then


@dataclass
class _Worker:
    """A process and what it does."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    item: tuple[Any, int] | None = None
    """Its task, and the processes that the task was given to."""
    first: int = 0
    """Bytes of memory after its first task."""


class LocalEngine:
    """Spawned processes; what kills one of them loses its running task alone, which another one gets.

    Args:
        workers: Their number; None for as many as processors and memory allow.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.count = workers or suitable_workers()
        self._workers: list[_Worker] = []

    @property
    def description(self) -> str:
        """See `Engine`."""
        return f"{self.count} process{'es' if self.count > 1 else ''} of this machine"

    @property
    def processes(self) -> list[int]:
        """Numbers of the processes that live."""
        return [worker.process.pid for worker in self._workers]

    def run(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Outcome]:
        """See `Engine`."""
        waiting, again = iter(tasks), deque[tuple[Any, int]]()
        try:
            while True:
                self._fill(function, waiting, again)
                busy = [worker for worker in self._workers if worker.item is not None]
                if not busy:
                    return
                ready = wait([worker.pipe for worker in busy])
                for worker in busy:
                    if worker.pipe in ready and (outcome := self._take(worker, again)) is not None:
                        yield outcome
        finally:
            for worker in [worker for worker in self._workers if worker.item is not None]:
                self._bury(worker)

    def close(self) -> None:
        """See `Engine`."""
        for worker in list(self._workers):
            self._bury(worker)

    def _fill(self, function: Callable[[Any], Any], waiting: Iterator[Any], again: deque[tuple[Any, int]]) -> None:
        """Give every idle worker a task; start workers as long as there are tasks for them."""
        while (idle := self._idle()) is not None or len(self._workers) < self.count:
            item = again.popleft() if again else next(((task, 0) for task in waiting), None)
            if item is None:
                return
            worker = idle or self._start()
            worker.item = (item[0], item[1] + 1)
            with suppress(OSError):  # it ended while it was idle: its pipe tells next
                worker.pipe.send((function, item[0]))

    def _idle(self) -> _Worker | None:
        return next((worker for worker in self._workers if worker.item is None), None)

    def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            program = f"import sys; sys.path[:] = {sys.path!r}\nfrom edgelstm.fleet.local_worker import main; main({theirs.fileno()})"
            process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends, and the worker ends, too
                stdout=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD},
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C of the terminal is for this process: it would end a training early
            )
        worker = _Worker(process, Connection(ours.detach()))
        self._workers.append(worker)
        return worker

    def _take(self, worker: _Worker, again: deque[tuple[Any, int]]) -> Outcome | None:
        """Read a worker's answer, or find out that it ended."""
        assert worker.item is not None
        (task, attempts), worker.item = worker.item, None
        try:
            answer, memory = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            if attempts < ATTEMPTS:
                again.append((task, attempts))
                return None
            return Outcome(task, error=ended(attempts, _end(worker.process.returncode)), attempts=attempts)
        self._watch_growth(worker, memory)
        assert isinstance(answer, Answer)
        return Outcome(task, answer.value, answer.error, answer.seconds, attempts)

    def _watch_growth(self, worker: _Worker, memory: int) -> None:
        worker.first = worker.first or memory
        if memory > max(GROWN * worker.first, worker.first + LEAST_GROWN):
            self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        with worker.process, worker.pipe:  # waits for its end, and closes its pipes
            worker.process.kill()


def _end(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def suitable_workers() -> int:
    """Number of workers that processors and free memory allow, at least one."""
    return max(1, min(len(os.sched_getaffinity(0)), free_memory() // NEEDED))


def free_memory() -> int:
    """Bytes that are free, on the machine and in this process's control group."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) << 10
    limit, used = (Path(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    with suppress(OSError, ValueError):  # no limit, or no such file system
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return free
