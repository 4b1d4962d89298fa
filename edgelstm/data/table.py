"""One CSV file as it stands, as arrays: the front that the device reads it by, and all of its number columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import LABEL_NAMES, seconds
from edgelstm.runtime.sources.line_reader import read_lines
from edgelstm.runtime.sources.record_table import open_table

from .number_columns import NumberColumn, counts_rows

Doubles = npt.NDArray[np.float64]
BLOCK = 20_000  # rows taken at a time, so that memory stays near that of the numbers
CLOCK_TOLERANCE = 1.0  # seconds by which a second time column may differ from the first one


@dataclass(frozen=True)
class Table:
    """One file's columns as they stand."""

    values: Doubles
    """Shape (T, F), NaN where a cell is empty."""
    time: Doubles | None
    """Shape (T,), seconds, NaN where it is missing; None without a time column."""
    channels: tuple[str, ...]
    """F names."""
    labels: npt.NDArray[np.str_] | None
    """Label cell of each row."""
    ignored: tuple[str, ...]
    """Columns left out: text, labels, empty."""
    notes: tuple[str, ...] = ()
    """How the file's format was understood, in words."""

    @classmethod
    def read(
        cls,
        path: Path,
        columns: Sequence[str] | None,
        time_column: str | None,
        label_column: str | None,
        missing: Sequence[str] = (),
    ) -> Table:
        """Read one file.

        Args:
            path: Of the file.
            columns: Channels to take, in this order; None takes every number column.
            time_column: Name of the time column; None looks for one.
            label_column: Column of labels, never a channel.
            missing: Further words for a missing value.

        Raises:
            SeriesError: If it cannot be read, lacks a column, or has text among numbers.
        """
        reader = _Reader(path, columns, time_column, label_column, missing)
        reader.read()
        return reader.finish()

    @classmethod
    def joined(cls, tables: Sequence[Table]) -> Table:
        """Tables of the same columns, one below the other."""
        values = np.concatenate([table.values for table in tables])
        time = np.concatenate([np.asarray(table.time) for table in tables])
        first = tables[0]
        labels = None if first.labels is None else np.concatenate([np.asarray(table.labels) for table in tables])
        notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
        return cls(values, time, first.channels, labels, first.ignored, notes)


class _Reader:
    """Takes a file's rows; what a column is shows only once all of them have come."""

    def __init__(
        self,
        path: Path,
        columns: Sequence[str] | None,
        time_column: str | None,
        label_column: str | None,
        missing: Sequence[str],
    ) -> None:
        self.name, self.columns, self.label_column = path.name, columns, label_column
        self.table = open_table(read_lines(path), path.name)
        self._check([*(columns or ()), *filter(None, (time_column, label_column))])
        self.time = self.table.time(time_column, (*(columns or ()), label_column))
        taken = (label_column, *(self.table.names[at] for at in self.time.positions))
        wanted = columns or [name for name in self.table.names if name not in taken]
        self.cells = self.table.cells(missing)
        self.numbers = [NumberColumn(name, self.name, self.cells, bool(columns)) for name in wanted]
        self._positions = [self.table.names.index(name) for name in wanted]
        self._label = self.table.names.index(label_column) if label_column else None
        self.times: list[Doubles] = []
        self.labels: list[str] = []
        self.rows = 0

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.table.names:
                raise SeriesError(f"{self.name} has no column {name!r}; it has {', '.join(self.table.names)}.")
        if self.label_column in (self.columns or ()):
            raise SeriesError(f"{self.label_column!r} is the label column and cannot be a channel too. Leave it out.")

    def read(self) -> None:
        """Take all rows, block by block."""
        rows = self.table.rows()
        while block := list(islice(rows, BLOCK)):
            lines, cells = [line for line, _ in block], list(zip(*(written for _, written in block), strict=True))
            self.rows += len(block)
            for column, at in zip(self.numbers, self._positions, strict=True):
                column.take(cells[at], lines)
            if self.time.positions:
                self.times.append(self._read_times(block))
            if self._label is not None:
                self.labels += [cell.strip() for cell in cells[self._label]]
        if not self.rows:
            raise SeriesError(f"{self.name} holds no rows. Give a CSV file with one row a sample.")

    def _read_times(self, block: Sequence[tuple[int, list[str]]]) -> Doubles:
        times = np.full(len(block), np.nan)
        for at, (line, cells) in enumerate(block):
            try:
                moment, _ = self.time.read(cells)
            except SeriesError as error:
                raise self.table.error(
                    line,
                    str(error),
                    "Use ISO 8601 (2024-05-01 12:00:00) or seconds, or name another column with --time-column.",
                ) from error
            times[at] = np.nan if moment is None else moment
        return times

    def finish(self) -> Table:
        """The columns that are channels."""
        time = np.concatenate(self.times) if self.times else None
        taken: dict[str, Doubles] = {}
        for column in self.numbers:
            is_label = not self.columns and column.name.lower() in LABEL_NAMES
            values = None if is_label else column.finish()
            if values is not None:
                taken[column.name] = values
        others = () if self.columns else [name for name, values in taken.items() if _is_no_channel(values, time)]
        if len(others) < len(taken):
            taken = {name: values for name, values in taken.items() if name not in others}
        if not taken:
            raise SeriesError(
                f"{self.name} has no column of numbers{self._shown()}; it has {', '.join(self.table.names)}."
            )
        channels = tuple(taken)
        ignored = tuple(column.name for column in self.numbers if column.name not in taken)
        labels = np.asarray(self.labels, str) if self._label is not None else None
        return Table(_stacked(taken), time, channels, labels, ignored, self._notes())

    def _shown(self) -> str:
        """A cell of the first text column, for the error that there are no numbers."""
        return next(
            (f" (line {c.example[0]}, column {c.name!r}: {c.example[1][:40]!r})" for c in self.numbers if c.example), ""
        )

    def _notes(self) -> tuple[str, ...]:
        """How times and cells were understood, where that is not a matter of course."""
        names = [self.table.names[at] for at in self.time.positions]
        notes = [f"times were read from {' and '.join(map(repr, names))}"] if len(names) > 1 else []
        if self.time.month_first:
            notes.append(f"dates in {names[0]!r} were read as month/day/year")
        return (*notes, *self.cells.notes())


def _is_no_channel(values: Doubles, time: Doubles | None) -> bool:
    """Whether a column of numbers counts rows, or is the time once more."""
    if counts_rows(values):
        return True
    if time is None or np.isnan(values[0]) or not np.nanmin(np.abs(values)) > 1e8:
        return False
    try:
        known = np.flatnonzero(np.isfinite(values) & np.isfinite(time))[:BLOCK]
        repeated = np.array([seconds(value) for value in values[known].tolist()])
    except ValueError:
        return False
    shift = repeated - time[known]  # a time zone apart, it is still the time
    return (
        len(known) > 2 and bool(np.ptp(shift) <= CLOCK_TOLERANCE) and bool(np.ptp(time[known]) > 10 * CLOCK_TOLERANCE)
    )


def _stacked(columns: dict[str, Doubles]) -> Doubles:
    """Columns side by side, each freed as soon as it is copied."""
    names = list(columns)
    values = np.empty((len(columns[names[0]]), len(names)))
    for at, name in enumerate(names):
        values[:, at] = columns.pop(name)
    return values


def read_names(path: Path) -> tuple[str, ...]:
    """The names of a file's columns, read from its beginning.

    Raises:
        SeriesError: If the file cannot be read or is empty.
    """
    return open_table(read_lines(path), path.name).names


def read_text(path: Path) -> dict[str, list[str]]:
    """The whole file as text, by column, cells as they are written without blanks around them.

    Raises:
        SeriesError: If the file cannot be read or holds no rows.
    """
    table = open_table(read_lines(path), path.name)
    rows = [[cell.strip() for cell in cells] for _, cells in table.rows()]
    if not rows:
        raise SeriesError(f"{path.name} holds no rows. Give a CSV file with one row a sample.")
    return {name: list(cells) for name, cells in zip(table.names, zip(*rows, strict=True), strict=True)}
