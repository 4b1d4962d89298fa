"""Labelled rows without labels: faults injected into rows of normal operation that the training does not see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError

from ..data.series import Series
from ..training.injected_faults import ROWS, injected_fault

Doubles = npt.NDArray[np.float64]
SHARE = 0.3  # newest rows, which the faults go into
CALM = 60  # rows between two faults
KINDS = ("offset", "drift", "stuck")
SIZES = (1.0, 2.0, 4.0)  # deviations of the channel, in turn
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
    plan = _plan(len(series.channels))
    count, lines = 0, [",".join(["time", *(f'"{name}"' for name in series.channels), "anomaly"])]
    for start, stop in series.segments:
        rows, labels = series.values[start:stop].copy(), np.zeros(stop - start, int)
        for first in range(CALM, len(rows) - ROWS - CALM + 1, ROWS + CALM):
            kind, channel, size = next(plan)
            place = rows[first : first + ROWS] / np.where(deviations, deviations, 1)
            rows[first : first + ROWS] = injected_fault(place, kind, channel, size) * np.where(
                deviations, deviations, 1
            )
            labels[first : first + ROWS] = 1
            count += 1
        times = series.time[start:stop].tolist()
        for moment, row, label in zip(times, rows.tolist(), labels.tolist(), strict=True):
            lines.append(",".join([repr(moment), *map(repr, row), str(label)]))
    path.write_text("\n".join(lines) + "\n")
    return count


def _plan(channels: int) -> Iterator[tuple[str, int, float]]:
    """Kinds, channels and sizes in turn, signs alternating; coprime steps, so that all pairs come."""
    number = 0
    while True:
        size = SIZES[number // len(KINDS) % len(SIZES)] * (-1) ** number
        yield KINDS[number % len(KINDS)], number * 7 % channels if channels % 7 else number % channels, size
        number += 1
