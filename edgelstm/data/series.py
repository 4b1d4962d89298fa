"""Sensor series from CSV files as they come, repaired where that is safe, with every repair counted."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError

from .csv_reader import Table

Doubles = npt.NDArray[np.float64]
FILL = 3  # missing samples in a row that a straight line may bridge
LONG = 1e9  # samples; a gap counts as no longer than that


@dataclass(frozen=True)
class Repairs:
    """What was mended while reading, in rows unless said otherwise."""

    reordered: int = 0
    """Rows that came earlier in time than the row before them."""
    doubled: int = 0
    """Rows with a time that was there already; the first one is kept."""
    untimed: int = 0
    """Rows left out because they have no time."""
    labelled: int = 0
    """Rows left out because their label says that they are not normal."""
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
    """Columns left out: text, labels, empty, row counters."""
    notes: tuple[str, ...] = ()
    """How the files were understood where that is not a matter of course, in words."""

    def sentences(self) -> list[str]:
        """What was done, one sentence a kind, nothing for what was not needed."""
        counts = {
            "reordered": "rows were out of order and have been sorted",
            "doubled": "rows had a time that was there already and were dropped",
            "untimed": "rows without a time were left out",
            "labelled": "rows labelled as anomalous were left out",
            "filled": "missing values were filled by a straight line",
            "inserted": "missing rows were filled by a straight line",
            "dropped": "rows with values missing for longer were left out",
            "gaps": "gaps cut the series: no window spans them",
        }
        said = list(self.notes)
        said += [f"{getattr(self, name)} {text}" for name, text in counts.items() if getattr(self, name)]
        if self.constant:
            said.append(f"constant in these rows: {_named(self.constant)}")
        if self.ignored:
            said.append(f"columns not used as inputs: {_named(self.ignored)}")
        return said

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _named(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


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
        paths: Files. Those that follow each other in time are one series; else each is a segment of its own.
        columns: Channels to take, in this order; None takes every number column.
        time_column: Name of the time column; None looks for one.
        label_column: Column that says which rows are anomalous; never an input.
        repair: Sort, drop doubled rows, fill short gaps and cut at long ones; off gives the rows as they are.

    Raises:
        SeriesError: If a file cannot be read, lacks a column, or has text among numbers; or files do not fit together.
    """
    names = [Path(path).name for path in paths]
    tables = [Table.read(Path(path), columns, time_column, label_column) for path in paths]
    _check_alike(tables, names)
    if not repair:
        return _joined([_raw(table) for table in tables])
    return _joined([_repair(table) for table in _in_time_order(tables)])


def _check_alike(tables: Sequence[Table], names: Sequence[str]) -> None:
    """Files of one series have the same channels and the same rate."""
    first, period = tables[0], _period(tables[0].time)
    for table, name in zip(tables[1:], names[1:], strict=True):
        if table.channels != first.channels:
            raise SeriesError(
                f"{name} has columns {_named(table.channels)}; {names[0]} has {_named(first.channels)}. "
                "Name the common ones with --columns."
            )
        other = _period(table.time)
        if period and other and not 0.5 < other / period < 2:
            raise SeriesError(
                f"{name} has a row every {other:g} s, {names[0]} every {period:g} s. "
                "Bring the files to one rate, or train on those of one rate."
            )


def _in_time_order(tables: list[Table]) -> list[Table]:
    """One table where the files follow each other in time, else the tables as they came."""
    spans = [None if table.time is None else (np.nanmin(table.time), np.nanmax(table.time)) for table in tables]
    if len(tables) < 2 or None in spans:
        return tables
    order = sorted(range(len(tables)), key=lambda at: spans[at] or (0, 0))
    ends = [spans[at] or (0, 0) for at in order]
    if any(before[1] >= after[0] for before, after in itertools.pairwise(ends)):
        return tables
    return [Table.joined([tables[at] for at in order])]


def _raw(table: Table) -> Series:
    rows = len(table.values)
    time = np.arange(rows, dtype=np.float64) if table.time is None else table.time
    repairs = Repairs(ignored=table.ignored, notes=table.notes)
    return Series(table.values, time, table.channels, _period(table.time), ((0, rows),), table.labels, repairs)


def _period(time: Doubles | None) -> float | None:
    if time is None or len(time) < 2:
        return None
    steps = np.diff(np.sort(time))
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else None


def _repair(table: Table) -> Series:
    """Sort, drop doubles, put on a regular grid, fill short gaps, cut at long ones."""
    rows = len(table.values)
    time = np.arange(rows, dtype=np.float64) if table.time is None else table.time
    keep, reordered, untimed = _order(time)
    values, labels = table.values, table.labels
    if keep is not None:
        values, time = values[keep], time[keep]
        labels = None if labels is None else labels[keep]
    doubled = rows - len(values) - untimed
    period = _period(table.time)
    step = period or 1.0
    missing = np.rint(np.minimum(np.diff(time), LONG * step) / step).astype(np.int64) - 1
    inserted = int(missing[(missing > 0) & (missing <= FILL)].sum())
    values, time, labels, cuts = _on_grid(values, time, labels, missing, step)
    values, filled = _fill(values, cuts)
    segments, dropped = _segments(values, cuts)
    constant = tuple(name for name, column in zip(table.channels, values.T, strict=True) if _is_constant(column))
    repairs = Repairs(
        reordered, doubled, untimed, 0, filled - inserted * values.shape[1], inserted, dropped,
        max(0, len(segments) - 1), constant, table.ignored, table.notes,
    )  # fmt: skip
    return Series(values, time, table.channels, period, segments, labels, repairs)


def _is_constant(column: Doubles) -> bool:
    return bool(np.nanmax(column, initial=-np.inf) <= np.nanmin(column, initial=np.inf))


def _order(time: Doubles) -> tuple[npt.NDArray[np.intp] | None, int, int]:
    """Rows to keep, sorted, the first of each time (None: all as they are); how many came early, or without a time."""
    steps = np.diff(time)
    if (steps > 0).all():
        return None, 0, 0
    timed = np.flatnonzero(np.isfinite(time))
    steps = np.diff(time[timed])
    order = timed[np.argsort(time[timed], kind="stable")]
    _, first = np.unique(time[order], return_index=True)
    return order[first], int(np.sum(steps < 0)), len(time) - len(timed)


def _on_grid(
    values: Doubles, time: Doubles, labels: Any, missing: Any, step: float
) -> tuple[Doubles, Doubles, Any, npt.NDArray[np.intp]]:
    """Insert empty rows where up to 3 samples are missing; the rows at which longer gaps end are cuts."""
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


def _fill(values: Doubles, cuts: npt.NDArray[np.intp]) -> tuple[Doubles, int]:
    """Bridge up to 3 missing samples of a channel by a straight line, never across a cut."""
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


def _segments(values: Doubles, cuts: npt.NDArray[np.intp]) -> tuple[tuple[tuple[int, int], ...], int]:
    """Stretches of complete rows between cuts, and how many rows are in none."""
    whole = np.asarray(~np.isnan(values).any(axis=1))
    return runs(whole, cuts), int(np.sum(~whole))


def runs(kept: npt.NDArray[np.bool_], cuts: npt.ArrayLike = ()) -> tuple[tuple[int, int], ...]:
    """First row and row after the last of each run of kept rows; a cut begins a new one.

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


def _joined(made: list[Series]) -> Series:
    """Several stretches as one series; each begins a new segment."""
    if len(made) == 1:
        return made[0]
    offsets = np.cumsum([0, *(len(part.values) for part in made[:-1])])
    segments = tuple(
        (start + int(offset), stop + int(offset))
        for part, offset in zip(made, offsets, strict=True)
        for start, stop in part.segments
    )
    totals: dict[str, Any] = {
        name: sum(getattr(part.repairs, name) for part in made)
        for name in ("reordered", "doubled", "untimed", "filled", "inserted", "dropped", "gaps")
    }
    first = made[0]
    constant = tuple(name for name in first.repairs.constant if all(name in part.repairs.constant for part in made))
    notes = tuple(dict.fromkeys(note for part in made for note in part.repairs.notes))
    repairs = Repairs(**totals, constant=constant, ignored=first.repairs.ignored, notes=notes)
    labels = None if first.labels is None else np.concatenate([np.asarray(part.labels) for part in made])
    values, time = (np.concatenate([getattr(part, name) for part in made]) for name in ("values", "time"))
    return Series(values, time, first.channels, first.period, segments, labels, repairs)


def without_labelled(series: Series) -> Series:
    """The series without the rows whose label says that they are not normal, cut there."""
    if series.labels is None:
        return series
    anomalous = read_labels(series.labels)
    inside = np.zeros(len(anomalous), bool)
    for start, stop in series.segments:
        inside[start:stop] = True
    repairs = replace(series.repairs, labelled=int((inside & anomalous).sum()))
    starts = [start for start, _ in series.segments]
    return replace(series, segments=runs(inside & ~anomalous, starts), repairs=repairs)


def read_labels(labels: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Label cells as booleans: 0, 0.0, false, normal, none and empty are normal, all else is anomalous.

    >>> read_labels(np.array(["0.0", "1", "leak", "nan", "False"])).tolist()
    [False, True, True, False, False]
    """
    normal = {"", "0", "0.0", "false", "normal", "none", "nan", "no", "ok"}
    return np.asarray([cell.strip().lower() not in normal for cell in labels.tolist()])
