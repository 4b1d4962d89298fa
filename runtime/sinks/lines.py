"""JSON lines on a text stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from ..events import Event, Result
from ..sources.sample import Sample


def compact(record: Mapping[str, Any]) -> str:
    """A record as one line of strict JSON.

    >>> compact({"score": 1.5, "channels": ["flow"]})
    '{"score":1.5,"channels":["flow"]}'
    """
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


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


class EventLines:
    """One JSON line an event."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def take(self, sample: Sample, result: Result) -> None:
        """Scores are not written."""

    def event(self, event: Event) -> None:
        """Write the event at once."""
        self.stream.write(compact(event.record()) + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Write out what is still held."""
        self.stream.flush()


class ScoreLines:
    """One JSON line a sample."""

    def __init__(self, stream: TextIO, names: tuple[str, ...]) -> None:
        self.stream, self.names = stream, names

    def take(self, sample: Sample, result: Result) -> None:
        """Write the sample's line at once."""
        self.stream.write(compact(score_record(sample, result, self.names)) + "\n")
        self.stream.flush()

    def event(self, event: Event) -> None:
        """Events are not written: whoever asks for scores decides for himself."""

    def close(self) -> None:
        """Write out what is still held."""
        self.stream.flush()
