"""Sensor series from CSV files as they come, repaired where that is safe, with every repair counted."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError

from .csvfile import Table

Doubles = npt.NDArray[np.float64]
FILL = 3  # missing samples in a row that a straight line may bridge


@dataclass(frozen=True)
class Repairs:
    """What was mended while reading, in rows unless said otherwise."""

    reordered: int = 0
    """Rows that came earlier in time than the row before them."""
    doubled: int = 0
    """Rows with a time that was there already; the first one is kept."""
    filled: int = 0
    """Single values that a straight line over at most 3 samples replaced."""
    inserted: int = 0
    """Rows that were missing in time, and filled likewise."""
    dropped: int = 0
    """Rows left out because values are missing over more than 3 samples."""
    gaps: int = 0
    """Places where the series is cut, because more than 3 samples are missing; no window spans one."""
    constant: tuple[str, ...] = ()
    """Channels that never change."""
    ignored: tuple[str, ...] = ()
    """Columns left out: text, labels, empty."""

    def sentences(self) -> list[str]:
        """What was done, one sentence a kind, nothing for what was not needed."""
        counts = {
            "reordered": "rows were out of order and have been sorted",
            "doubled": "rows had a time that was there already and were dropped",
            "filled": "missing values were filled by a straight line",
            "inserted": "missing rows were filled by a straight line",
            "dropped": "rows with values missing for longer were left out",
            "gaps": "gaps cut the series: no window spans them",
        }
        said = [f"{getattr(self, name)} {text}" for name, text in counts.items() if getattr(self, name)]
        if self.constant:
            said.append(f"constant in these rows: {', '.join(self.constant)}")
        if self.ignored:
            said.append(f"columns not used as inputs: {', '.join(self.ignored)}")
        return said

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Series:
    """Samples of several channels on one regular time grid, cut where too much is missing."""

    values: Doubles
    """Shape (T, F), sensor units; NaN only in raw series."""
    time: Doubles
    """Shape (T,), seconds since 1970 or the row number."""
    channels: tuple[str, ...]
    """Column names, F of them."""
    period: float | None
    """Seconds between samples, the median step; None without a time column."""
    segments: tuple[tuple[int, int], ...]
    """First row and row after the last of each stretch without a gap."""
    labels: npt.NDArray[np.str_] | None = None
    """Label cell of each row as text, shape (T,), when a label column was asked for."""
    repairs: Repairs = field(default_factory=Repairs)
    """What was mended."""

    def parts(self) -> list[Doubles]:
        """The values of each segment, (T_i, F)."""
        return [self.values[start:stop] for start, stop in self.segments]


def read_series(
    paths: Sequence[Path | str],
    columns: Sequence[str] | None = None,
    time_column: str | None = None,
    label_column: str | None = None,
    repair: bool = True,
) -> Series:
    """Read CSV files with any separator, with or without header and time column, plain or gzipped.

    Args:
        paths: Files; each later file is a new segment unless its time goes on where the last one stopped.
        columns: Channels to take, in this order; None takes every number column.
        time_column: Name of the time column; None looks for one.
        label_column: Column that says which rows are anomalous; never an input.
        repair: Sort, drop doubled rows, fill short gaps and cut at long ones; off gives the rows as they are.

    Raises:
        SeriesError: If a file cannot be read, lacks a column, or has text among numbers.
    """
    tables = [Table.read(Path(path), columns, time_column, label_column) for path in paths]
    first = tables[0]
    for table, path in zip(tables[1:], list(paths)[1:], strict=True):
        if table.channels != first.channels:
            raise SeriesError(
                f"{Path(path).name} has columns {', '.join(table.channels)}; {Path(paths[0]).name} has "
                f"{', '.join(first.channels)}. Name the common ones with --columns."
            )
    made = [_repair(table) if repair else _raw(table) for table in tables]
    return _joined(made) if len(made) > 1 else made[0]


def _raw(table: Table) -> Series:
    rows = len(table.values)
    time = np.arange(rows, dtype=np.float64) if table.time is None else table.time
    repairs = Repairs(ignored=table.ignored)
    return Series(table.values, time, table.channels, _period(table.time), ((0, rows),), table.labels, repairs)


def _period(time: Doubles | None) -> float | None:
    if time is None or len(time) < 2:
        return None
    steps = np.diff(np.sort(time))
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else None


def _repair(table: Table) -> Series:
    """Sort, drop doubles, put on a regular grid, fill short gaps, cut at long ones."""
    values, labels = table.values, table.labels
    rows = len(values)
    time = np.arange(rows, dtype=np.float64) if table.time is None else table.time
    reordered = int(np.sum(np.diff(time) < 0))
    order = np.argsort(time, kind="stable")
    _, first = np.unique(time[order], return_index=True)
    keep = order[first]
    values, time = values[keep], time[keep]
    labels = None if labels is None else labels[keep]
    period = _period(table.time)
    step = period or 1.0
    missing = np.rint(np.diff(time) / step).astype(np.int64) - 1 if len(time) > 1 else np.zeros(0, np.int64)
    inserted = int(missing[(missing > 0) & (missing <= FILL)].sum())
    values, time, labels, cuts = _on_grid(values, time, labels, missing, step)
    values, filled = _fill(values, cuts)
    segments, dropped = _segments(values, cuts)
    constant = tuple(
        name for name, column in zip(table.channels, values.T, strict=True) if np.ptp(column[~np.isnan(column)]) == 0
    )
    gaps = max(0, len(segments) - 1)
    filled -= inserted * values.shape[1]
    repairs = Repairs(reordered, rows - len(keep), filled, inserted, dropped, gaps, constant, table.ignored)
    return Series(values, time, table.channels, period, segments, labels, repairs)


def _on_grid(
    values: Doubles, time: Doubles, labels: Any, missing: Any, step: float
) -> tuple[Doubles, Doubles, Any, set[int]]:
    """Insert empty rows where up to 3 samples are missing; the rows at which longer gaps end are cuts."""
    short = np.flatnonzero((missing > 0) & (missing <= FILL))
    places = np.repeat(short + 1, missing[short])
    offsets = np.concatenate([np.arange(1, count + 1) for count in missing[short]]) if len(short) else np.zeros(0)
    cuts = np.flatnonzero(missing > FILL) + 1
    moved = cuts + np.searchsorted(places, cuts, side="right") if len(cuts) else cuts
    if len(places):
        extra_time = time[places - 1] + offsets * step
        values = np.insert(values, places, np.nan, axis=0)
        time = np.insert(time, places, extra_time)
        labels = None if labels is None else np.insert(labels, places, labels[places - 1])
    return values, time, labels, {int(row) for row in moved}


def _fill(values: Doubles, cuts: set[int]) -> tuple[Doubles, int]:
    """Bridge up to 3 missing samples of a channel by a straight line, never across a cut."""
    filled = values.copy()
    count = 0
    edges = [0, *sorted(cuts), len(values)]
    for start, stop in itertools.pairwise(edges):
        for column in filled[start:stop].T:
            empty = np.isnan(column)
            if not empty.any() or empty.all():
                continue
            known = np.flatnonzero(~empty)
            for left, right in itertools.pairwise(known):
                if 1 < right - left <= FILL + 1:
                    inside = np.arange(left + 1, right)
                    column[inside] = np.interp(inside, [left, right], [column[left], column[right]])
                    count += len(inside)
    return filled, count


def _segments(values: Doubles, cuts: set[int]) -> tuple[tuple[tuple[int, int], ...], int]:
    """Stretches of complete rows between cuts, and how many rows are in none."""
    whole = np.asarray(~np.isnan(values).any(axis=1))
    found: list[tuple[int, int]] = []
    start: int | None = None
    for row, complete in enumerate(list(whole)):
        if start is not None and (not complete or row in cuts):
            found.append((start, row))
            start = None
        if complete and start is None:
            start = row
    if start is not None:
        found.append((start, len(values)))
    return tuple(found), int(np.sum(~whole))


def _joined(made: list[Series]) -> Series:
    """Several files as one series; each begins a new segment."""
    offsets = np.cumsum([0, *(len(part.values) for part in made[:-1])])
    segments = tuple(
        (start + int(offset), stop + int(offset))
        for part, offset in zip(made, offsets, strict=True)
        for start, stop in part.segments
    )
    totals: dict[str, Any] = {
        name: sum(getattr(part.repairs, name) for part in made)
        for name in ("reordered", "doubled", "filled", "inserted", "dropped", "gaps")
    }
    constant = set.intersection(*(set(part.repairs.constant) for part in made))
    first = made[0]
    repairs = Repairs(**totals, constant=tuple(sorted(constant)), ignored=first.repairs.ignored)
    labels = None if first.labels is None else np.concatenate([np.asarray(part.labels) for part in made])
    values, time = (np.concatenate([getattr(part, name) for part in made]) for name in ("values", "time"))
    return Series(values, time, first.channels, first.period, segments, labels, repairs)


def read_labels(labels: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Label cells as booleans: 0, 0.0, false, normal, none and empty are normal, all else is anomalous.

    >>> read_labels(np.array(["0.0", "1", "leak", "nan", "False"])).tolist()
    [False, True, True, False, False]
    """
    normal = {"", "0", "0.0", "false", "normal", "none", "nan", "no", "ok"}
    return np.asarray([cell.strip().lower() not in normal for cell in labels.tolist()])
