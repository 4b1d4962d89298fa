"""Records to samples: JSON lines and InfluxDB line protocol."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ..errors import SeriesError, ShapeError
from ..io.timestamps import UNITS, is_epoch, is_time, seconds
from .column_mapping import Columns, Row
from .csv_cells import CellReader
from .long_rows import LongRows
from .records import as_text, flatten, lookup, parse_json
from .time_columns import read_time, time_name

CONSTANT = 3  # times that a date may be repeated before it counts as no time
LISTED = 200  # values of a record that are looked through for the time, and for errors


class RecordRows:
    """Rows of records: an object by channel names or paths, or an array in the model's order (time first, or without).

    Args:
        columns: What the model wants.
        origin: Name of the source, for messages.
        read: A line to its record; the identity for a source whose rows are records.
    """

    def __init__(self, columns: Columns, origin: str, read: Callable[[Any], Any] = parse_json) -> None:
        self.columns, self.origin, self._read = columns, origin, read
        self._cells = CellReader(missing=columns.missing, origin=origin, signals=columns.by_path)
        self._time: str | None = None
        self._same = 0
        self._before: Any = None
        self._long_rows: LongRows | None = None

    def parse(self, line: Any) -> Row:
        """Read one row.

        Raises:
            SeriesError: If it is not a record, or a value is no number.
            ShapeError: If it holds none of the channels, or an array has another length.
        """
        record = self._read(line)
        if isinstance(record, dict):
            return self._object(record)
        if isinstance(record, list):
            return self._array(record)
        raise SeriesError(f"expected a JSON object or array; received {line[:40]!r}")

    def _object(self, record: dict[str, Any]) -> Row:
        names = self.columns.names
        present, values = zip(*(lookup(record, name) for name in names), strict=True)
        if not any(present):
            if self.columns.is_long(list(record)):
                return self._long(record)
            raise self.columns.lacking(self._paths(record), self.origin)
        numbers = [self._number(value, name) for value, name in zip(values, names, strict=True)]
        others = [name for name in record if name not in names]
        at = self.columns.time or time_name(others) or self._time_by_value(record)
        return _timed(numbers, lookup(record, at)[1] if at else None, at or "")

    def _long(self, record: dict[str, Any]) -> Row:
        """The row of a record that holds one channel's value, under that channel's name in another field."""
        if self._long_rows is None:
            self._long_rows = LongRows(list(record), self.columns, self._cells)
        header = self._long_rows.header
        return self._long_rows.row([as_text(record.get(name)) for name in header])

    def _paths(self, record: dict[str, Any]) -> Sequence[str]:
        return [path for path, _ in itertools.islice(flatten(record), LISTED)]

    def _time_by_value(self, record: dict[str, Any]) -> str | None:
        """Path of the first value that is a moment, remembered; one that stays or falls is none, but when a device started."""
        if self._time is None:
            taken = self.columns.names
            leaves = [(path, leaf) for path, leaf in itertools.islice(flatten(record), LISTED) if path not in taken]
            moments = (path for at, (path, leaf) in enumerate(leaves) if _is_moment(leaf, first=not at))
            self._time = next(moments, "")
        if self._time and self._same < CONSTANT:
            value, before = lookup(record, self._time)[1], self._before
            falls = isinstance(value, float) and isinstance(before, float) and value < before
            self._same, self._before = (CONSTANT if falls else self._same + 1 if value == before else 0), value
            if self._same >= CONSTANT:
                self._time = ""
        return self._time or None

    def _array(self, record: list[Any]) -> Row:
        names = self.columns.names
        if len(record) not in (len(names), len(names) + 1):
            raise ShapeError(
                f"The model expects {len(names)} channels ({', '.join(self.columns.channels)}), with the time before "
                f"them or not; {self.origin} has arrays of {len(record)}."
            )
        time, values = (record[0], record[1:]) if len(record) > len(names) else (None, record)
        return _timed([self._number(value, name) for value, name in zip(values, names, strict=True)], time, "time")

    def _number(self, value: Any, name: str) -> float:
        """A JSON value's number, NaN for null.

        Raises:
            SeriesError: If it is none.
        """
        if value is None:
            return math.nan
        if isinstance(value, (float, int)):
            return self._cells.measured(float(value)) if self._cells.sentinels else float(value)
        number = self._cells.read(value, name) if isinstance(value, str) else None
        if number is None:
            raise SeriesError(f"{name}: {str(value)[:40]!r} is not a number")
        return number


def _is_moment(leaf: Any, first: bool) -> bool:
    """Tell a date, or a number that counts from 1970 in milliseconds or less; in seconds it must be the first value."""
    if isinstance(leaf, str):
        return is_time(leaf)
    return isinstance(leaf, float) and (first or leaf > UNITS[0][0]) and is_epoch(leaf)


def _timed(values: list[float], time: Any, name: str) -> Row:
    if time is None:
        return Row(values, None, "")
    if isinstance(time, str):
        return Row(values, read_time(time, name), time)
    if isinstance(time, float):
        with suppress(ValueError):
            return Row(values, seconds(time), repr(int(time) if time.is_integer() else time))
    raise SeriesError(f"{name}: {str(time)[:40]!r} is not a time")
