"""Labelled rows without labels: faults injected into rows of normal operation that the training does not see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError

from ..data.series import Series
from ..training.injected_faults import FAULTS, ROWS, injected_fault

Doubles = npt.NDArray[np.float64]
SHARE = 0.3  # newest rows, which the faults go into
CALM = 60  # rows between two faults
SIZES = (1.0, 2.0, 4.0)  # deviations of the channel, where a kind has a size
LEAST = 4  # faults


def split_for_injection(series: Series) -> tuple[Series, Series]:
    """Split a series into the rows to train on and the newest ones.

    Args:
        series: Rows of normal operation.

    Raises:
        SeriesError: If the newest rows have no room for four faults.
    """
    total = sum(stop - start for start, stop in series.segments)
    newest, segments = round(SHARE * total), list(series.segments)
    late: list[tuple[int, int]] = []
    while newest > 0 and segments:
        start, stop = segments.pop()
        cut = max(start, stop - newest)
        late.insert(0, (cut, stop))
        newest -= stop - cut
        if cut > start:
            segments.append((start, cut))
    room = sum((stop - start - CALM) // (ROWS + CALM) for start, stop in late)
    if room < LEAST or not segments:
        raise SeriesError(
            f"Faults of {ROWS} rows are injected into the newest {SHARE:.0%} of the rows; {total} rows hold {max(0, room)} of them, "
            f"at least {LEAST} are needed. Give more rows, or labelled ones with --data."
        )
    return replace(series, segments=tuple(segments)), replace(series, segments=tuple(late))


def write_injected(series: Series, path: Path) -> int:
    """Write rows with faults and a label column as CSV, and return the number of faults.

    Args:
        series: Rows of normal operation; segments are put apart by a gap in time.
        path: The CSV file.
    """
    deviations = np.concatenate(series.parts()).std(axis=0)
    spread = np.where(deviations > 0, deviations, 1.0)
    plan = _plan(len(series.channels))
    count, lines = 0, [",".join(["time", *(f'"{name}"' for name in series.channels), "anomaly"])]
    for start, stop in series.segments:
        rows, labels = series.values[start:stop].copy(), np.zeros(stop - start, int)
        for first in range(CALM, len(rows) - ROWS - CALM + 1, ROWS + CALM):
            kind, channel, size = next(plan)
            faulty = injected_fault(rows[first : first + ROWS] / spread, kind, channel, size, seed=count) * spread
            end = first + FAULTS[kind].lasts
            rows[first:end], labels[first:end] = faulty[: end - first], 1
            count += 1
        times = series.time[start:stop].tolist()
        for moment, row, label in zip(times, rows.tolist(), labels.tolist(), strict=True):
            lines.append(",".join([repr(moment), *map(repr, row), str(label)]))
    path.write_text("\n".join(lines) + "\n")
    return count


def _plan(channels: int) -> Iterator[tuple[str, int, float]]:
    """Yield kinds in turn, each with channels, sizes and signs in an order of its own: every combination before one comes again."""
    random = np.random.default_rng(0)
    every = [(channel, sign * size) for channel in range(channels) for size in SIZES for sign in (-1, 1)]
    while True:
        orders = [random.permutation(len(every)) for _ in FAULTS]
        for turn in range(len(every)):
            for kind, order in zip(FAULTS, orders, strict=True):
                yield kind, *every[order[turn]]
