"""Rows of text to samples: CSV of any separator, with or without a header, and JSON lines.

The first row settles the layout; nothing is read ahead, so that a live stream is not held up.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import ConfigError, SeriesError, ShapeError
from ..timeparse import TIME_NAMES, is_time, parse_time

SEPARATORS = (",", ";", "\t", "|", " ")
MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "<na>", "#na", "nan", "-nan", "null", "none", "nil", "missing"})


class Row(NamedTuple):
    """One row in the model's order of channels."""

    values: list[float]
    """Sensor units, shape (F,); NaN for an empty cell."""
    time: float | None
    """Seconds since 1970 or the stream's own count; None without one."""
    label: str
    """The time as written."""


Parse = Callable[[str], Row]


@dataclass(frozen=True)
class Columns:
    """Which columns of a source feed the model."""

    channels: tuple[str, ...]
    """The model's channels, in its order."""
    taken: tuple[str, ...] = ()
    """The source's names for them, in the same order; empty when they are called the same."""
    time: str | None = None
    """The source's time column; None to look for one."""

    def __post_init__(self) -> None:
        if self.taken and len(self.taken) != len(self.channels):
            raise ShapeError(
                f"The model expects {len(self.channels)} channels ({', '.join(self.channels)}); "
                f"--columns names {len(self.taken)} ({', '.join(self.taken)})."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The source's name of each channel."""
        return self.taken or self.channels

    def missing(self, found: Sequence[str], origin: str) -> ShapeError:
        """The error for a source that lacks some of the names."""
        lacking = [name for name in self.names if name not in found]
        return ShapeError(
            f"The model expects {len(self.channels)} channels ({', '.join(self.channels)}); {origin} has no "
            f"{', '.join(lacking)} (its columns: {_short(found)}). Name the columns in the model's order with --columns."
        )


def layout(first: str, columns: Columns, origin: str = "the input") -> tuple[Parse, bool]:
    """Settle how rows are read, from the first of them.

    Args:
        first: The first line that is not blank.
        columns: What the model wants.
        origin: Name of the source, for errors.

    Returns:
        A function from a line to a `Row`, and whether the first line is a header.

    Raises:
        ShapeError: If the channels cannot be found in it.

    >>> parse, header = layout("time;flow;motor", Columns(("motor", "flow")))
    >>> header, parse("7;1,5;2")
    (True, Row(values=[2.0, 1.5], time=7.0, label='7'))
    """
    if first.lstrip()[:1] in ("{", "["):
        return JsonRows(columns, origin).parse, False
    separator = _separator(first, columns)
    cells = split(first, separator)
    if _is_header(cells, columns):
        return CsvRows(separator, columns, origin, [cell.strip() for cell in cells]).parse, True
    return CsvRows(separator, columns, origin, _positions(cells, columns, origin)).parse, False


class CsvRows:
    """Rows of separated cells under known column names.

    Args:
        separator: One of `SEPARATORS`.
        columns: What the model wants.
        origin: Name of the source, for errors.
        header: Column names, as many as a row has cells.

    Raises:
        ShapeError: If a channel is not among the names.
    """

    def __init__(self, separator: str, columns: Columns, origin: str, header: Sequence[str]) -> None:
        self.separator, self.header = separator, tuple(header)
        if not set(columns.names) <= set(header):
            raise columns.missing(header, origin)
        if columns.time is not None and columns.time not in header:
            raise ConfigError(f"{origin} has no time column {columns.time!r} (its columns: {_short(header)}).")
        self._picks = tuple(self.header.index(name) for name in columns.names)
        self._time = self._named_time(columns)
        self._settled = self._time is not None

    def _named_time(self, columns: Columns) -> int | None:
        if columns.time is not None:
            return self.header.index(columns.time)
        others = [i for i in range(len(self.header)) if i not in self._picks]
        name = time_name([self.header[i] for i in others])
        return None if name is None else self.header.index(name)

    def parse(self, line: str) -> Row:
        """One row.

        Raises:
            SeriesError: If a cell is no number, the time no time, or there are more cells than columns.
        """
        cells = split(line, self.separator)
        if len(cells) != len(self.header):
            cells = self._padded(cells)
        if not self._settled:
            self._settle(cells)
        try:
            values = [float(cells[i]) for i in self._picks]
        except ValueError:
            values = [self._number(cells, i) for i in self._picks]
        if self._time is None:
            return Row(values, None, "")
        label = cells[self._time].strip()
        return Row(values, _time(label, self.header[self._time]), label)

    def _padded(self, cells: list[str]) -> list[str]:
        if len(cells) > len(self.header) and any(cells[len(self.header) :]):
            raise SeriesError(f"{len(cells)} cells under {len(self.header)} columns ({_short(self.header)})")
        return (cells + [""] * len(self.header))[: len(self.header)]

    def _settle(self, cells: list[str]) -> None:
        """Without a column of a known name, the first other column that holds dates is the time."""
        self._settled = True
        others = [i for i in range(len(cells)) if i not in self._picks]
        self._time = next((i for i in others if is_time(cells[i])), None)

    def _number(self, cells: list[str], i: int) -> float:
        value = number(cells[i], decimal_comma=self.separator != ",")
        if value is None:
            raise SeriesError(f"column {self.header[i]}: {cells[i][:40]!r} is not a number")
        return value


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


def split(line: str, separator: str) -> list[str]:
    """The cells of one line; a quoted cell may hold the separator."""
    if '"' not in line:
        return line.split() if separator == " " else line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error as error:
        raise SeriesError(f"not a row of cells ({error})") from error


def number(text: str, decimal_comma: bool = False) -> float | None:
    """A cell's number, NaN when it is empty or says so, None when it is text.

    >>> number("1.5"), number(" NA "), number("1,5", decimal_comma=True), number("high")
    (1.5, nan, 1.5, None)
    """
    text = text.strip()
    for candidate in (text, text.replace(",", ".") if decimal_comma else text):
        try:
            return float(candidate)
        except ValueError:
            continue
    word = text.casefold()
    return math.nan if word in MISSING else {"true": 1.0, "false": 0.0}.get(word)


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


def time_name(names: Sequence[str]) -> str | None:
    """The name among some that most likely is the time's, None if none is.

    >>> time_name(["Date", "flow", "Time"])
    'Time'
    """
    by_word = {name.strip().casefold(): name for name in reversed(names)}
    return next((by_word[word] for word in TIME_NAMES if word in by_word), None)


def _timed(values: list[float], time: Any, name: str) -> Row:
    if time is None:
        return Row(values, None, "")
    if isinstance(time, str):
        return Row(values, _time(time, name), time)
    if isinstance(time, float) and math.isfinite(time):
        return Row(values, time, repr(int(time) if time.is_integer() else time))
    raise SeriesError(f"{name}: {str(time)[:40]!r} is not a time")


def _time(text: str, name: str) -> float | None:
    if text.casefold() in MISSING:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise SeriesError(f"column {name}: {text[:40]!r} is not a time") from error


def width(line: str, columns: Columns) -> int:
    """Cells of a line, 0 for JSON.

    >>> width("a;b;c", Columns(("flow",)))
    3
    """
    return 0 if line.lstrip()[:1] in ("{", "[") else len(split(line, _separator(line, columns)))


def _separator(line: str, columns: Columns) -> str:
    """The separator under which most of the model's names, then most numbers and times, then most cells appear."""

    def merit(separator: str) -> tuple[int, int, int]:
        cells = [cell.strip() for cell in split(line, separator)]
        return len(set(cells) & set(columns.names)), sum(map(_is_value, cells)), len(cells) if separator != " " else 0

    return max(SEPARATORS, key=merit)


def _is_header(cells: Sequence[str], columns: Columns) -> bool:
    names = {cell.strip() for cell in cells}
    return names >= set(columns.names) or not all(_is_value(cell) or not cell.strip() for cell in cells)


def _positions(cells: Sequence[str], columns: Columns, origin: str) -> list[str]:
    """Names for the columns of a file without header: the trainer's numbers, or the model's names by position."""
    numbered = [f"column_{i + 1}" for i in range(len(cells))]  # as the trainer calls them
    if set(columns.names) <= set(numbered):
        return numbered
    extra = len(cells) - len(columns.names)
    if extra == 0 and not any(map(is_time, cells)):
        return list(columns.names)
    if extra == 1:
        at = next((i for i, cell in enumerate(cells) if is_time(cell)), 0)
        names = list(columns.names)
        return [*names[:at], columns.time or "time", *names[at:]]
    raise ShapeError(
        f"The model expects {len(columns.names)} channels ({', '.join(columns.channels)}), with a time column or not; "
        f"{origin} has no header and {len(cells)} columns. Add a header with the channels' names."
    )


def _is_value(cell: str) -> bool:
    return bool(cell.strip()) and (number(cell, decimal_comma=True) is not None or is_time(cell))


def _short(names: Sequence[str]) -> str:
    shown = ["".join(filter(str.isprintable, name[:40])) for name in names[:12]]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
