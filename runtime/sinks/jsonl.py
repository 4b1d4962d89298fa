"""JSON lines on a text stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from ..alarms.events import Event, Result
from ..sources.sample import Sample

INFINITE = (float("inf"), float("-inf"))
_dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def compact(record: Mapping[str, Any]) -> str:
    """A record as one line of strict JSON.

    >>> compact({"score": 1.5, "channels": ["flow"]})
    '{"score":1.5,"channels":["flow"]}'
    >>> compact({"score": float("inf")})
    '{"score":null}'
    """
    try:
        return _dump(record)
    except ValueError:  # a score beyond all numbers must not end the run
        return _dump({name: None if value != value or value in INFINITE else value for name, value in record.items()})


def score_record(sample: Sample, result: Result, names: tuple[str, ...]) -> dict[str, Any]:
    """What one sample gave, as plain JSON types."""
    share = result.contribution
    return {
        "row": sample.row,
        "time": sample.label or None,
        "score": result.score,
        "threshold": result.threshold,
        "anomaly": result.anomaly,
        "status": result.status,
        "contribution": None
        if share is None
        else {name: round(part, 4) for name, part in zip(names, share, strict=True)},
    }


def event_record(event: Event) -> dict[str, Any]:
    """An event as plain JSON types."""
    return event.record()


class EventLines:
    """One JSON line an event.

    Args:
        stream: Where lines go.
        model: Name to put in each line, empty for none.
    """

    def __init__(self, stream: TextIO, model: str = "") -> None:
        self.stream = stream
        self._head = {"model": model} if model else {}

    def take(self, sample: Sample, result: Result) -> None:
        """Scores are not written."""

    def event(self, event: Event) -> None:
        """Write the event at once."""
        self.stream.write(compact({**self._head, **event_record(event)}) + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Write out what is still held."""
        self.stream.flush()


class ScoreLines:
    """One JSON line a sample.

    Args:
        stream: Where lines go.
        names: Channel names, F of them.
        model: Name to put in each line, empty for none.
    """

    def __init__(self, stream: TextIO, names: tuple[str, ...], model: str = "") -> None:
        self.stream, self.names = stream, names
        self._head = {"model": model} if model else {}

    def take(self, sample: Sample, result: Result) -> None:
        """Write the sample's line at once."""
        self.stream.write(compact({**self._head, **score_record(sample, result, self.names)}) + "\n")
        self.stream.flush()

    def event(self, event: Event) -> None:
        """Events are not written: whoever asks for scores decides for himself."""

    def close(self) -> None:
        """Write out what is still held."""
        self.stream.flush()
