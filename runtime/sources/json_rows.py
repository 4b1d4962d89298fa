"""JSON lines to samples."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

from ..errors import SeriesError, ShapeError
from ..io.timestamps import seconds
from .column_mapping import Columns, Row, read_time, time_name
from .csv_cells import number


class JsonRows:
    """JSON lines: an object by channel names, or an array in the model's order (with the time first, or without)."""

    def __init__(self, columns: Columns, origin: str) -> None:
        self.columns, self.origin = columns, origin

    def parse(self, line: str) -> Row:
        """One row.

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
            raise self.columns.missing(tuple(record), self.origin)
        at = self.columns.time or time_name([name for name in record if name not in names])
        values = [json_number(record.get(name), name) for name in names]
        return _timed(values, record.get(at) if at else None, at or "")

    def _array(self, record: list[Any]) -> Row:
        names = self.columns.names
        if len(record) not in (len(names), len(names) + 1):
            raise ShapeError(
                f"The model expects {len(names)} channels ({', '.join(self.columns.channels)}), with the time before "
                f"them or not; {self.origin} has arrays of {len(record)}."
            )
        time, values = (record[0], record[1:]) if len(record) > len(names) else (None, record)
        return _timed([json_number(value, name) for value, name in zip(values, names, strict=True)], time, "time")


def json_number(value: Any, name: str) -> float:
    """A JSON value's number, NaN for null.

    Raises:
        SeriesError: If it is none.
    """
    found = math.nan if value is None else number(value) if isinstance(value, str) else None
    if isinstance(value, (float, int)):
        found = float(value)
    if found is None:
        raise SeriesError(f"{name}: {str(value)[:40]!r} is not a number")
    return found


def _timed(values: list[float], time: Any, name: str) -> Row:
    if time is None:
        return Row(values, None, "")
    if isinstance(time, str):
        return Row(values, read_time(time, name), time)
    if isinstance(time, float):
        with suppress(ValueError):
            return Row(values, seconds(time), repr(int(time) if time.is_integer() else time))
    raise SeriesError(f"{name}: {str(time)[:40]!r} is not a time")
