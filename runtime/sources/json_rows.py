"""JSON lines to samples."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

from ..errors import SeriesError, ShapeError
from ..io.timestamps import seconds
from .column_mapping import Columns, Row
from .csv_cells import CellReader
from .time_columns import find_time, read_time, time_name


class JsonRows:
    """JSON lines: an object by channel names, or an array in the model's order (with the time first, or without).

    Args:
        columns: What the model wants.
        origin: Name of the source, for messages.
    """

    def __init__(self, columns: Columns, origin: str) -> None:
        self.columns, self.origin = columns, origin
        self._cells = CellReader(missing=columns.missing, origin=origin)
        self._time: str | None = None

    def parse(self, line: str) -> Row:
        """Read one row.

        Raises:
            SeriesError: If it is not JSON, neither object nor array, or a value is no number.
            ShapeError: If it holds none of the channels, or an array has another length.
        """
        try:
            record = json.loads(line, parse_int=float)
        except (ValueError, RecursionError) as error:
            raise SeriesError(f"not a JSON value: {line[:40]!r}") from error
        if isinstance(record, dict):
            return self._object(record)
        if isinstance(record, list):
            return self._array(record)
        raise SeriesError(f"expected a JSON object or array; received {line[:40]!r}")

    def _object(self, record: dict[str, Any]) -> Row:
        names = self.columns.names
        if not any(name in record for name in names):
            raise self.columns.lacking(tuple(record), self.origin)
        others = [name for name in record if name not in names]
        at = self.columns.time or time_name(others) or self._time_by_value(record, others)
        values = [self._number(record.get(name), name) for name in names]
        return _timed(values, record.get(at) if at else None, at or "")

    def _time_by_value(self, record: dict[str, Any], others: list[str]) -> str | None:
        """Key of the first value that is a date or counts from 1970, remembered for later records."""
        if self._time is None:
            texts = [value if isinstance(value, str) else repr(value) for value in map(record.get, others)]
            positions = find_time(others, [texts])
            self._time = others[positions[0]] if len(positions) == 1 else ""
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
            return float(value)
        number = self._cells.read(value, name) if isinstance(value, str) else None
        if number is None:
            raise SeriesError(f"{name}: {str(value)[:40]!r} is not a number")
        return number


def _timed(values: list[float], time: Any, name: str) -> Row:
    if time is None:
        return Row(values, None, "")
    if isinstance(time, str):
        return Row(values, read_time(time, name), time)
    if isinstance(time, float):
        with suppress(ValueError):
            return Row(values, seconds(time), repr(int(time) if time.is_integer() else time))
    raise SeriesError(f"{name}: {str(time)[:40]!r} is not a time")
