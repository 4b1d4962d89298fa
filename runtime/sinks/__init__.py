"""Sinks: receivers of results, with `result(sample, result)`, `event(event)` and `close()`."""

from __future__ import annotations

from typing import Protocol

from ..alarms.events import Event, Result
from ..io.access import Access
from ..sources.sample import Sample
from .delivery import Delivery, DeliveryError, NoOptions, Stream
from .jsonl import EventLines, ScoreLines
from .registry import SINKS, SinkKind, plan_delivery, sink_kind
from .score_csv import ScoreTable
from .spool import Spool
from .store_and_forward import Forwarder

__all__ = [
    "SINKS",
    "Access",
    "Delivery",
    "DeliveryError",
    "EventLines",
    "Forwarder",
    "NoOptions",
    "ScoreLines",
    "ScoreTable",
    "Sink",
    "SinkKind",
    "Spool",
    "Stream",
    "plan_delivery",
    "sink_kind",
]


class Sink(Protocol):
    """A receiver of results. It never holds up scoring for long."""

    def result(self, sample: Sample, result: Result) -> None:
        """Receive one sample's result.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """

    def event(self, event: Event) -> None:
        """Receive an event that opened or closed."""

    def close(self) -> None:
        """Write out what is still held."""
