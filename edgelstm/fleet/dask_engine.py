"""A Dask cluster that exists already; the same tasks, the same results."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from edgelstm.runtime.errors import ConfigError

from .engine import ATTEMPTS, Outcome, ended
from .local_engine import LocalEngine

AHEAD = 2  # tasks a worker that wait at the scheduler, so that no worker waits for the network
PATIENCE = "15 s"  # for a connection
LOOK = 2.0  # seconds between two looks at the number of workers


_own = threading.local()


def isolated(function: Callable[[Any], Any], task: Any) -> Outcome:
    """Do a task in a child process of this thread's own, which stays for the next tasks.

    In Dask's own process other threads draw from Python's random numbers, by which Keras shuffles: results would not be the same.

    Args:
        function: The function.
        task: Its argument.
    """
    if not hasattr(_own, "engine"):
        _own.engine = LocalEngine(1)
    engine: LocalEngine = _own.engine
    (outcome,) = engine.run(function, [task])
    return replace(outcome, task=None)


def _check_address(scheduler: str) -> None:
    """Refuse what no client is made of: a client that fails while it is made waits half a minute at its end."""
    from distributed import Security
    from distributed.comm import get_address_host_port

    try:
        get_address_host_port(scheduler)
    except ValueError as error:
        raise ConfigError(
            f"{scheduler} is no address of a Dask scheduler: {error}. Write it as tcp://host:8786."
        ) from error
    secure = scheduler.partition("://")[0] in ("tls", "wss")
    if secure and Security().get_connection_args("client").get("ssl_context") is None:
        raise ConfigError(
            f"{scheduler} needs certificates, and Dask's configuration names none. Set distributed.comm.tls there."
        )


class DaskEngine:
    """Workers of a Dask scheduler.

    Args:
        scheduler: Its address, such as tcp://host:8786.

    Raises:
        ConfigError: If it is no address, or cannot be reached.
    """

    def __init__(self, scheduler: str) -> None:
        from distributed import Client

        _check_address(scheduler)

        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its tracebacks of workers that end
        try:
            self._client: Any = Client(scheduler, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"No Dask scheduler answers at {scheduler}: {reason}. Start one: dask scheduler."
            ) from error
        self._looked, self._most = 0.0, 0

    @property
    def description(self) -> str:
        """See `Engine`."""
        threads = sum(self._client.nthreads().values())
        return f"{threads} threads of {self._client.scheduler.address}, dashboard {self._client.dashboard_link}"

    def run(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Outcome]:
        """See `Engine`."""
        from distributed import as_completed

        waiting = iter(tasks)
        running: dict[Any, tuple[Any, int]] = {}
        completed = as_completed(with_results=False, loop=self._client.loop)
        self._submit(function, waiting, running, completed)
        while running:
            future = next(completed)
            task, attempts = running.pop(future)
            outcome = self._outcome(future, task, attempts)
            future.release()
            if outcome is None:
                self._give(function, task, attempts + 1, running, completed)
            else:
                yield outcome
            self._submit(function, waiting, running, completed)

    def close(self) -> None:
        """See `Engine`."""
        self._client.close()

    def _submit(
        self,
        function: Callable[[Any], Any],
        waiting: Iterator[Any],
        running: dict[Any, tuple[Any, int]],
        completed: Any,
    ) -> None:
        while len(running) < self._limit():
            try:
                task = next(waiting)
            except StopIteration:
                return
            self._give(function, task, 1, running, completed)

    def _give(
        self,
        function: Callable[[Any], Any],
        task: Any,
        attempts: int,
        running: dict[Any, tuple[Any, int]],
        completed: Any,
    ) -> None:
        future = self._client.submit(isolated, function, task, pure=False)
        running[future] = (task, attempts)
        completed.add(future)

    def _limit(self) -> int:
        """Tasks under way, by the number of workers, which may change."""
        if time.monotonic() > self._looked + LOOK:
            self._looked, self._most = time.monotonic(), max(8, (1 + AHEAD) * sum(self._client.nthreads().values()))
        return self._most

    def _outcome(self, future: Any, task: Any, attempts: int) -> Outcome | None:
        """Outcome of a future; None where its workers ended and it gets another turn.

        The scheduler itself gives a task to four workers before it gives up.
        """
        if future.status == "finished":
            made: Outcome = future.result()
            return replace(made, task=task, attempts=made.attempts + attempts - 1)
        from distributed.scheduler import KilledWorker

        error = future.exception() if future.status == "error" else None
        if (error is None or isinstance(error, KilledWorker)) and attempts < ATTEMPTS:
            return None
        reason = " ".join(str(error or future.status).split())[:200]
        return Outcome(task, error=ended(attempts, reason), attempts=attempts)
