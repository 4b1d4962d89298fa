"""Counters of a table as differences, before and after its rows are brought to one grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.sources.counter_steps import Increments, Totals
from edgelstm.runtime.sources.counters import Counters
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.signals import Signals

from .counter_wraps import hints, observed
from .regular_grid import median_step
from .resample import on_one_grid
from .table import BLOCK, Table

Doubles = npt.NDArray[np.float64]
Push = Callable[[float | None, Sequence[float]], list[float]]


def model_rows(
    table: Table,
    counters: Counters,
    grid: Resampling | None,
    resample: bool,
    learn: bool = False,
    signals: Signals | None = None,
) -> tuple[Table, Counters]:
    """A table's rows as a model takes them: counters as differences, channels with times of their own on one grid.

    Args:
        table: As it was read.
        counters: The counters; without a period it becomes that of the rows.
        grid: Grid of the model, or of the file before; None to choose one where the rows need it.
        resample: Whether rows may be sorted and brought to a grid.
        signals: Rules and longest ages of channels on a grid.
        learn: Whether wraps are learned from the rows, and channels that look like counters are named.

    Returns:
        The table, and the counters with their period and wraps.

    Raises:
        SeriesError: If a counter is no channel.
    """
    if learn:
        hinted = hints(_sorted(table) if resample else table, tuple(counters.wraps))
        table = replace(table, notes=(*table.notes, *hinted))
    if not counters.wraps:
        return (on_one_grid(table, grid, signals) if resample else table), counters
    if lacking := [name for name in counters.wraps if name not in table.channels]:
        raise SeriesError(f"The counter {lacking[0]} is no channel; channels are {', '.join(table.channels)}.")
    table = _sorted(table) if resample else table
    counters, notes = observed(table, counters) if learn else (counters, ())
    totals = Totals(counters, table.channels)
    table = replace(table, values=_pushed(table, totals.push))
    table = on_one_grid(table, grid, signals) if resample else table
    counters = replace(counters, period=counters.period or median_step(table.time))
    note = f"counters as growth from row to row: {', '.join(counters.wraps)}"
    note += f"; wrapped {totals.wrapped} times" if totals.wrapped else ""
    note += (
        f"; fell {totals.fallen} times by an amount that is not known: a value is missing there"
        if totals.fallen
        else ""
    )
    values = _pushed(table, Increments(counters, table.channels).push)
    return replace(table, values=values, notes=(*table.notes, *notes, note)), counters


def _sorted(table: Table) -> Table:
    """The table in the order of time; rows without one come last."""
    if table.time is None or (np.diff(table.time) > 0).all():
        return table
    order = np.argsort(table.time, kind="stable")
    labels = None if table.labels is None else table.labels[order]
    return replace(table, values=table.values[order], time=table.time[order], labels=labels)


def _pushed(table: Table, push: Push) -> Doubles:
    values = np.empty_like(table.values)
    for at in range(0, len(values), BLOCK):
        block = table.values[at : at + BLOCK].tolist()
        times = [None] * len(block) if table.time is None else table.time[at : at + BLOCK].tolist()
        values[at : at + BLOCK] = [push(moment, row) for moment, row in zip(times, block, strict=True)]
    return values
