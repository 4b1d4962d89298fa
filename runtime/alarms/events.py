"""Results and events: what the runtime says about a sample, and about a stretch of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

EVENT_SCHEMA = 1


@dataclass(frozen=True)
class Event:
    """A stretch of anomalous samples, or of trouble with the input."""

    id: str
    """Unique within a model and a stream; the same stream gives the same ids."""
    kind: str
    """anomaly, sensor_fault, drift or overflow."""
    state: str
    """open or closed."""
    start: float | None
    """Time of the first sample, in the stream's own units (seconds since 1970 for dates), or its row."""
    end: float | None
    """Time of the last sample; None while open."""
    peak: float | None
    """Highest score so far."""
    channels: tuple[str, ...]
    """Channels that caused it, strongest first."""
    reason: str = ""
    """What lies behind a fault or a drift (missing, stuck, range, rate, inputs, scores, …); empty for an anomaly."""
    schema: int = EVENT_SCHEMA
    """Schema version of the record."""

    def record(self) -> dict[str, Any]:
        """The event as plain JSON types."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


class Result(NamedTuple):
    """What one sample gave."""

    time: float | None
    """The sample's time as given."""
    score: float | None
    """Anomaly score, high is anomalous; None while warming up or when the sample could not be scored."""
    threshold: float | None
    """The threshold in force."""
    anomaly: bool
    """Whether the score is above the threshold, before any de-bounce."""
    parts: tuple[float, ...] | None
    """Each channel's part of the score, shape (F,), in usual errors or deviations; None without a score."""
    status: str = "ok"
    """ok, warmup, or why the sample was not scored."""
    events: tuple[Event, ...] = ()
    """The events that this sample opened or closed, mostly none; the anomaly first."""

    @property
    def contribution(self) -> tuple[float, ...] | None:
        """Each channel's share of the score, shape (F,), summing to 1; None without a score."""
        return None if self.parts is None else shares(self.parts)

    @property
    def event(self) -> Event | None:
        """The first of the events, for those who follow anomalies only."""
        return self.events[0] if self.events else None


def shares(parts: Sequence[float]) -> tuple[float, ...]:
    """Squares of parts as fractions of their sum; even when all are 0.

    >>> shares((3.0, -1.0)), shares((0.0, 0.0))
    ((0.9, 0.1), (0.5, 0.5))
    """
    squares = [part * part for part in parts]
    total = math.fsum(squares)
    return tuple([square / total for square in squares]) if total > 0 else (1 / len(parts),) * len(parts)
