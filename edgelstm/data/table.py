"""One CSV file as it stands, as arrays: the front that the device reads it by, and all of its number columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import LABEL_NAMES, seconds
from edgelstm.runtime.sources.csv_cells import clauses
from edgelstm.runtime.sources.csv_dialect import doubled
from edgelstm.runtime.sources.record_table import open_path
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.signals import Signal

from .long_table import KeyColumn, LongForm, find_long
from .number_columns import NumberColumn, counts_rows

Doubles = npt.NDArray[np.float64]
BLOCK = 20_000  # rows taken at a time, so that memory stays near that of the numbers
CLOCK_TOLERANCE = 1.0  # seconds by which a second time column may differ from the first one


@dataclass(frozen=True)
class Request:
    """Columns and form that a caller wants of a file."""

    columns: Sequence[str] | None = None
    """Channels to take, in this order; None takes every number column."""
    time_column: str | None = None
    """Name of the time column; None looks for one."""
    label_column: str | None = None
    """Column of labels, never a channel."""
    missing: Sequence[str] = ()
    """Further words for a missing value."""
    resampling: Resampling | None = None
    """Grid of the model that the file is read for, with the columns of its long tables."""
    signals: Mapping[str, Signal] = field(default_factory=dict)
    """Unit, and words for on and off, of columns by their names."""


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
    """Notes on the file's form, in words."""
    keys: tuple[str, ...] = ()
    """Columns that named the channels of a long table; each row holds one channel, NaN else."""
    key_values: tuple[str, ...] = ()
    """Columns that held the values of a long table."""
    resampling: Resampling | None = None
    """Grid that the rows were brought to; None for rows as they came."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit of each channel whose cells have one."""

    @classmethod
    def read(cls, path: Path, request: Request) -> Table:
        """Read one file.

        Args:
            path: Of the file.
            request: What is wanted of it.

        Raises:
            SeriesError: If it cannot be read, lacks a column, or has text among numbers.
        """
        reader = _Reader(path, request)
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
        return replace(first, values=values, time=time, labels=labels, notes=notes)


class _Reader:
    """Takes a file's rows; what a column is shows only once all of them have come."""

    def __init__(self, path: Path, request: Request) -> None:
        self.name, self.request = path.name, request
        self.table = open_path(path, request.columns or ())
        label = request.label_column
        self._check(list(filter(None, (request.time_column, label))))
        names = self.table.names
        self._check_single(request.columns or ())
        self.columns = request.columns if request.columns and set(request.columns) <= set(names) else None
        self.time = self.table.time(request.time_column, tuple(filter(None, (*(self.columns or ()), label))))
        taken = (label, *(names[at] for at in self.time.positions))
        wanted = self.columns or [name for name in names if name not in taken]
        self.numbers = [
            NumberColumn(name, self.name, self.table.cells(request.missing, request.signals), bool(self.columns))
            for name in wanted
        ]
        self.keys = [] if self.columns or not self.time.positions else [KeyColumn(name) for name in wanted]
        self._positions = [names.index(name) for name in wanted]
        self._label = names.index(label) if label else None
        labels = () if self._label is None else (self._label,)
        self.table.read_only({*self._positions, *self.time.positions, *labels})
        self.times: list[Doubles] = []
        self.labels: list[str] = []
        self.rows = 0

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.table.names:
                raise SeriesError(f"{self.name} has no column {name!r}; it has {', '.join(self.table.names)}.")
        label = self.request.label_column
        if label in (self.request.columns or ()):
            raise SeriesError(f"{label!r} is the label column and cannot be a channel too. Leave it out.")

    def _check_single(self, columns: Sequence[str]) -> None:
        twice = next((name for name, count in Counter(columns).items() if count > 1), None)
        if twice is not None:
            raise SeriesError(f"The column {twice} is named twice. Name each column once.")
        name = doubled(self.table.header, columns)
        if name is not None:
            raise SeriesError(f"{self.name} has several columns called {name}. Give each a name of its own.")

    def read(self) -> None:
        """Take all rows, block by block."""
        rows = self.table.rows()
        while block := list(islice(rows, BLOCK)):
            lines, cells = [line for line, _ in block], list(zip(*(written for _, written in block), strict=True))
            self.rows += len(block)
            for column, at in zip(self.numbers, self._positions, strict=True):
                column.take(cells[at], lines)
            for key, at in zip(self.keys, self._positions, strict=bool(self.keys)):
                key.take(cells[at])
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
        time = None if time is None or np.isnan(time).all() else time  # an empty column is none
        labels = np.asarray(self.labels, str) if self._label is not None else None
        form = self._long(time)
        if form is not None:
            return self._pivoted(form, time, labels)
        if self.columns is None and self.request.columns:
            self._check(self.request.columns)
        taken: dict[str, Doubles] = {}
        for column in self.numbers:
            is_label = not self.columns and column.name.lower() in LABEL_NAMES
            values = None if is_label else column.finish()
            if values is not None:
                taken[column.name] = values
        others = (
            () if self.columns else [name for name, values in taken.items() if self._is_no_channel(name, values, time)]
        )
        if len(others) < len(taken):
            taken = {name: values for name, values in taken.items() if name not in others}
        if not taken:
            raise SeriesError(
                f"{self.name} has no column of numbers{self._shown()}; it has {', '.join(self.table.names)}."
            )
        channels = tuple(taken)
        ignored = tuple(column.name for column in self.numbers if column.name not in taken)
        units = {column.name: unit for column in self.numbers if (unit := column.cells.units.get(column.name))}
        return Table(_stacked(taken), time, channels, labels, ignored, self._notes(channels), units=units)

    def _long(self, time: Doubles | None) -> LongForm | None:
        """The form of a long table, as the model says or as the cells tell."""
        grid, names = self.request.resampling, {key.name for key in self.keys}
        if grid is not None and grid.keys and {*grid.keys, *grid.values} <= names:
            return LongForm.of([key for key in self.keys if key.name in grid.keys], grid.values)
        if time is None:
            return None
        numbers = {column.name: values for column in self.numbers if (values := column.numbers()) is not None}
        others = {name for name, values in numbers.items() if self._is_no_channel(name, values, time)}
        numbers = {name: values for name, values in numbers.items() if name not in others}
        keys = [key for key in self.keys if key.name not in others]
        return find_long(time, keys, numbers, self.name) if numbers else None

    def _pivoted(self, form: LongForm, time: Doubles | None, labels: npt.NDArray[np.str_] | None) -> Table:
        """A long table with a column a channel."""
        columns = {column.name: column for column in self.numbers}
        channels, values = form.pivot({name: columns[name].of_channels(form.codes, form.names) for name in form.values})
        wanted = self.request.columns or channels
        if lacking := [name for name in wanted if name not in channels]:
            raise SeriesError(
                f"{self.name} has no {', '.join(lacking)}; its {' and '.join(form.keys)} are {', '.join(channels)}."
            )
        ignored = [name for name in columns if name not in (*form.keys, *form.values)]
        ignored += [name for name in form.channels if name not in wanted]
        note = f"a long table: {len(wanted)} channels named by {' and '.join(form.keys)}, values in {' and '.join(form.values)}"
        picked = values[:, [channels.index(name) for name in wanted]]
        notes = (*self._notes(form.values), note)
        return Table(picked, time, tuple(wanted), labels, tuple(ignored), notes, form.keys, form.values)

    def _is_no_channel(self, name: str, values: Doubles, time: Doubles | None) -> bool:
        """Tell a column that counts rows, is the time once more, or the number of a table in annotated CSV."""
        numbers_tables = name == "table" and self.table.dialect.comments
        return numbers_tables or counts_rows(values) or _repeats_time(values, time)

    def _shown(self) -> str:
        """A cell of the first text column, for the error that there are no numbers."""
        return next(
            (f" (line {c.example[0]}, column {c.name!r}: {c.example[1][:40]!r})" for c in self.numbers if c.example), ""
        )

    def _notes(self, used: Sequence[str]) -> tuple[str, ...]:
        """Notes on times and cells where they are not a matter of course."""
        names = [self.table.names[at] for at in self.time.positions]
        notes = [f"times were read from {' and '.join(map(repr, names))}"] if len(names) > 1 else []
        if self.time.month_first:
            notes.append(f"dates in {names[0]!r} were read as month/day/year")
        understood: Counter[str] = Counter()
        for column in self.numbers:
            if column.name in used:
                understood.update(column.cells.understood)
        return (*notes, *self.table.notes(), *clauses(understood))


def _repeats_time(values: Doubles, time: Doubles | None) -> bool:
    """Tell whether a column of numbers is the time once more."""
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
    return open_path(path).names


def read_text(path: Path) -> dict[str, list[str]]:
    """The whole file as text, by column, cells as they are written without blanks around them.

    Raises:
        SeriesError: If the file cannot be read or holds no rows.
    """
    table = open_path(path)
    rows = [[cell.strip() for cell in cells] for _, cells in table.rows()]
    if not rows:
        raise SeriesError(f"{path.name} holds no rows. Give a CSV file with one row a sample.")
    return {name: list(cells) for name, cells in zip(table.names, zip(*rows, strict=True), strict=True)}
