"""Sensor series from CSV files as they come, repaired where that is safe, with every repair counted."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.channel_names import unit_in_name
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.sources.column_mapping import MISSING_SECTION, missing_words
from edgelstm.runtime.sources.counters import SECTION as COUNTERS
from edgelstm.runtime.sources.counters import Counters
from edgelstm.runtime.sources.resampling import SECTION, Resampling
from edgelstm.runtime.sources.signals import SECTION as SIGNALS
from edgelstm.runtime.sources.signals import Signals

from .counter_columns import model_rows
from .label_cells import read_labels
from .refused_loss import refuse_loss
from .regular_grid import FILL, LONG, complete_stretches, fill_short, insert_missing, median_step, order_rows, runs
from .repairs import Repairs, listed
from .signal_columns import in_units, read_channels
from .table import Request, Table

Doubles = npt.NDArray[np.float64]


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
    """Repairs made while reading."""
    resampling: Resampling | None = None
    """Grid that the rows were brought to; None for rows as they came."""
    missing: tuple[str, ...] = ()
    """Words for a missing value beside the usual ones."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Physical units of channels, by name, as cells or the user say them."""
    counters: Counters = field(default_factory=Counters)
    """Channels that are the growth of a counter."""
    signals: Signals = field(default_factory=Signals)
    """Places and forms of the channels in the files, for those that have one written down."""

    def unit_of(self, channel: str) -> str:
        """Physical unit of a channel: as its cells have it, or its name in brackets; empty when unknown."""
        return self.units.get(channel) or unit_in_name(channel)

    @property
    def sections(self) -> dict[str, Any]:
        """Sections of a model's metadata that say how the device must read its rows."""
        sections: dict[str, Any] = {} if self.resampling is None else {SECTION: self.resampling.record()}
        sections |= {COUNTERS: self.counters.record()} if self.counters.wraps else {}
        sections |= {SIGNALS: self.signals.record()} if self.signals else {}
        return sections | ({MISSING_SECTION: list(self.missing)} if self.missing else {})

    def __repr__(self) -> str:
        rows, segments = len(self.values), len(self.segments)
        return f"Series({rows} rows, channels {self.channels}, period {self.period}, {segments} segments)"

    def parts(self) -> list[Doubles]:
        """The values of each segment, (T_i, F)."""
        return [self.values[start:stop] for start, stop in self.segments]


def read_series(
    paths: Sequence[Path | str],
    columns: Sequence[str] | None = None,
    time_column: str | None = None,
    label_column: str | None = None,
    repair: bool = True,
    missing: Sequence[str] = (),
    counters: Counters | None = None,
    signals: Signals | None = None,
    grid: Resampling | None = None,
) -> Series:
    """Read CSV files with any separator, with or without header and time column, plain or gzipped.

    Args:
        paths: Files. Those that follow each other in time are one series; else each is a segment of its own.
        columns: Channels to take, in this order; None takes every number column.
        time_column: Name of the time column; None looks for one.
        label_column: Column that says which rows are anomalous; never an input.
        repair: Sort, drop doubled rows, fill short gaps and cut at long ones; off gives the rows as they are.
        missing: Further words for a missing value.
        counters: Channels that are counters: their growth from row to row is taken.
        signals: Where channels lie and how they become numbers; without `columns` they are the channels.
        grid: Grid that rows are brought to; None to choose one where they need it.

    Raises:
        SeriesError: If a file cannot be read, lacks a column, or has text among numbers; or files do not fit together.
    """
    request = Request(None, time_column, label_column, missing)
    tables: list[Table] = []
    counters, signals = counters or Counters(), signals or Signals()
    for path in paths:
        table = read_channels(Path(path), request, columns, signals)
        grid = tables[0].resampling if tables else grid
        table, counters = model_rows(table, counters, grid, repair, learn=repair, signals=signals)
        tables.append(in_units(table, signals, counters.wraps))
    series = _series(tables, [Path(path).name for path in paths], repair)
    return replace(series, missing=tuple(missing), counters=counters, signals=signals.only(series.channels))


def read_for_model(
    metadata: Metadata,
    path: Path | str,
    time_column: str | None = None,
    label_column: str | None = None,
    repair: bool = True,
    missing: Sequence[str] = (),
) -> Series:
    """Read a file for a model: its channels, on the grid that it was trained on.

    Args:
        metadata: The model's.
        path: Of the file.
        time_column: Name of the time column; None looks for one.
        label_column: Column that says which rows are anomalous.
        repair: As in `read_series`.
        missing: Further words for a missing value.

    Raises:
        SeriesError: As in `read_series`.
    """
    sections = metadata.sections
    words = (*missing_words(sections), *missing)
    request = Request(None, time_column, label_column, words, Resampling.of(sections))
    table = read_channels(Path(path), request, metadata.names, Signals.of(sections))
    return _series([_for_model(table, metadata, repair=False)], [Path(path).name], repair)


def series_of(table: Table, repair: bool = True, model: Metadata | None = None) -> Series:
    """A series from a table in memory.

    Args:
        table: Columns as they stand; those of a model by its signals' paths, in its order.
        repair: As in `read_series`.
        model: The model that the rows are for; None to choose a grid where they are repaired.
    """
    if model is None:
        return _series([model_rows(table, Counters(), None, resample=repair)[0]], ["table"], repair)
    table = replace(table, channels=model.names) if Signals.of(model.sections) else table
    return _series([_for_model(table, model, repair)], ["table"], repair)


def _for_model(table: Table, model: Metadata, repair: bool) -> Table:
    """A table's rows as a model takes them: on its grid, counters as growth, in its units."""
    grid, counters = Resampling.of(model.sections), Counters.of(model.sections)
    signals = Signals.of(model.sections)
    table, _ = model_rows(table, counters, grid, resample=repair or grid is not None, signals=signals)
    return in_units(table, signals, counters.wraps)


def _series(tables: list[Table], names: Sequence[str], repair: bool) -> Series:
    _check_alike(tables, names)
    parts = [_repair(table) for table in _in_time_order(tables)] if repair else [_raw(table) for table in tables]
    return one_after_another(parts)


def _check_alike(tables: Sequence[Table], names: Sequence[str]) -> None:
    """Files of one series have the same channels and the same rate."""
    first, period = tables[0], median_step(tables[0].time)
    for table, name in zip(tables[1:], names[1:], strict=True):
        if table.channels != first.channels:
            raise SeriesError(
                f"{name} has columns {listed(table.channels)}; {names[0]} has {listed(first.channels)}. "
                "Name the common ones with --columns."
            )
        other = median_step(table.time)
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
    time = np.arange(len(table.values), dtype=np.float64) if table.time is None else table.time
    return Series(
        table.values, time, table.channels, median_step(table.time), ((0, len(time)),), table.labels,
        Repairs(ignored=table.ignored, notes=table.notes), table.resampling, units=table.units,
    )  # fmt: skip


def _repair(table: Table) -> Series:
    """Sort, drop doubles, put on a regular grid, fill short gaps, cut at long ones.

    Raises:
        SeriesError: If most rows would be lost.
    """
    rows = len(table.values)
    time = np.arange(rows, dtype=np.float64) if table.time is None else table.time
    keep, reordered, untimed = order_rows(time)
    values, labels = table.values, table.labels
    if keep is not None:
        values, time = values[keep], time[keep]
        labels = None if labels is None else labels[keep]
    doubled = rows - len(values) - untimed
    period = median_step(table.time)
    step = period or 1.0
    missing = np.rint(np.minimum(np.diff(time), LONG * step) / step).astype(np.int64) - 1
    inserted = int(missing[(missing > 0) & (missing <= FILL)].sum())
    values, time, labels, cuts = insert_missing(values, time, labels, missing, step)
    values, filled = fill_short(values, cuts)
    segments, dropped = complete_stretches(values, cuts)
    refuse_loss(table, untimed, dropped, len(values))
    lowest, highest = np.nanmin(values, axis=0, initial=np.inf), np.nanmax(values, axis=0, initial=-np.inf)
    constant = tuple(name for name, flat in zip(table.channels, highest <= lowest, strict=True) if flat)
    repairs = Repairs(
        reordered, doubled, untimed, 0, filled - inserted * values.shape[1], inserted, dropped,
        max(0, len(segments) - 1), constant, table.ignored, table.notes,
    )  # fmt: skip
    return Series(values, time, table.channels, period, segments, labels, repairs, table.resampling, units=table.units)


def one_after_another(made: Sequence[Series]) -> Series:
    """Several stretches as one series; each begins a new segment.

    Args:
        made: Series of the same channels and period.
    """
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
    return replace(first, values=values, time=time, segments=segments, labels=labels, repairs=repairs)


def with_units(series: Series, units: Mapping[str, str]) -> Series:
    """The series with further units of its channels.

    Args:
        series: The series.
        units: Units by channel.

    Raises:
        SeriesError: If there is no such channel.
    """
    if unknown := [name for name in units if name not in series.channels]:
        raise SeriesError(f"There is no channel {unknown[0]!r} to have a unit; there are {listed(series.channels)}.")
    return replace(series, units={**series.units, **units})


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
