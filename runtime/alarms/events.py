"""Results of single samples, and events over stretches of samples."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from .readings import Reading

EVENT_SCHEMA = 1
TAUGHT = "feedback"
"""Name of the metadata's section with what answers to events have taught."""
LEAST_SHARE = 0.1  # a channel with less than a tenth of an event's excess did not cause it


@dataclass(frozen=True)
class Event:
    """A stretch of anomalous samples, of bad input, or of drift."""

    id: str
    """Unique within a model and a stream; the same stream gives the same ids."""
    kind: str
    """anomaly, sensor_fault, drift, overflow, forecast (no longer reliable), or model: the last good model is at work, the
    configured file is not usable."""
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
    """Cause of a fault or a drift (missing, stuck, rate, inputs, scores, …); empty for an anomaly."""
    readings: tuple[Reading, ...] = ()
    """Measured and expected values of an anomaly's first channels, strongest first."""
    text: str = ""
    """The event in a sentence, in the language and the time zone of the device; empty until it is reported."""
    schema: int = EVENT_SCHEMA
    """Schema version of the record."""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Event:
        """Read what `record` returned; fields of a later version are ignored.

        Raises:
            KeyError: If a field is missing.
            TypeError: If one is of another type.
        """
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in record.items() if name in known}
        readings = tuple(Reading(**reading) for reading in record.get("readings", ()))
        return cls(**{**values, "channels": tuple(record["channels"]), "readings": readings})

    def record(self) -> dict[str, Any]:
        """Return the event as plain JSON types."""
        readings = [reading.record() for reading in self.readings]
        return {**vars(self), "channels": list(self.channels), "readings": readings}


class Result(NamedTuple):
    """Result of one sample."""

    time: float | None
    """Time of the sample as received."""
    score: float | None
    """Anomaly score, high is anomalous; None while warming up or when the sample could not be scored."""
    threshold: float | None
    """The threshold in force."""
    anomaly: bool
    """True if the score is above the threshold, and its judges agree, before any de-bounce."""
    parts: tuple[float, ...] | None
    """Each channel's part of the score, shape (F,), in baseline errors or deviations; None without a score."""
    status: str = "ok"
    """ok, warmup, or the reason why the sample was not scored."""
    events: tuple[Event, ...] = ()
    """The events that this sample opened or closed, mostly none; the anomaly first."""
    forecast: Mapping[str, Any] | None = None
    """Forecast of the rows to come as plain JSON types, empty while there is none; None from a detector."""

    @property
    def contribution(self) -> tuple[float, ...] | None:
        """Each channel's share of the score, shape (F,), summing to 1; None without a score."""
        return None if self.parts is None else shares(self.parts)

    @property
    def event(self) -> Event | None:
        """The first of the events, for callers that follow anomalies only."""
        return self.events[0] if self.events else None


def shares(parts: Sequence[float]) -> tuple[float, ...]:
    """Return the squares of parts as fractions of their sum; equal fractions when all parts are 0.

    Args:
        parts: Parts of a score, shape (F,).

    >>> shares((3.0, -1.0)), shares((0.0, 0.0))
    ((0.9, 0.1), (0.5, 0.5))
    """
    squares = [part * part for part in parts]
    total = math.fsum(squares)
    return tuple([square / total for square in squares]) if total > 0 else (1 / len(parts),) * len(parts)


def strongest(names: Sequence[str], weights: Sequence[float]) -> tuple[str, ...]:
    """Return the names whose weight is a tenth of the sum at least, strongest first.

    Args:
        names: Channel names, F of them.
        weights: Weight of each channel, not negative, shape (F,).

    >>> strongest(("flow", "motor", "level"), (1.0, 8.0, 0.1))
    ('motor', 'flow')
    """
    order = sorted(range(len(weights)), key=lambda i: -weights[i])
    least = LEAST_SHARE * math.fsum(weights)  # sum() rounds differently from Python 3.12 on
    return tuple([names[i] for i in order if weights[i] >= least] or [names[order[0]]])


def event_id(identity: str, kind: str, key: str, index: int, start: float | None) -> str:
    """Return an id that a replay of the same stream repeats, and another event does not have.

    Args:
        identity: Identity of the model.
        kind: Kind of the event.
        key: Its reason, and its channel where it concerns one.
        index: Number of its first sample.
        start: Time of its first sample.

    >>> event_id("pump", "anomaly", "", 7, 7.0) == event_id("pump", "anomaly", "", 7, 7.0)
    True
    """
    return hashlib.sha256(f"{identity}|{kind}|{key}|{index}|{start!r}".encode()).hexdigest()[:16]
