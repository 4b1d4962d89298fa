"""Recent rows of a file on the model's time grid: sorted, doubles dropped, short gaps bridged, as in training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import SeriesError
from ..io.timestamps import is_time
from ..sources import Columns, Sample, parse_file
from ..sources.model_rows import ModelRows

Doubles = npt.NDArray[np.float64]
FILL = 3  # missing samples in a row that a straight line may bridge, as in training
MOST_EMPTY = (
    1_000_000  # values that a grid may hold beyond ten rows for each row read: a wrong time must not fill the memory
)


@dataclass(frozen=True)
class Recent:
    """Rows on a regular time grid."""

    values: Doubles
    """Sensor units, shape (T, F); NaN where more than 3 samples are missing, and where cells are empty at the end."""
    times: Doubles
    """Seconds since 1970 or the row number, shape (T,)."""
    dated: bool
    """True if the times are dates."""
    doubled: int = 0
    """Rows that were dropped, as their time was there already."""
    untimed: int = 0
    """Rows that were dropped, as they have no time and others have one."""


def read_recent(lines: Iterable[str], columns: Columns, period: float | None, origin: str = "the input") -> Recent:
    """Read rows of text, CSV of any separator or JSON lines.

    Args:
        lines: The rows.
        columns: The model's channels and their names in the source.
        period: Seconds between the model's samples; None when it was trained on rows without times.
        origin: Name of the source, for errors.

    Raises:
        SeriesError: If there is no row, a cell is no number, or rows have no time where the model needs one.
        ShapeError: If a channel is missing.
    """
    rows = list(ModelRows(columns).samples(parse_file(lines, columns, origin)))
    if not rows:
        raise SeriesError(f"{origin} holds no rows. Give the most recent ones, oldest first.")
    timed = rows if period is None else _timed(rows, origin)
    values = np.array([row.values for row in timed], np.float64)
    values[~np.isfinite(values)] = np.nan
    if period is None:
        return recent_of(values, np.arange(len(rows), dtype=np.float64), None)
    moments = np.array([row.time for row in timed], np.float64)
    return recent_of(values, moments, period, is_time(timed[0].label), len(rows) - len(timed))


def recent_of(values: Doubles, times: Doubles, period: float | None, dated: bool = False, untimed: int = 0) -> Recent:
    """Bring rows to the model's grid.

    Args:
        values: Sensor units, shape (T, F); NaN where one is missing.
        times: Shape (T,).
        period: Seconds between the model's samples; None when it was trained on rows without times.
        dated: Whether the times are dates.
        untimed: Rows that were dropped before.

    Raises:
        SeriesError: If the rows span many more steps than there are rows.
    """
    if period is None:
        return Recent(bridged(values), times, False)
    grid, moments = on_grid(values, times, period)
    doubled = len(times) - len(np.unique(np.rint((times - moments[0]) / period)))
    return Recent(bridged(grid), moments, dated, doubled, untimed)


def _timed(rows: list[Sample], origin: str) -> list[Sample]:
    """The rows that have a time."""
    timed = [row for row in rows if row.time is not None and math.isfinite(row.time)]
    if not timed:
        raise SeriesError(
            f"{origin} has rows without a time, which this model needs. Give a time column, or name it with --time-column."
        )
    return timed


def on_grid(values: Doubles, times: Doubles, period: float) -> tuple[Doubles, Doubles]:
    """Sort rows by time onto a regular grid; the first of doubled rows is kept, a missing one is empty.

    Args:
        values: Shape (T, F).
        times: Seconds, shape (T,).
        period: Seconds between rows of the grid.

    Raises:
        SeriesError: If the rows span many more steps than there are rows.

    >>> on_grid(np.array([[3.0], [1.0]]), np.array([20.0, 0.0]), 10.0)[0].ravel().tolist()
    [1.0, nan, 3.0]
    """
    order = np.argsort(times, kind="stable")
    with np.errstate(over="ignore"):  # an infinite number of steps is refused like any other
        positions = np.rint((times[order] - times[order[0]]) / period)
    if not positions[-1] < MOST_EMPTY // max(1, values.shape[1]) + 10 * len(times):
        raise SeriesError(
            f"The rows span {positions[-1]:.0f} steps of {period:g} s, but there are {len(times)}. "
            "The model was trained on other distances; check the time column."
        )
    steps, first = np.unique(positions.astype(np.int64), return_index=True)
    grid = np.full((int(steps[-1]) + 1, values.shape[1]), np.nan)
    grid[steps] = values[order[first]]
    return grid, times[order[0]] + period * np.arange(len(grid))


def bridged(values: Doubles) -> Doubles:
    """Up to 3 missing samples of a channel bridged by a straight line; longer gaps, and those at the ends, stay."""
    filled = values.copy()
    for column in filled.T:
        known = np.flatnonzero(~np.isnan(column))
        for left, right in itertools.pairwise(known):
            if 1 < right - left <= FILL + 1:
                inside = np.arange(left + 1, right)
                column[inside] = np.interp(inside, [left, right], [column[left], column[right]])
    return filled
