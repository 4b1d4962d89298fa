"""Engines that do tasks in other processes: one interface, on this machine or on a Dask cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

ATTEMPTS = 3  # of a task whose process ends under it


@dataclass(frozen=True)
class Outcome:
    """Outcome of one task."""

    task: Any
    """The task."""
    value: Any = None
    """Result of the function, None after an error."""
    error: str = ""
    """Reason why there is none, one line; empty after success."""
    seconds: float = 0.0
    """Processor time that it took."""
    attempts: int = 1
    """Processes that it was given to."""


class Engine(Protocol):
    """Processes that do tasks."""

    @property
    def description(self) -> str:
        """Description in a few words, for the user."""

    def run(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Outcome]:
        """Do the tasks, and yield their outcomes as they come; few tasks are under way at a time.

        Args:
            function: A function of a module, so that other processes find it.
            tasks: Its arguments, one a call; taken as they are needed.
        """

    def close(self) -> None:
        """End the processes that are its own."""


@dataclass(frozen=True)
class Answer:
    """Answer of a worker."""

    value: Any
    """Result of the function."""
    error: str
    """Its exception in one line, empty for none."""
    seconds: float
    """Processor time that it took."""


def answer(function: Callable[[Any], Any], task: Any) -> Answer:
    """Call a function in a worker.

    Args:
        function: The function.
        task: Its argument.
    """
    begin = time.process_time()
    try:
        value, error = function(task), ""
    except Exception as failure:  # the other tasks go on
        value, error = None, " ".join(f"{type(failure).__name__}: {failure}".split())[:500]
    return Answer(value, error, time.process_time() - begin)


def ended(attempts: int, reason: str) -> str:
    """Sentence about a task whose processes ended.

    Args:
        attempts: Processes that it was given to.
        reason: End of the last one.
    """
    return f"its process ended {attempts} times, the last time by {reason}; memory may be short"
