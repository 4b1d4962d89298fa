"""The page of alarms as one file that asks nothing from outside."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.channel_names import plain_name
from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.alarms.local_time import is_date
from edgelstm.runtime.io.atomic_files import write_atomic
from edgelstm.runtime.page import page_with

from ..data.regular_grid import runs
from .recorder import Recorder

MOST_ROWS = 50_000  # rows in the page; with 8 channels it has some 5 MB then
MOST_EVENTS = 2000
Bools = npt.NDArray[np.bool_]


def write_alarm_page(path: Path | str, recorder: Recorder, model: str, data: str, labels: Bools | None = None) -> None:
    """Write the page.

    Args:
        path: HTML file to write.
        recorder: The replay.
        model: Name of the model.
        data: Name of the rows.
        labels: Whether each recorded row is labelled as anomalous, shape (T,); None without labels.

    Raises:
        OutputError: If it cannot be written.
    """
    write_atomic(Path(path), alarm_page(recorder, model, data, labels))


def alarm_page(recorder: Recorder, model: str, data: str, labels: Bools | None = None) -> bytes:
    """Return the page's content.

    Args:
        recorder: The replay.
        model: Name of the model.
        data: Name of the rows.
        labels: As in `write_alarm_page`.
    """
    title = recorder.narrator.words.page["title"].format(model=model, data=data)
    return page_with("alarms", page_record(recorder, title, labels))


def page_record(recorder: Recorder, title: str, labels: Bools | None) -> dict[str, Any]:
    """Return the page's data as plain JSON types.

    Args:
        recorder: The replay.
        title: Heading.
        labels: As in `write_alarm_page`.
    """
    times, scores = _rising(recorder.times), recorder.scores
    rows = shown_rows(scores)
    values, expected = recorder.values[rows], recorder.expected[rows]
    channels = [
        {
            "name": plain_name(channel.name) if channel.unit else channel.name,
            "unit": channel.unit,
            "within": recorder.within[at],
            "values": _packed(values[:, at]),
            "expected": _packed(expected[:, at]),
        }
        for at, channel in enumerate(recorder.metadata.channels)
    ]
    dated = bool(len(times)) and is_date(float(times[0]))
    events, words, clock = recorder.ordered, recorder.narrator.words, recorder.clock
    spans = [] if labels is None else _spans(labels, times)
    return {
        "title": title,
        **words.of_pages(),
        "zone": "UTC" if clock.on_site else str(clock.zone) if clock.zone else None,
        "onSite": clock.on_site,
        "dated": dated,
        "rows": len(times),
        "shown": len(rows),
        "times": b64encode(times[rows].astype("<f8").tobytes()).decode(),
        "scores": _packed(scores[rows]),
        "threshold": recorder.threshold,
        "channels": channels,
        "events": [_event(event, spans, labels is not None) for event in events[:MOST_EVENTS]],
        "hidden": max(0, len(events) - MOST_EVENTS),
        "labels": spans,
    }


def shown_rows(scores: npt.NDArray[np.float32], most: int = MOST_ROWS) -> npt.NDArray[np.intp]:
    """Return the rows that the page holds: all, or of every few rows the one with the highest score.

    Args:
        scores: Scores, shape (T,), NaN where there is none.
        most: Number of rows at most.

    >>> shown_rows(np.array([0, 3, 1, 2], np.float32), most=2).tolist()
    [1, 3]
    """
    step = -(-len(scores) // most) if len(scores) else 1
    if step <= 1:
        return np.arange(len(scores))
    filled = np.full(-(-len(scores) // step) * step, -np.inf, np.float32)
    filled[: len(scores)] = np.nan_to_num(scores, nan=-1.0)
    blocks = filled.reshape(-1, step)
    rows: npt.NDArray[np.intp] = blocks.argmax(axis=1) + np.arange(len(blocks)) * step
    return rows


def _rising(times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Place each row where its time is, a late one or one without a time at the newest time before it."""
    rising = np.fmax.accumulate(times)
    known = rising[np.isfinite(rising)]
    return np.nan_to_num(rising, nan=float(known[0]) if len(known) else 0.0)


def _packed(values: npt.NDArray[np.float32]) -> str:
    return b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _spans(labels: Bools, times: npt.NDArray[np.float64]) -> list[list[float]]:
    return [[float(times[first]), float(times[stop - 1])] for first, stop in runs(labels)]


def _event(event: Event, spans: list[list[float]], labelled: bool) -> dict[str, Any]:
    start, end = event.start, event.end if event.end is not None else event.start
    inside = start is not None and end is not None and any(a <= end and b >= start for a, b in spans)
    verdict = "" if not labelled or event.kind != "anomaly" else "labelled" if inside else "unlabelled"
    return {
        "kind": event.kind, "start": start, "end": end, "peak": event.peak, "text": event.text,
        "channels": list(event.channels), "verdict": verdict,
    }  # fmt: skip
