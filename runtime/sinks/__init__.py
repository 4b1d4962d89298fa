"""Where results go: anything with `take(sample, result)`, `event(event)` and `close()`."""

from __future__ import annotations

from typing import Protocol

from ..events import Event, Result
from ..sources.sample import Sample
from .lines import EventLines, ScoreLines
from .table import ScoreTable

__all__ = ["EventLines", "ScoreLines", "ScoreTable", "Sink"]


class Sink(Protocol):
    """A taker of results. It never holds up scoring for long."""

    def take(self, sample: Sample, result: Result) -> None:
        """What one sample gave."""

    def event(self, event: Event) -> None:
        """An event that opened or closed."""

    def close(self) -> None:
        """Write out what is still held."""
