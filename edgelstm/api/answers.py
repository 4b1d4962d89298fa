"""Results in the user's own kind of table: the same library, index, time zone and units."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import TIME, columns_of, library_of
from .frames import has_dates, units_of

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]


def column_like(data: Any, values: Array, name: str, times: Doubles | None = None) -> Any:
    """A value for each row, as a column of the library that the rows came from.

    Args:
        data: The rows: pandas, polars, or anything else for an array.
        values: Shape (T,).
        name: Of the column.
        times: Seconds since 1970 of each value where rows were brought to a grid of their own; None for the rows' index.
    """
    library = library_of(data)
    if library == "pandas":
        index = data.index if times is None else moments_like(data, times)
        return sys.modules["pandas"].Series(values, index=index, name=name)
    if library == "polars":
        return sys.modules["polars"].Series(name, values, nan_to_null=False)
    return values


def table_like(data: Any, columns: Mapping[str, Sequence[Any] | Array], index: Any = None) -> Any:
    """A table of the library that the rows came from; pandas where they were an array and pandas is loaded, else a dict.

    Args:
        data: The rows.
        columns: Values by name, all of one length.
        index: Of a pandas table; of a polars table it becomes the first column, `time`.
    """
    library = library_of(data)
    if library == "polars":
        named = {} if index is None else {"time": index}
        return sys.modules["polars"].DataFrame({**named, **columns}, strict=False)
    if library == "pandas":
        frame = sys.modules["pandas"].DataFrame(dict(columns), index=index)
        if units := units_of(data):
            frame.attrs["units"] = units
        return frame
    return {name: np.asarray(values) for name, values in columns.items()}


def moments_like(data: Any, times: Array, time_column: str | None = None) -> Any:
    """Seconds since 1970 in the form that the rows write times in: dates of the same zone, or numbers.

    Args:
        data: The rows.
        times: Shape (N,), NaN where there is none.
        time_column: Their time column, where it was named.
    """
    library, seconds = library_of(data), np.asarray(times, np.float64)
    if library == "pandas":
        dates = data.index if has_dates(data) else _dates(data, time_column)
        if dates is not None:
            pandas = sys.modules["pandas"]
            moments = pandas.to_datetime(np.rint(seconds * 1e6), unit="us", utc=True)
            zone = dates.dt.tz if hasattr(dates, "dt") else dates.tz
            return moments.tz_convert(zone) if zone is not None else moments.tz_localize(None)
    if library == "polars":
        dates = _dates(data, time_column)
        if dates is not None:
            polars = sys.modules["polars"]
            stamps = [None if np.isnan(second) else round(second * 1e6) for second in seconds.tolist()]
            zone = getattr(dates.dtype, "time_zone", None)
            return polars.Series("time", stamps, polars.Int64).cast(polars.Datetime("us", zone))
    return seconds


def _dates(data: Any, time_column: str | None) -> Any:
    """The column of dates of a table, None where its times are numbers or texts."""
    if not hasattr(data, "columns"):
        return None
    kinds = {name: column.kind for name, column in columns_of(data).items()}
    name = time_column or next((name for name, kind in kinds.items() if kind == TIME), None)
    return data[name] if name is not None and kinds.get(name) == TIME else None
