"""Rows of text to samples: CSV of any separator, with or without a header, and JSON lines.

Of a file the first lines settle the layout, by the rules of training. Of a live stream it is the first line: nothing is
read ahead, so that it is not held up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError, SeriesError, ShapeError
from ..io.timestamps import DateOrder, is_time, is_time_of_day
from .column_mapping import Columns, Parse, Row, read_time, short, time_name
from .csv_cells import number, split
from .csv_dialect import Dialect, column_names
from .json_rows import JsonRows

SEPARATORS = (",", ";", "\t", "|", " ")


@dataclass(frozen=True)
class Marks:
    """How cells are written."""

    separator: str
    """One of `SEPARATORS`; a blank stands for any number of them."""
    decimal_comma: bool
    """Whether a comma may be the decimal mark."""
    thousands: str = ""
    """What groups thousands; empty where nothing does."""
    month_first: bool | None = None
    """Whether dates with slashes are American; None for the day first, until a date denies it."""


def layout(first: str, columns: Columns, origin: str = "the input") -> tuple[Parse, bool]:
    """Settle how rows of a live stream are read, from the first of them.

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
    marks = Marks(separator, decimal_comma=separator != ",")
    cells = [cell.strip() for cell in split(first, separator)]
    header = _is_header(cells, columns)
    names = column_names(cells, len(cells)) if header else _positions(cells, columns, origin)
    return CsvRows(marks, columns, origin, names).parse, header


def file_layout(dialect: Dialect, columns: Columns, origin: str, american: bool | None) -> tuple[CsvRows, int]:
    """Settle how rows of a file are read.

    Args:
        dialect: How it is written.
        columns: What the model wants.
        origin: Name of the file, for errors.
        american: Whether its dates have the month first.

    Returns:
        The reader of its rows, and the lines before the first of them.

    Raises:
        ShapeError: If the channels cannot be found in it.
    """
    marks = Marks(dialect.separator, dialect.thousands != ",", dialect.thousands, american)
    if dialect.header:
        return CsvRows(marks, columns, origin, dialect.names), dialect.skip
    if set(dialect.first) >= set(columns.names):  # a header of numbers
        return CsvRows(marks, columns, origin, column_names(dialect.first, len(dialect.first))), dialect.skip + 1
    return CsvRows(marks, columns, origin, _positions(dialect.first, columns, origin)), dialect.skip


class CsvRows:
    """Rows of separated cells under known column names.

    Args:
        marks: How cells are written.
        columns: What the model wants.
        origin: Name of the source, for errors.
        header: Column names, as many as a row has cells.

    Raises:
        ShapeError: If a channel is not among the names.
        ConfigError: If the time column is not.
    """

    def __init__(self, marks: Marks, columns: Columns, origin: str, header: Sequence[str]) -> None:
        self.marks, self.header = marks, tuple(header)
        if not set(columns.names) <= set(header):
            raise columns.missing(header, origin)
        if columns.time is not None and columns.time not in header:
            raise ConfigError(f"{origin} has no time column {columns.time!r} (its columns: {short(header)}).")
        self._picks = tuple(self.header.index(name) for name in columns.names)
        self._others = tuple(i for i in range(len(header)) if i not in self._picks)
        self._time = self._named_time(columns)
        self._settled = False
        self._order = DateOrder()
        self._order.month_first = marks.month_first

    def _named_time(self, columns: Columns) -> tuple[int, ...]:
        name = columns.time or time_name([self.header[i] for i in self._others])
        return () if name is None else (self.header.index(name),)

    def parse(self, line: str) -> Row:
        """One line's row.

        Raises:
            SeriesError: If a cell is no number, the time no time, or there are more cells than columns.
        """
        return self.row(split(line, self.marks.separator))

    def row(self, cells: list[str]) -> Row:
        """The row of these cells; raises as `parse` does."""
        if len(cells) != len(self.header):
            cells = self._padded(cells)
        if not self._settled:
            self._settle(cells)
        values = self._numbers(cells)
        if not self._time:
            return Row(values, None, "")
        label = " ".join([cells[i].strip() for i in self._time]).strip()
        return Row(values, self._moment(label), label)

    def _numbers(self, cells: list[str]) -> list[float]:
        if self.marks.thousands != ".":  # or 1.234 would be taken as it stands
            try:
                return [float(cells[i]) for i in self._picks]
            except ValueError:
                pass
        return [self._number(cells, i) for i in self._picks]

    def _number(self, cells: list[str], i: int) -> float:
        value = number(cells[i], self.marks.decimal_comma, self.marks.thousands)
        if value is None:
            raise SeriesError(f"column {self.header[i]}: {cells[i][:40]!r} is not a number")
        return value

    def _moment(self, label: str) -> float | None:
        american = "/" in label and bool(self._order.see(label))
        return read_time(label, self.header[self._time[0]], american)

    def _padded(self, cells: list[str]) -> list[str]:
        if len(cells) > len(self.header) and any(cells[len(self.header) :]):
            raise SeriesError(f"{len(cells)} cells under {len(self.header)} columns ({short(self.header)})")
        return (cells + [""] * len(self.header))[: len(self.header)]

    def _settle(self, cells: list[str]) -> None:
        """By the first row: without a column of a known name, the first other one that holds dates is the time.

        A time of day alone is joined with a column of dates.
        """
        self._settled = True
        date = next((i for i in self._others if i not in self._time and is_time(cells[i])), None)
        if date is not None and not self._time:
            self._time = (date,)
        elif date is not None and is_time_of_day(cells[self._time[0]]):
            self._time = (date, *self._time)


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
