"""Points of InfluxDB line protocol, and JSON records beside them, to samples.

Other senders' points are passed over, and points of one moment make one row.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..errors import ConfigError, SeriesError
from .column_mapping import Columns, Row
from .live import PATIENCE, Clock, LiveRows
from .record_rows import LISTED, RecordRows
from .records import flatten, lookup, parse_json, parse_line_protocol

log = logging.getLogger("edgelstm")
MOST_RECORDS = 10_000  # of one JSON document
_SERIES = re.compile(r"(?:\\.|[^ \\])+")


@dataclass(frozen=True)
class PointOptions:
    """Settings of the points that are taken."""

    tags: tuple[str, ...] = ()
    """Tags that a point must carry, NAME=VALUE, several with commas; without any, one series a channel is taken: the first."""
    wait: float = 1.0
    """Seconds for which a row waits for those of its channels that have not come."""

    def __post_init__(self) -> None:
        """Check both.

        Raises:
            ConfigError: If a tag has no value, or the wait is below zero.
        """
        if self.wait < 0:
            raise ConfigError(f"wait is 0 seconds or more; received {self.wait:g}.")
        wanted_tags(self.tags)


def wanted_tags(tags: Sequence[str]) -> dict[str, str]:
    """Tags by name.

    Raises:
        ConfigError: If one has no value.

    >>> wanted_tags(["host=pi,room=2"])
    {'host': 'pi', 'room': '2'}
    """
    pairs = [part.partition("=") for text in tags for part in text.split(",")]
    if not all(name and value for name, _, value in pairs):
        raise ConfigError(f"tags are written NAME=VALUE; received {', '.join(tags)!r}.")
    return {name: value for name, _, value in pairs}


class PointReader:
    """Rows of single points; what cannot be used is counted in the `LiveRows`, and said once.

    Args:
        columns: Columns that feed the model.
        rows: Counter of what is passed over.
        tags: Tags that a point must carry.
    """

    def __init__(self, columns: Columns, rows: LiveRows, tags: Mapping[str, str]) -> None:
        self.columns, self.rows, self.tags = columns, rows, tags
        self.others = 0
        """Points so far that hold no channel."""
        self._records = RecordRows(columns, rows.origin, dict)
        self._owners: dict[int, str] = {}
        self._doubly = False

    def read(self, line: str, unit: float | None = None) -> list[Row]:
        """The rows of a line, or of a JSON document: none where it is a comment, or holds no channel.

        Args:
            line: The text.
            unit: Seconds that a point's time counts; None to tell it by its size.

        Raises:
            SeriesError: If it is neither, or a channel's value is no number.
        """
        text = line.strip()
        if not text or text.startswith("#"):
            return []
        if text[0] in "{[":
            rows = [self.record(record, _series(record)) for record in _records_of(parse_json(text))]
        else:
            record = parse_line_protocol(text)
            if unit is not None and "time" in record:
                record["time"] *= unit * 1e9
            match = _SERIES.match(text)
            rows = [self.record(record, match[0] if match else "")]
        return [row for row in rows if row is not None]

    def record(self, record: Mapping[str, Any], series: str) -> Row | None:
        """The row of one record; None where it holds no channel, or another series feeds that.

        Args:
            record: Tags, fields and time of a point.
            series: Name that tells its sender.

        Raises:
            SeriesError: If a channel's value is no number.
        """
        if not all(_tag(record, name) == value for name, value in self.tags.items()):
            self.others += 1
            return None
        names = self.columns.names
        if not any(lookup(record, name)[0] for name in names) and not self.columns.is_long(list(record)):
            self._other(record)
            return None
        row = self._records.parse(record)
        channels = [channel for channel, value in enumerate(row.values) if value == value]
        return row if self._owned(channels, series) else None

    def _owned(self, channels: Sequence[int], series: str) -> bool:
        """Tell whether a series feeds its channels alone: two machines would be mixed into one."""
        if self.tags:
            return True
        strange = [channel for channel in channels if self._owners.setdefault(channel, series) != series]
        if not strange:
            return True
        self.rows.bad += 1
        if not self._doubly:
            self._doubly = True
            log.warning(
                "%s: points of %.100s are passed over: %.100s feeds the channel %s. Say which one is meant with "
                "tags=NAME=VALUE", self.rows.origin, series, self._owners[strange[0]], self.columns.names[strange[0]]
            )  # fmt: skip
        return False

    def _other(self, record: Mapping[str, Any]) -> None:
        """Count a point without a channel: others may use the same way, but not others alone."""
        self.others += 1
        if not self._owners and self.others == PATIENCE:
            paths = [path for path, _ in islice(flatten(record), LISTED)]
            log.warning(
                "%s: nothing so far feeds the model: %s", self.rows.origin, self.columns.lacking(paths, "a point")
            )


class MomentRows:
    """Values of one moment, put together to one row, which is given once it is complete, has waited, or another moment begins.

    Args:
        channels: Number of channels, F.
        wait: Seconds that an incomplete row waits.
        clock: Clock that never jumps, seconds.

    >>> rows = MomentRows(2, 1.0)
    >>> rows.put(Row([1.0, math.nan], 7.0, "7")), rows.put(Row([math.nan, 2.0], 7.0, "7"))
    ([], [Row(values=[1.0, 2.0], time=7.0, label='7')])
    """

    def __init__(self, channels: int, wait: float, clock: Clock = time.monotonic) -> None:
        self._channels, self._wait, self._clock = channels, wait, clock
        self._row: Row | None = None
        self._since = 0.0

    def put(self, row: Row) -> list[Row]:
        """Take what has come of a moment; return the rows that are finished by it."""
        finished: list[Row] = []
        waiting = self._row
        if waiting is not None and not _fits(waiting, row):
            finished, waiting = [waiting], None
        if waiting is None:
            waiting, self._since = Row(list(row.values), row.time, row.label), self._clock()
        else:
            for channel, value in enumerate(row.values):
                if value == value:
                    waiting.values[channel] = value
        self._row = waiting
        return finished + (self.flush() if not any(map(math.isnan, waiting.values)) else [])

    def due(self) -> list[Row]:
        """Return the row that has waited long enough, in a list; an empty one if there is none."""
        return self.flush() if self._clock() >= self._since + self._wait else []

    def flush(self) -> list[Row]:
        """Return the row that waits, in a list; an empty one if there is none."""
        row, self._row = self._row, None
        return [] if row is None else [row]


def _fits(waiting: Row, row: Row) -> bool:
    """Tell whether values belong to a row: of the same moment, and of channels that have not come."""
    return row.time is not None and row.time == waiting.time and not any(
        old == old and new == new for old, new in zip(waiting.values, row.values, strict=True)
    )  # fmt: skip


def _records_of(document: Any) -> list[Mapping[str, Any]]:
    """The records of a JSON document: itself, those of a list, or Telegraf's batch of `metrics`.

    Raises:
        SeriesError: If it is no such document.
    """
    if isinstance(document, dict) and isinstance(document.get("metrics"), list):
        document = document["metrics"]
    records = document if isinstance(document, list) else [document]
    if len(records) > MOST_RECORDS or not all(isinstance(record, dict) for record in records):
        raise SeriesError(f"expected JSON objects, {MOST_RECORDS} at most; received {str(document)[:40]!r}")
    return records


def _series(record: Mapping[str, Any]) -> str:
    """Name and tags of a JSON record, which tell its sender."""
    return json.dumps([record.get("name"), record.get("tags")], sort_keys=True)


def _tag(record: Mapping[str, Any], name: str) -> Any:
    """A tag's value, of line protocol or of Telegraf's JSON."""
    tags = record.get("tags")
    return tags[name] if isinstance(tags, Mapping) and name in tags else lookup(record, name)[1]
