"""JSON lines on a text stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from ..alarms.events import Event, Result
from ..io.terminal import json_escaped
from ..sources.sample import Sample

INFINITE = (float("inf"), float("-inf"))
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def compact(record: Mapping[str, Any]) -> str:
    r"""Encode a record as one line of strict JSON that is safe to show on a terminal.

    >>> compact({"score": 1.5, "channels": ["flow"]})
    '{"score":1.5,"channels":["flow"]}'
    >>> compact({"score": float("inf"), "model": "\x9b2J"})
    '{"score":null,"model":"\\u009b2J"}'
    """
    try:
        line = _encode(record)
    except ValueError:  # a score beyond all numbers must not end the run
        line = _encode({name: None if value != value or value in INFINITE else value for name, value in record.items()})
    return line if line.isascii() else json_escaped(line)


def score_record(sample: Sample, result: Result, names: tuple[str, ...]) -> dict[str, Any]:
    """Return one sample's result as plain JSON types.

    Args:
        sample: The sample.
        result: The detector's result for it.
        names: Channel names, F of them.
    """
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


def sample_record(sample: Sample, result: Result, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the record of a sample for a sink: its score or, from a forecaster, its forecast; None without one.

    Args:
        sample: The sample.
        result: The model's result for it.
        names: Channel names, F of them.
    """
    if result.forecast is None:
        return {"type": "score", **score_record(sample, result, names)}
    return {"type": "forecast", **forecast_record(sample, result.forecast)} if result.forecast else None


def forecast_record(sample: Sample, forecast: Mapping[str, Any]) -> dict[str, Any]:
    """Return a forecast with the row that it was made at.

    Args:
        sample: The newest row.
        forecast: Of the rows after it.
    """
    return {"row": sample.row, "time": sample.label or None, **forecast}


class EventLines:
    """Writer of one JSON line an event.

    Args:
        stream: Text stream to write to.
        model: Name to put in each line, empty for none.
    """

    def __init__(self, stream: TextIO, model: str = "") -> None:
        self.stream = stream
        self._head = {"model": model} if model else {}

    def result(self, sample: Sample, result: Result) -> None:
        """Ignore a sample: events alone are written.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """

    def event(self, event: Event) -> None:
        """Write the event at once."""
        self._write({**self._head, **event.record()})

    def _write(self, record: Mapping[str, Any]) -> None:
        self.stream.write(compact(record) + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Write out what is still held."""
        self.stream.flush()


class ScoreLines:
    """Writer of one JSON line a sample.

    Args:
        stream: Text stream to write to.
        names: Channel names, F of them.
        model: Name to put in each line, empty for none.
    """

    def __init__(self, stream: TextIO, names: tuple[str, ...], model: str = "") -> None:
        self.stream, self.names = stream, names
        self._head = {"model": model} if model else {}

    def result(self, sample: Sample, result: Result) -> None:
        """Write the sample's line at once.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """
        self.stream.write(compact({**self._head, **score_record(sample, result, self.names)}) + "\n")
        self.stream.flush()

    def event(self, event: Event) -> None:
        """Ignore an event: each sample's line says whether it is anomalous."""

    def close(self) -> None:
        """Write out what is still held."""
        self.stream.flush()
