"""Columns of pandas and polars tables as arrays; neither library is imported, what comes in brings it along."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import parse_time, seconds

Doubles = npt.NDArray[np.float64]
NUMBER, TIME, TEXT = "number", "time", "text"
MICRO = 1e6  # microseconds since 1970 are exact in double precision until the year 2255


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    kind: str
    """number, time or text."""
    cells: npt.NDArray[Any]
    """Shape (T,): doubles with NaN for missing numbers, seconds since 1970, or objects."""

    def seconds(self, name: str) -> Doubles:
        """Cells as seconds: dates as they are, numbers and texts as in CSV files.

        Raises:
            SeriesError: If a cell is no time.
        """
        if self.kind == TIME:
            return self.cells
        try:
            if self.kind == NUMBER:
                return np.array([cell if np.isnan(cell) else seconds(cell) for cell in self.cells.tolist()], np.float64)
            return np.array([np.nan if _missing(cell) else parse_time(str(cell)) for cell in self.cells.tolist()])
        except ValueError as error:
            raise SeriesError(f"Column {name!r} holds no times ({error}). Name another with time_column.") from error

    def texts(self) -> npt.NDArray[np.str_]:
        """Cells as text, empty where one is missing."""
        return np.array(["" if _missing(cell) else str(cell) for cell in self.cells.tolist()])


def _missing(cell: Any) -> bool:
    return cell is None or bool(cell != cell)  # not a number, not a time


def library_of(data: Any) -> str:
    """Library that a table or column comes from: pandas, polars, or numpy for arrays and lists."""
    for library, names in (("pandas", ("DataFrame", "Series")), ("polars", ("DataFrame", "LazyFrame", "Series"))):
        module = sys.modules.get(library)
        if module is not None and isinstance(data, tuple(getattr(module, name) for name in names)):
            return library
    return "numpy"


def columns_of(frame: Any) -> dict[str, Column]:
    """The columns of a pandas or polars data frame, by name.

    Raises:
        SeriesError: If two have the same name.
    """
    read = _polars_column if library_of(frame) == "polars" else _pandas_column
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SeriesError(f"Two columns are called {twice!r}. Give each a name of its own.")
    return {str(name): read(frame[name]) for name in frame.columns}


def _pandas_column(column: Any) -> Column:
    kind = getattr(column.dtype, "kind", "O")
    if kind == "M":
        return Column(TIME, pandas_seconds(column.array))
    if kind in "fiub":
        return Column(NUMBER, np.asarray(column.to_numpy(np.float64, na_value=np.nan)))
    return Column(TEXT, np.asarray(column.to_numpy(object), object))


def pandas_seconds(dates: Any) -> Doubles:
    """Seconds since 1970 of a pandas array of dates, NaN where one is missing; dates without a zone are UTC."""
    dates = dates.tz_convert("UTC").tz_localize(None) if getattr(dates, "tz", None) is not None else dates
    stamps = np.asarray(dates, "datetime64[us]")
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / MICRO)


def _polars_column(column: Any) -> Column:
    kind = str(column.dtype)
    if kind.startswith(("Datetime", "Date")):
        stamps = column.cast(sys.modules["polars"].Datetime("us")) if kind == "Date" else column
        return Column(TIME, np.asarray(stamps.dt.timestamp("us").cast(float).to_numpy(), np.float64) / MICRO)
    if column.dtype.is_numeric() or kind == "Boolean":
        return Column(NUMBER, np.asarray(column.cast(float).to_numpy(), np.float64))
    return Column(TEXT, np.asarray(column.to_list(), object))
