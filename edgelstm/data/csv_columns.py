"""Columns of a CSV file as numbers and times, by the same rules as on the device."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import is_time, is_time_of_day, month_first, parse_time, seconds
from edgelstm.runtime.sources.column_mapping import time_name
from edgelstm.runtime.sources.csv_cells import MISSING, number

Doubles = npt.NDArray[np.float64]
COUNTER = 50  # rows from which a column that goes up by one a row counts rows and measures nothing
TEXT_SHARE = 0.5  # of a column's cells: from there on it is a text column, below it the text is a mistake


class NumberColumn:
    """A column that may turn out to be numbers."""

    def __init__(self, name: str, path: Path, thousands: str = "") -> None:
        self.name, self.path, self.thousands = name, path, thousands
        self.blocks: list[Doubles] = []
        self.rows = self.text = 0
        self.example: tuple[int, str] | None = None

    def take(self, block: Any) -> None:
        """Take the next rows."""
        cells = block[self.name]
        values = np.array(cells, np.float64) if cells.dtype.kind in "biuf" else self._read(cells)
        values[~np.isfinite(values)] = np.nan
        self.blocks.append(values)
        self.rows += len(values)

    def _read(self, cells: Any) -> Doubles:
        """Text and numbers mixed: each different cell is read once, words for a missing value are NaN."""
        codes, different = cells.factorize(use_na_sentinel=True)
        comma = self.thousands != ","
        found = [number(str(cell), comma, self.thousands) for cell in different]
        bad = np.asarray([value is None for value in found], bool)
        is_text = np.append(bad, False)[codes]
        if is_text.any():
            self.text += int(is_text.sum())
            first = int(np.flatnonzero(is_text)[0])
            self.example = self.example or (self.rows + first + 1, str(cells.iloc[first]))
        different = np.asarray([np.nan if value is None else value for value in found] + [np.nan], np.float64)
        values: Doubles = different[codes]
        return values

    def finish(self, explicit: bool) -> Doubles | None:
        """The numbers, (T,); None for a column of text or without a value.

        Args:
            explicit: Whether the user named the column.

        Raises:
            SeriesError: If there is text among numbers.
        """
        values = np.concatenate(self.blocks)
        self.blocks.clear()
        if self.example and (explicit or self.text < TEXT_SHARE * self.rows):
            row, cell = self.example
            raise SeriesError(
                f"{self.path.name}, data row {row}, column {self.name!r}: {cell[:40]!r} is not a number. "
                "Mend the cell, leave it empty, or choose other columns with --columns."
            )
        if self.example or np.isnan(values).all():
            if explicit:
                raise SeriesError(
                    f"{self.path.name}, column {self.name!r} holds no value. Choose others with --columns."
                )
            return None
        return values


def counts_rows(values: Doubles) -> bool:
    """Whether a column is a row counter, as pandas and spreadsheets add one.

    >>> counts_rows(np.arange(100.0)), counts_rows(np.zeros(100))
    (True, False)
    """
    return len(values) >= COUNTER and bool((np.diff(values) == 1).all())


class TimeColumn:
    """The time of each row, from one column or from a date and a time of day in two."""

    def __init__(self, names: tuple[str, ...], path: Path) -> None:
        self.names, self.path = names, path
        self.blocks: list[Doubles] = []
        self.rows = 0
        self.month_first: bool | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """How dates were understood, where that is not a matter of course."""
        return (f"dates in {self.names[0]!r} were read as month/day/year",) if self.month_first else ()

    def take(self, block: Any) -> None:
        """Take the next rows."""
        cells = block[self.names[0]]
        for name in self.names[1:]:
            cells = cells.astype(str) + " " + block[name].astype(str)
        self.blocks.append(self._read(cells))
        self.rows += len(cells)

    def _read(self, cells: Any) -> Doubles:
        if cells.dtype.kind in "iuf" and (fast := _counted(cells.to_numpy(np.float64))) is not None:
            return fast
        if (fast := _iso(cells)) is not None:
            return fast
        codes, different = cells.factorize(use_na_sentinel=True)
        if self.month_first is None:
            self.month_first = bool(month_first(map(str, different)))
        known = np.asarray([self._one(str(cell)) for cell in different] + [np.nan], np.float64)
        times: Doubles = known[codes]
        bad = np.isinf(times)
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise SeriesError(
                f"{self.path.name}, data row {self.rows + first + 1}, time column {' and '.join(map(repr, self.names))}: "
                f"{str(cells.iloc[first])[:40]!r} is not a time. "
                "Use ISO 8601 (2024-05-01 12:00:00) or seconds, or name another column with --time-column."
            )
        return times

    def _one(self, cell: str) -> float:
        """Seconds; NaN for a missing time, infinite for what is none."""
        if cell.strip().casefold() in MISSING:
            return np.nan
        try:
            return parse_time(cell, bool(self.month_first))
        except ValueError:
            return np.inf

    def finish(self) -> Doubles:
        """Seconds, (T,)."""
        return np.concatenate(self.blocks)


def _counted(numbers: Doubles) -> Doubles | None:
    """Seconds of numbers that count from 1970; None where one is no time."""
    try:
        return np.asarray([number if math.isnan(number) else seconds(number) for number in numbers.tolist()])
    except ValueError:
        return None


def _iso(cells: Any) -> Doubles | None:
    """Seconds of a column of ISO 8601 dates, all at once; None where a cell is written otherwise."""
    import pandas as pd

    try:
        moments = pd.to_datetime(cells, format="ISO8601", utc=True)
    except (ValueError, TypeError, OverflowError):
        return None
    nanoseconds = moments.to_numpy("datetime64[ns]").astype(np.int64)
    found: Doubles = np.where(moments.isna(), np.nan, nanoseconds / 1e9)
    return found


def find_time(block: Any, given: str | None, others: Sequence[str | None], path: Path) -> TimeColumn | None:
    """The time column: the one that is given, a known name, or the first column whose cells are dates.

    A time of day alone is joined with a column of dates.

    Args:
        block: The first rows.
        given: Name that the user gave.
        others: Columns that are something else.
        path: For errors.
    """
    candidates = [name for name in block.columns if name not in others]
    named = given or time_name(candidates)
    if named is None:
        return next((TimeColumn((name,), path) for name in candidates[:2] if _all(block[name], is_time)), None)
    if _all(block[named], is_time_of_day):
        date = next((name for name in candidates if name != named and _all(block[name], is_time)), None)
        if date is not None:
            return TimeColumn((date, named), path)
    return TimeColumn((named,), path)


def _all(column: Any, rule: Callable[[str], bool]) -> bool:
    """Whether the first few cells, as text, follow a rule."""
    cells = [cell for cell in column.dropna().head(5) if isinstance(cell, str)]
    return bool(cells) and all(map(rule, cells))
