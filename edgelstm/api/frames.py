"""Tables of the user's as series: pandas, polars and NumPy, by the rules and repairs of CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import LABEL_NAMES
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.sources.signals import Signals
from edgelstm.runtime.sources.time_columns import time_name

from ..data.series import Series, read_for_model, read_series, series_of
from ..data.table import Table
from .columns import NUMBER, TIME, Column, columns_of, library_of, pandas_seconds

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """Columns to take from a table."""

    columns: Sequence[str] | None = None
    """Channels in this order; None takes every number column but times and labels."""
    time_column: str | None = None
    """Column with the times; None takes a pandas index of dates, or looks for a column."""
    label_column: str | None = None
    """Column that says which rows are not normal; never a channel."""
    model: Metadata | None = None
    """Model that rows are read for, with its grid, counters and signals; None to choose a grid where rows are irregular."""


def read_frame(data: Any, wanted: Wanted, repair: bool = True) -> Series:
    """Read a table into a series.

    Args:
        data: pandas or polars table, array of shape (T, F), path of a CSV file, or a `Series`, which is returned as it is.
        wanted: Columns to take.
        repair: Sort, fill short gaps, cut at long ones, bring irregular rows to a grid; off gives the rows as they are.

    Raises:
        SeriesError: If columns are missing, or hold no numbers.
    """
    if isinstance(data, Series):
        return data
    if isinstance(data, str | Path):
        if wanted.model is not None:
            return read_for_model(wanted.model, data, wanted.time_column, wanted.label_column, repair)
        names = list(wanted.columns) if wanted.columns else None
        return read_series([data], names, wanted.time_column, wanted.label_column, repair)
    series = series_of(table_of(data, wanted), repair, wanted.model)
    return replace(series, units={**series.units, **units_of(data)})


def table_of(data: Any, wanted: Wanted) -> Table:
    """Arrays of a table, rows as they stand.

    Args:
        data: pandas or polars table, or array of shape (T, F).
        wanted: Columns to take.
    """
    if library_of(data) == "numpy":
        return _table_of_array(np.asarray(data, np.float64), wanted)
    frame = data.collect() if hasattr(data, "collect") else data
    frame = frame if hasattr(frame, "columns") else frame.to_frame()
    columns = columns_of(frame)
    if lacking := [name for name in (wanted.time_column, wanted.label_column) if name and name not in columns]:
        raise SeriesError(f"The table has no column {lacking[0]!r}; it has {', '.join(columns)}.")
    time, used = _time(frame, columns, wanted)
    labels = None if wanted.label_column is None else columns[wanted.label_column].texts()
    others = {wanted.label_column, used}
    channels = tuple(wanted.columns or _number_columns(columns, others))
    ignored = tuple(name for name in columns if name not in channels and name not in others)
    return Table(_values(columns, channels), time, channels, labels, ignored)


def _table_of_array(values: Doubles, wanted: Wanted) -> Table:
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1]:
        raise SeriesError(f"Rows are an array of shape (rows, channels); received shape {values.shape}.")
    names = tuple(wanted.columns or (f"x{at}" for at in range(values.shape[1])))
    if len(names) != values.shape[1]:
        raise SeriesError(
            f"{len(names)} channels are named ({', '.join(names)}); the array has {values.shape[1]} columns."
        )
    return Table(values, None, names, None, ())


def _time(frame: Any, columns: Mapping[str, Column], wanted: Wanted) -> tuple[Doubles | None, str | None]:
    """Seconds of each row, and the column that they came from: an index of dates, a column of dates, or one by its name."""
    name = wanted.time_column
    if name is None and has_dates(frame):
        return pandas_seconds(frame.index.array), None
    taken = (*(wanted.columns or ()), wanted.label_column)
    free = [name for name in columns if name not in taken]
    name = name or next((name for name in free if columns[name].kind == TIME), None) or time_name(free)
    return (None, None) if name is None else (columns[name].seconds(name), name)


def has_dates(data: Any) -> bool:
    """Tell a pandas table or column whose index holds dates."""
    return library_of(data) == "pandas" and getattr(data.index.dtype, "kind", "") == "M"


def _number_columns(columns: Mapping[str, Column], others: set[str | None]) -> list[str]:
    names = [
        name
        for name, column in columns.items()
        if column.kind == NUMBER and name not in others and name.lower() not in LABEL_NAMES
        and not np.isnan(column.cells).all()
    ]  # fmt: skip
    if not names:
        raise SeriesError(f"Channels are columns of numbers; the table has {', '.join(columns) or 'no column'}.")
    return names


def _values(columns: Mapping[str, Column], channels: Sequence[str]) -> Doubles:
    if lacking := [name for name in channels if name not in columns]:
        raise SeriesError(f"The table has no column {', '.join(lacking)}; it has {', '.join(columns)}.")
    if others := [name for name in channels if columns[name].kind != NUMBER]:
        raise SeriesError(
            f"Channels hold numbers; column {others[0]!r} holds {columns[others[0]].kind}s. Leave it out."
        )
    return np.stack([columns[name].cells for name in channels], axis=1)


def wanted_by(metadata: Metadata, time_column: str | None = None, label_column: str | None = None) -> Wanted:
    """Columns and grid that a model takes.

    Args:
        metadata: The model's.
        time_column: Column with the times; None looks for one.
        label_column: Column that says which rows are not normal.
    """
    return Wanted(Signals.of(metadata.sections).paths(metadata.names), time_column, label_column, metadata)


def units_of(data: Any) -> dict[str, str]:
    """Units of a pandas table's channels, as `attrs["units"]` names them; empty for other tables."""
    named = data.attrs.get("units", {}) if library_of(data) == "pandas" else {}
    return {str(name): str(unit) for name, unit in dict(named).items()}
