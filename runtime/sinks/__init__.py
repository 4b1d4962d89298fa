"""Sinks: receivers of results, with `result(sample, result)`, `event(event)` and `close()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from ..alarms.events import Event, Result
from ..sources.sample import Sample
from .delivery import Delivery, DeliveryError, NoOptions, Stream
from .jsonl import EventLines, ScoreLines
from .registry import SINKS, SinkKind, plan_delivery, sink_kind

__all__ = [
    "SINKS",
    "Delivery",
    "DeliveryError",
    "EventLines",
    "NoOptions",
    "RemoteSink",
    "ScoreLines",
    "Sink",
    "SinkKind",
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


@runtime_checkable
class RemoteSink(Sink, Protocol):
    """A sink that delivers elsewhere in its own time, and through which answers may come back."""

    name: str
    """Name for messages, without secrets."""
    delivered: int
    """Records delivered."""
    dropped: int
    """Records dropped for want of room."""
    failure: str
    """Reason why deliveries fail now; empty while they succeed."""
    report: Callable[[Event], None] | None
    """Receiver of the events that this sink raises itself."""

    @property
    def waiting(self) -> int:
        """Bytes that wait to be delivered."""

    def listen(self, answer: Callable[[str, str, str], None]) -> None:
        """Pass on answers to alarms that come back.

        Args:
            answer: Receiver of an alarm's id, the answer and the way that it came.
        """

    def announce(self, facts: dict[str, Any]) -> None:
        """Tell facts about the model at work."""
