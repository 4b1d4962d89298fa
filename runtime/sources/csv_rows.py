"""Rows of separated cells to samples, in the model's order of channels.

Of a file the beginning settles the layout (`CsvTable`). Of a live stream it is the first line: nothing is read ahead, so
that it is not held up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ConfigError, SeriesError, ShapeError
from ..io.timestamps import is_time
from .column_mapping import Columns, Parse, Row, short
from .csv_cells import CellReader, number, split, unit_of
from .csv_dialect import column_names, doubled
from .csv_table import CsvTable
from .records import is_line_protocol, parse_json, parse_line_protocol
from .time_columns import TimeReader, find_time

if TYPE_CHECKING:
    from .long_rows import LongRows

SEPARATORS = (",", ";", "\t", "|", " ")
TEXT_HINT = " (--missing names words for a missing value)"
MOST_CELLS = 1000  # of a line that are looked at to settle its separator


class Layout(NamedTuple):
    """Layout of the rows of a live stream."""

    parse: Parse
    """A function from a line to a `Row`."""
    header: bool
    """True if the line that settled it is a header."""
    names: tuple[str, ...]
    """Names of the columns; empty for records, which name theirs in each line."""
    sought: frozenset[str]
    """Names by which another header is told."""

    @property
    def by_position(self) -> bool:
        """True if cells are taken by position, as nothing names their columns."""
        return bool(self.names) and not self.header


def layout(first: str, columns: Columns, origin: str = "the input") -> Layout:
    """Settle how rows of a live stream are read, from the first of them.

    Args:
        first: The first line that is not blank.
        columns: What the model wants.
        origin: Name of the source, for messages.

    Raises:
        ShapeError: If the channels cannot be found in it, or several columns have the name of one.

    >>> settled = layout("time;flow;motor", Columns(("motor", "flow")))
    >>> settled.header, settled.parse("7;1,5;2")
    (True, Row(values=[2.0, 1.5], time=7.0, label='7'))
    """
    line_protocol = is_line_protocol(first)
    if line_protocol or first.lstrip()[:1] in ("{", "["):
        from .record_rows import RecordRows

        records = RecordRows(columns, origin, parse_line_protocol if line_protocol else parse_json)
        return Layout(records.parse, False, (), frozenset(columns.names))
    separator = _separator(first, columns)
    reader = CellReader(separator != ",", missing=columns.missing, origin=origin, signals=columns.by_path)
    cells = [cell.strip() for cell in split(first, separator)]
    header = _is_header(cells, columns)
    names = column_names(cells, len(cells)) if header else _positions(cells, columns, origin)
    if header:
        _refuse_doubled(cells, columns, origin)
    grid = columns.resampling
    if grid is not None and columns.is_long(names):
        rows: CsvRows | LongRows = _long_rows(names, columns, reader)
        sought = frozenset((*grid.keys, *grid.values))
    else:
        rows, sought = CsvRows(names, columns, origin, reader), frozenset(columns.names)
    return Layout(lambda line: rows.row(split(line, separator)), header, tuple(names), sought)


def file_rows(table: CsvTable, columns: Columns, cells: CellReader) -> CsvRows | LongRows:
    """Settle how rows of a file are read.

    Args:
        table: The file.
        columns: What the model wants.
        cells: Reads its numbers.

    Raises:
        ShapeError: If the channels cannot be found in it, or several columns have the name of one.
        ConfigError: If the time column cannot.
    """
    dialect = table.dialect
    names: Sequence[str] = table.names
    if columns.is_long(names) and columns.resampling is not None:
        taken = (*columns.resampling.keys, *columns.resampling.values)
        return _long_rows(names, columns, cells, table.time(columns.time, taken))
    if not dialect.header and set(dialect.first) >= set(columns.names):
        names = column_names(dialect.first, len(dialect.first))
        table.take_header(names)  # a header of numbers
    elif not dialect.header:
        names = table.names = tuple(_positions(dialect.first, columns, table.origin))
    _refuse_doubled(table.header, columns, table.origin)
    _check_names(names, columns, table.origin)
    return CsvRows(names, columns, table.origin, cells, table.time(columns.time, columns.names))


def _long_rows(names: Sequence[str], columns: Columns, cells: CellReader, time: TimeReader | None = None) -> LongRows:
    from .long_rows import LongRows  # few models are trained on long tables

    return LongRows(names, columns, cells, time)


class CsvRows:
    """Rows of separated cells under known column names.

    Args:
        header: Column names, as many as a row has cells.
        columns: What the model wants.
        origin: Name of the source, for errors.
        cells: Reads numbers.
        time: Reads times; None to look for the time column in the first row.

    Raises:
        ShapeError: If a channel is not among the names.
        ConfigError: If the time column is not.
    """

    sparse = False  # a row holds every channel

    def __init__(
        self, header: Sequence[str], columns: Columns, origin: str, cells: CellReader, time: TimeReader | None = None
    ) -> None:
        self.header, self.cells, self.time = tuple(header), cells, time
        _check_names(header, columns, origin)
        self._wanted = columns.time
        self._picks = tuple(self.header.index(name) for name in columns.names)
        self._plain = cells.thousands != "."  # else 1.234 would be taken as it stands

    def row(self, cells: list[str]) -> Row:
        """The row of some cells.

        Raises:
            SeriesError: If a cell is no number, the time no time, or there are more cells than columns.
        """
        if len(cells) != len(self.header):
            cells = self._padded(cells)
        if self.time is None:
            self.time = TimeReader(find_time(self.header, [cells], self._wanted, self._picks), self.header)
        values = self._numbers(cells)
        moment, label = self.time.read(cells)
        return Row(values, moment, label)

    def _numbers(self, cells: list[str]) -> list[float]:
        if self._plain:
            try:
                values = [float(cells[at]) for at in self._picks]
            except ValueError:
                pass
            else:
                return [self.cells.measured(value) for value in values] if self.cells.sentinels else values
        return [self._number(cells, at) for at in self._picks]

    def _number(self, cells: list[str], at: int) -> float:
        value = self.cells.read(cells[at], self.header[at])
        if value is None:
            raise SeriesError(f"column {self.header[at]}: {cells[at][:40]!r} is not a number{TEXT_HINT}")
        return value

    def _padded(self, cells: list[str]) -> list[str]:
        if len(cells) > len(self.header) and any(cells[len(self.header) :]):
            raise SeriesError(f"{len(cells)} cells under {len(self.header)} columns ({short(self.header)})")
        return (cells + [""] * len(self.header))[: len(self.header)]


def _check_names(header: Sequence[str], columns: Columns, origin: str) -> None:
    if not set(columns.names) <= set(header):
        raise columns.lacking(header, origin)
    if columns.time is not None and columns.time not in header:
        raise ConfigError(f"{origin} has no time column {columns.time!r} (its columns: {short(header)}).")


def _refuse_doubled(header: Sequence[str], columns: Columns, origin: str) -> None:
    name = doubled(header, columns.names)
    if name is not None:
        raise ShapeError(
            f"The model takes one column {name}; {origin} has several of that name. Give each a name of its own."
        )


def named_cells(line: str, columns: Columns) -> frozenset[str]:
    """The cells of a line of names; empty for a line with a value in it, and for JSON.

    Args:
        line: The line.
        columns: Names that the separator must tell apart.

    >>> sorted(named_cells("time;flow", Columns(("flow",)))), sorted(named_cells("7;flow", Columns(("flow",))))
    (['flow', 'time'], [])
    """
    if line.lstrip()[:1] in ("{", "["):
        return frozenset()
    cells = [cell.strip() for cell in split(line, _separator(line, columns))]
    named = frozenset(cell.lstrip("#").strip() for cell in cells)
    return named if not any(_is_value(cell) for cell in named.difference(columns.names)) else frozenset()


def width(line: str, columns: Columns) -> int:
    """Number of cells of a line, 0 for JSON.

    Args:
        line: The line.
        columns: Names that the separator must tell apart.

    >>> width("a;b;c", Columns(("flow",)))
    3
    """
    return 0 if line.lstrip()[:1] in ("{", "[") else len(split(line, _separator(line, columns)))


def _separator(line: str, columns: Columns) -> str:
    """The separator under which most of the model's names, then most numbers and times, then most cells appear."""

    def merit(separator: str) -> tuple[int, int, int]:
        cells = [cell.strip() for cell in split(line, separator)]
        values = sum(map(_is_value, cells[:MOST_CELLS]))
        return len(set(cells) & set(columns.names)), values, len(cells) if separator != " " else 0

    return max(SEPARATORS, key=merit)


def _is_header(cells: Sequence[str], columns: Columns) -> bool:
    names = {cell.strip() for cell in cells}
    return names >= set(columns.names) or not all(_is_cell(cell) or not cell.strip() for cell in cells)


def _positions(cells: Sequence[str], columns: Columns, origin: str) -> list[str]:
    """Names for the columns of a file without header: the trainer's numbers, or the model's names by position."""
    numbered = [f"column_{at + 1}" for at in range(len(cells))]  # as the trainer calls them
    if set(columns.names) <= set(numbered):
        return numbered
    extra = len(cells) - len(columns.names)
    if extra == 0 and not any(map(is_time, cells)):
        return list(columns.names)
    if extra == 1:
        at = next((at for at, cell in enumerate(cells) if is_time(cell)), 0)
        names = list(columns.names)
        return [*names[:at], columns.time or "time", *names[at:]]
    raise ShapeError(
        f"The model expects {len(columns.names)} channels ({', '.join(columns.channels)}), with a time column or not; "
        f"{origin} has no header and {len(cells)} columns. Add a header with the channels' names."
    )


def _is_value(cell: str) -> bool:
    return bool(cell.strip()) and (number(cell, decimal_comma=True) is not None or is_time(cell))


def _is_cell(cell: str) -> bool:
    """Tell whether a cell may stand in a row of data: a value, with a unit or without."""
    return _is_value(cell) or unit_of(cell.strip()) is not None
