"""Columns of a file as the channels that signals make of them: read by path, renamed, and in the channels' units."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgelstm.runtime.sources.signals import Signals

from .table import Request, Table


def read_channels(path: Path, request: Request, channels: Sequence[str] | None, signals: Signals) -> Table:
    """A file's channels, their values as the file has them.

    Args:
        path: Of the file.
        request: What is wanted of it beside the channels.
        channels: Names of the channels; None for those of the signals, or of all number columns where there are none.
        signals: Where they lie.

    Raises:
        SeriesError: As `Table.read`.
    """
    if not signals:
        return Table.read(path, replace(request, columns=channels))
    names = tuple(channels or signals.of_channel)
    paths = signals.paths(names)
    table = Table.read(path, replace(request, columns=paths, signals=signals.by_path(names, paths)))
    called = dict(zip(paths, names, strict=True))
    units = {called[path]: unit for path, unit in table.units.items()}
    units |= {name: unit for name in names if name in signals.of_channel and (unit := signals.of_channel[name].unit)}
    return replace(table, channels=names, units=units)


def in_units(table: Table, signals: Signals, counters: Collection[str]) -> Table:
    """A table in the channels' units, with a note on what was changed; by the numbers that the device takes.

    Args:
        table: The channels as the file has them, counters as their growth.
        signals: What says their factors and offsets.
        counters: Names of the counters.
    """
    scaling = signals.scaling(table.channels, counters)
    if scaling is None:
        return table
    parts = zip(table.channels, scaling.factors, scaling.offsets, strict=True)
    told = [f"{name} x {factor:g}" + (f" {offset:+g}" if offset else "") for name, factor, offset in parts
            if (factor, offset) != (1.0, 0.0)]  # fmt: skip
    values = table.values * np.array(scaling.factors) + np.array(scaling.offsets)
    return replace(table, values=values, notes=(*table.notes, f"in the channels' units: {', '.join(told)}"))
