"""One CSV file as it stands: time column, number columns and labels found, read in blocks so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import LABEL_NAMES
from edgelstm.runtime.sources.csv_dialect import BLANK

from .csv_columns import NumberColumn, TimeColumn, counts_rows, find_time
from .csv_encoding import Format, open_text

Doubles = npt.NDArray[np.float64]
BLOCK = 100_000  # rows parsed at a time


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
    """What was found about the file's format, in words."""

    @classmethod
    def read(
        cls, path: Path, columns: Sequence[str] | None, time_column: str | None, label_column: str | None
    ) -> Table:
        """Read one file.

        Raises:
            SeriesError: If it cannot be read, lacks a column, or has text among numbers.
        """
        form = Format.of(path)
        reader = _Reader(path, form.dialect.thousands, columns, time_column, label_column)
        for block in read_blocks(path, form):
            reader.take(block)
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
    """Takes a file's blocks; what a column is shows only once all of them have come."""

    def __init__(
        self,
        path: Path,
        thousands: str,
        columns: Sequence[str] | None,
        time_column: str | None,
        label_column: str | None,
    ) -> None:
        self.path, self.thousands, self.columns = path, thousands, columns
        self.time_column, self.label_column = time_column, label_column
        self.numbers: dict[str, NumberColumn] = {}
        self.time: TimeColumn | None = None
        self.labels: list[npt.NDArray[np.str_]] = []
        self.names: list[str] = []

    def take(self, block: Any) -> None:
        if not self.names:
            self._settle(block)
        for column in self.numbers.values():
            column.take(block)
        if self.time:
            self.time.take(block)
        if self.label_column:
            self.labels.append(block[self.label_column].astype(str).to_numpy(str))

    def _settle(self, block: Any) -> None:
        self.names = list(block.columns)
        for name in [*(self.columns or ()), *(part for part in (self.time_column, self.label_column) if part)]:
            if name not in self.names:
                raise SeriesError(f"{self.path.name} has no column {name!r}; it has {', '.join(self.names)}.")
        if self.label_column in (self.columns or ()):
            raise SeriesError(f"{self.label_column!r} is the label column and cannot be a channel too. Leave it out.")
        self.time = find_time(block, self.time_column, (*(self.columns or ()), self.label_column), self.path)
        taken = (self.label_column, *(self.time.names if self.time else ()))
        wanted = self.columns or [name for name in self.names if name not in taken]
        self.numbers = {name: NumberColumn(name, self.path, self.thousands) for name in wanted}

    def finish(self) -> Table:
        if not self.names:
            raise SeriesError(f"{self.path} holds no rows. Give a CSV file with one row a sample.")
        taken: dict[str, Doubles] = {}
        for name, column in self.numbers.items():
            is_label = not self.columns and name.lower() in LABEL_NAMES
            values = None if is_label else column.finish(explicit=bool(self.columns))
            if values is not None:
                taken[name] = values
        counters = [] if self.columns else [name for name, values in taken.items() if counts_rows(values)]
        if len(counters) < len(taken):
            taken = {name: values for name, values in taken.items() if name not in counters}
        if not taken:
            raise SeriesError(f"{self.path.name} has no column of numbers; it has {', '.join(self.names)}.")
        ignored = tuple(name for name in self.numbers if name not in taken)
        labels = np.concatenate(self.labels) if self.labels else None
        time, notes = (self.time.finish(), self.time.notes) if self.time else (None, ())
        channels = tuple(taken)
        return Table(_stacked(taken), time, channels, labels, ignored, notes)


def _stacked(columns: dict[str, Doubles]) -> Doubles:
    """Columns side by side, each freed as soon as it is copied."""
    names = list(columns)
    values = np.empty((len(columns[names[0]]), len(names)))
    for at, name in enumerate(names):
        values[:, at] = columns.pop(name)
    return values


def read_blocks(path: Path, form: Format) -> Iterator[Any]:
    """A file's rows as pandas frames of at most 100,000 rows, the columns named.

    Raises:
        SeriesError: If the file cannot be read or holds no rows.
    """
    import pandas as pd

    found = form.dialect
    begun = False
    try:
        with open_text(path, form.encoding, "replace") as file:
            for _ in range(found.skip):
                file.readline()
            options: dict[str, Any] = {} if found.separator == BLANK else {"skipinitialspace": True}
            blocks = pd.read_csv(
                file, sep=r"\s+" if found.separator == BLANK else found.separator, header=None, names=list(found.names), index_col=False, chunksize=BLOCK,
                decimal=found.decimal, thousands=found.thousands or None, low_memory=False, **options,
            )  # fmt: skip
            for block in blocks:
                begun = begun or len(block) > 0
                yield block
    except pd.errors.EmptyDataError:
        pass
    except (pd.errors.ParserError, ValueError, EOFError) as error:
        raise SeriesError(f"{path} is not a readable CSV file: {_reason(error, found.skip)}.") from error
    except OSError as error:
        raise SeriesError(f"Cannot read {path}: {error.strerror or error}.") from error
    if not begun:
        raise SeriesError(f"{path} holds no rows. Give a CSV file with one row a sample.")


def _reason(error: Exception, skip: int) -> str:
    import re

    text = " ".join(str(error).split())[:200].removeprefix("Error tokenizing data. ").removeprefix("C error: ")
    return re.sub(r"in line (\d+)", lambda match: f"in line {int(match[1]) + skip}", text).rstrip(".")


def read_frame(path: Path) -> Any:
    """The whole file as a pandas frame of text or numbers.

    Raises:
        SeriesError: If the file cannot be read or holds no rows.
    """
    import pandas as pd

    return pd.concat(list(read_blocks(path, Format.of(path))), ignore_index=True)
