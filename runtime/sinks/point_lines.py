"""Records as points of InfluxDB line protocol, and a stream of them for Telegraf."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from typing import Any, TextIO

from ..alarms.events import Event, Result
from ..io.timestamps import parse_time
from ..sources.resampler import DATES
from ..sources.sample import Sample
from .jsonl import sample_record

MEASUREMENTS = {"event": "edgelstm_event", "score": "edgelstm_score"}
TAGS = {"event": ("model", "kind", "id"), "score": ("model",)}  # with the time they make a point unique
_MARKS = re.compile(r"([,= \\])")
_BREAKS = re.compile(r"[\r\n\t]+")


class PointLines:
    """Writer of one point a sample and one an event, their times in nanoseconds, as Telegraf reads them.

    Args:
        stream: Text stream to write to.
        names: Channel names, F of them.
        model: Name of the model, a tag of each point.
    """

    def __init__(self, stream: TextIO, names: tuple[str, ...], model: str) -> None:
        self.stream, self.names, self.model = stream, names, model

    def result(self, sample: Sample, result: Result) -> None:
        """Write the sample's point at once.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """
        record = sample_record(sample, result, self.names)
        if record is not None:
            self._write({"model": self.model, **record})

    def event(self, event: Event) -> None:
        """Write the event's point at once."""
        self._write({"type": "event", "model": self.model, **event.record()})

    def _write(self, record: Mapping[str, Any]) -> None:
        self.stream.writelines(f"{line}000\n" for line in points(record))
        self.stream.flush()

    def close(self) -> None:
        """Write out what is still held."""
        self.stream.flush()


def points(record: Mapping[str, Any]) -> list[str]:
    """A record as lines of line protocol: one, or of a forecast one for each moment and target.

    A later forecast of the same moment replaces an earlier one in the database.

    >>> step = {"forecast": [5.0], "lower": [4.0], "upper": [6.0]}
    >>> points({"type": "forecast", "model": "load", "first": 1.7e9, "step": 3600.0, "targets": {"demand": step}})
    ['edgelstm_forecast,model=load,target=demand forecast=5.0,lower=4.0,upper=6.0 1700000000000000']
    """
    if record["type"] != "forecast":
        return [point(record)]
    first = moment_of(record["first"])
    lines = []
    for target, parts in record["targets"].items():
        head = f"edgelstm_forecast,model={_key(str(record['model']))},target={_key(target)}"
        for step, values in enumerate(zip(*parts.values(), strict=True)):
            fields = ",".join(filter(None, map(_field, parts, values)))
            lines += [f"{head} {fields} {round((first + step * record['step']) * 1e6)}"] if fields else []
    return lines


def point(record: Mapping[str, Any]) -> str:
    r"""A record as a line of line protocol, its time in microseconds.

    >>> point({"type": "score", "model": "pump 1", "time": "2024-05-01T12:00:00Z", "score": 2.5, "anomaly": True, "seq": 7})
    'edgelstm_score,model=pump\\ 1 score=2.5,anomaly=true,seq=7i 1714564800000000'
    """
    kind = "event" if record["type"] == "event" else "score"
    tags = "".join(f",{name}={_key(str(record[name]))}" for name in TAGS[kind] if record.get(name) not in (None, ""))
    used = ("type", "time", *TAGS[kind])
    fields = [_field(name, value) for name, value in record.items() if name not in used]
    shares = record.get("contribution") or {}
    fields += [_field(f"contribution.{name}", value) for name, value in shares.items()]
    moment = moment_of(record.get("start") if kind == "event" else record.get("time"))
    return f"{MEASUREMENTS[kind]}{tags} {','.join(filter(None, fields))} {round(moment * 1e6)}"


def moment_of(when: Any) -> float:
    """A record's time, seconds since 1970; now, where it has none or merely counts."""
    try:
        moment = parse_time(when) if isinstance(when, str) else float(when)
    except (TypeError, ValueError, OverflowError):
        return time.time()
    return moment if DATES < abs(moment) < math.inf else time.time()


def _field(name: str, value: Any) -> str:
    """A field of line protocol; empty for nothing, and for numbers that the database does not know."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int):
        text = f"{value}i"
    elif isinstance(value, float):
        text = repr(value) if math.isfinite(value) else ""
    elif isinstance(value, (list, tuple)):
        return _field(name, ",".join(map(str, value)))
    elif isinstance(value, str):
        plain = _BREAKS.sub(" ", value).replace("\\", "\\\\").replace('"', '\\"')
        text = f'"{plain}"'
    else:
        text = ""
    return f"{_key(name)}={text}" if text else ""


def _key(text: str) -> str:
    return _MARKS.sub(r"\\\1", _BREAKS.sub(" ", text))
