"""Rows on one regular time grid: sorted, doubles dropped, short gaps filled, long ones cut."""

from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
FILL = 3  # missing samples in a row that a straight line may bridge
LONG = 1e9  # samples; a gap counts as no longer than that


def median_step(time: Doubles | None) -> float | None:
    """Median of the steps forward in seconds; None without times or without such a step."""
    if time is None or len(time) < 2:
        return None
    steps = np.diff(np.sort(time))
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else None


def order_rows(time: Doubles) -> tuple[npt.NDArray[np.intp] | None, int, int]:
    """Rows to keep, sorted, the first of each time (None: all as they are); how many came early, or without a time."""
    steps = np.diff(time)
    if (steps > 0).all():
        return None, 0, 0
    timed = np.flatnonzero(np.isfinite(time))
    steps = np.diff(time[timed])
    order = timed[np.argsort(time[timed], kind="stable")]
    _, first = np.unique(time[order], return_index=True)
    return order[first], int(np.sum(steps < 0)), len(time) - len(timed)


def insert_missing(
    values: Doubles, time: Doubles, labels: Any, missing: Any, step: float
) -> tuple[Doubles, Doubles, Any, npt.NDArray[np.intp]]:
    """Insert empty rows where up to 3 samples are missing; the rows at which longer gaps end are cuts.

    Args:
        values: Rows in time order, shape (T, F).
        time: Seconds, shape (T,).
        labels: Label of each row, or None.
        missing: Samples missing between each row and the next, shape (T - 1,).
        step: Seconds between samples.

    Returns:
        Values, times and labels with the inserted rows, and the rows at which a new stretch begins.
    """
    short = np.flatnonzero((missing > 0) & (missing <= FILL))
    places = np.repeat(short + 1, missing[short])
    cuts = np.flatnonzero(missing > FILL) + 1
    cuts = cuts + np.searchsorted(places, cuts, side="right")
    if len(places):
        offsets = np.concatenate([np.arange(1, count + 1) for count in missing[short]])
        extra_time = time[places - 1] + offsets * step
        values = np.insert(values, places, np.nan, axis=0)
        time = np.insert(time, places, extra_time)
        labels = None if labels is None else np.insert(labels, places, labels[places - 1])
    return values, time, labels, cuts


def fill_short(values: Doubles, cuts: npt.NDArray[np.intp]) -> tuple[Doubles, int]:
    """Bridge up to 3 missing samples of a channel by a straight line, never across a cut.

    Args:
        values: Shape (T, F), NaN where a sample is missing.
        cuts: Rows at which a new stretch begins.

    Returns:
        The values, and how many were filled.
    """
    if not np.isnan(values).any():
        return values, 0
    filled = values.copy()
    count = 0
    for column in filled.T:
        known = np.flatnonzero(~np.isnan(column))
        left, right = known[:-1], known[1:]
        whole = np.searchsorted(cuts, left, side="right") == np.searchsorted(cuts, right, side="right")
        short = np.flatnonzero((right - left > 1) & (right - left <= FILL + 1) & whole)
        inside = [np.arange(left[at] + 1, right[at]) for at in short]
        if inside:
            rows = np.concatenate(inside)
            column[rows] = np.interp(rows, known, column[known])
            count += len(rows)
    return filled, count


def complete_stretches(values: Doubles, cuts: npt.NDArray[np.intp]) -> tuple[tuple[tuple[int, int], ...], int]:
    """Stretches of complete rows between cuts, and how many rows are in none.

    Args:
        values: Shape (T, F), NaN where a sample is missing.
        cuts: Rows at which a new stretch begins.
    """
    whole = np.asarray(~np.isnan(values).any(axis=1))
    return runs(whole, cuts), int(np.sum(~whole))


def runs(kept: npt.NDArray[np.bool_], cuts: npt.ArrayLike = ()) -> tuple[tuple[int, int], ...]:
    """First row and row after the last of each run of kept rows; a cut begins a new one.

    Args:
        kept: True for rows in a run, shape (T,).
        cuts: Rows at which a new run begins.

    >>> runs(np.array([True, True, False, True, True]), [4])
    ((0, 2), (3, 4), (4, 5))
    """
    padded = np.concatenate([[False], kept, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    inner = np.asarray(cuts, np.intp)
    inner = inner[(inner > 0) & (inner < len(kept))]
    inner = inner[kept[inner] & kept[inner - 1]]
    bounds = np.sort(np.concatenate([edges, inner, inner]))
    return tuple(zip(bounds[::2].tolist(), bounds[1::2].tolist(), strict=True))
