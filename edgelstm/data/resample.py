"""The choice of a grid for a table whose channels come at times of their own, and the table on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.sources.resampler import Resampler
from edgelstm.runtime.sources.resampling import MOST_HELD, Resampling
from edgelstm.runtime.sources.signals import Signals

from .regular_grid import FILL
from .table import BLOCK, Table

Doubles = npt.NDArray[np.float64]
LEAST_STEPS = 20  # below which nothing is said about how regular a series is
OFF_GRID = 0.2  # share of steps beside the grid of the median step from which rows are irregular
BESIDE = 0.25  # of a step
EARLY = 0.5  # of a step; what follows sooner is dropped on the device
COMPLETE = 0.5  # share of rows with all channels, short gaps filled, below which channels have times of their own
LEAST_ROWS = 300  # that a grid should leave; else a finer one is taken
HELD = 3  # intervals of the slowest channel for which a value is held


def on_one_grid(table: Table, resampling: Resampling | None = None, signals: Signals | None = None) -> Table:
    """The table on one grid where its rows are not, with a note; the table itself where they are.

    Args:
        table: As it was read; long tables pivoted, with NaN for channels that a row does not hold.
        resampling: The grid of a model; None to choose one.
        signals: Rules and longest ages of channels.
    """
    if table.time is None:
        return table
    order = np.argsort(table.time, kind="stable")[: int(np.isfinite(table.time).sum())]  # NaN is sorted to the end
    time, values = table.time[order], table.values[order]
    grid = resampling or _needed(table, time, values)
    if grid is not None and not grid.keys and table.keys:  # one that the user declared
        grid = replace(grid, keys=table.keys, values=table.key_values)
    if grid is None:
        return table
    resampler, rows = Resampler(grid, values.shape[1], (signals or Signals()).ordered(table.channels)), []
    for at in range(0, len(time), BLOCK):
        for moment, row in zip(time[at : at + BLOCK].tolist(), values[at : at + BLOCK].tolist(), strict=True):
            rows += resampler.push(moment, row)
    rows += resampler.finish()
    times = np.array([moment for moment, _ in rows])
    labels = None
    if table.labels is not None:
        labels = table.labels[order][np.maximum(0, np.searchsorted(time, times, side="right") - 1)]
    note = (
        f"{len(table.time)} rows at times of their own were resampled to {len(rows)} rows, one every {grid.period:g} s"
    )
    return replace(
        table, values=np.array([row for _, row in rows]).reshape(-1, values.shape[1]), time=times, labels=labels,
        notes=(*table.notes, note), resampling=grid,
    )  # fmt: skip


def _needed(table: Table, time: Doubles, values: Doubles) -> Resampling | None:
    """The grid that a table needs; None where its rows are on one already."""
    steps = [_step(time[~np.isnan(column)]) for column in values.T]
    known = [step for step in steps if step is not None]
    if not known:
        return None
    if not table.keys and not _irregular(time) and not _at_own_times(time, values):
        return None
    span = time[-1] - time[0]
    choices = sorted(known, reverse=True)
    period = next((step for step in choices if span >= LEAST_ROWS * step), choices[-1])
    hold = min(HELD * max(choices[0], period), MOST_HELD * period)
    return Resampling(period, hold, table.keys, table.key_values)


def _step(time: Doubles) -> float | None:
    """Seconds between a channel's samples: their median where they are regular, else their mean without gaps."""
    steps = np.diff(time)
    steps = steps[steps > 0]
    if len(steps) < LEAST_STEPS:
        return None
    middle = float(np.median(steps))
    if (np.abs(steps - middle) <= BESIDE * middle).mean() >= 1 - OFF_GRID:
        return float(f"{middle:.6g}")
    return float(f"{steps[steps <= 10 * middle].mean():.2g}")


def _irregular(time: Doubles) -> bool:
    """Tell whether many rows lie beside the grid of their median step."""
    steps = np.diff(time)
    steps = steps[steps > 0]
    if len(steps) < LEAST_STEPS:
        return False
    places = steps / np.median(steps)
    off = (places < EARLY) | (np.abs(places - np.rint(places)) > BESIDE)
    return bool(off.mean() > OFF_GRID)


def _at_own_times(time: Doubles, values: Doubles) -> bool:
    """Tell whether most rows lack a channel that comes more seldom than short gaps may be long."""
    empty = np.isnan(values)
    if (~empty.any(axis=1)).mean() >= COMPLETE:
        return False
    rows = np.arange(len(values))
    short = np.ones(len(values), bool)
    for column in empty.T:
        known = np.flatnonzero(~column)
        if len(known) < LEAST_STEPS:
            return False  # nearly empty: no grid helps
        right = np.searchsorted(known, rows).clip(max=len(known) - 1)
        left = (right - 1).clip(min=0)
        short &= ~column | (known[right] - known[left] <= FILL + 1)
    return bool(short.mean() < COMPLETE)
