"""Rows in the training data that do not belong there: stretches unlike everything else in them.

Training data is said to be normal and rarely is. Short windows are whitened by the covariance of their inner part, and
each is held against windows from elsewhere: normal operation comes back, transients too, so that every window of it has
near neighbours (the discords of Keogh et al. 2005, by distance to the third neighbour). What stays far from all of them for
20 windows on end, by the spread of the log distances themselves, is left out of training.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .regular_grid import runs
from .series import Series
from .split import usable

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
WINDOW = 4  # rows compared at a time
NEIGHBOUR = 3  # a fault that came two times before still has no third one
REFERENCES = 2000  # windows that each one is held against
QUERIES, NUMBERS = 100_000, 4_000_000  # windows, and numbers in them, judged at most; a longer series is strided
LEAST = 200  # windows below which there is too little to compare with
INNER, SHRINKAGE = 0.8, 0.05  # share of windows that the covariance is taken from; pull towards its diagonal
STRETCH, ODD = 20, 3.0  # windows on end, and their mean distance in deviations of the log distances
CAP, ALONE = 5.0, 20.0  # most that one window adds to that mean; distance that needs no company (a sentinel like -9999)
HABIT = 5  # times after which what stands alone is a habit
MOST_SHARE = 0.1  # of the rows; more than that is another mode of operation, not contamination


@dataclass(frozen=True)
class Contamination:
    """Rows that look unlike the rest."""

    spans: tuple[tuple[int, int], ...]
    """First row and row after the last of each stretch."""
    rows: int
    """Rows in them."""
    share: float
    """Of all rows that could be used."""
    left_out: bool
    """True if they were kept from training; false where they are too many, or too little would remain."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**asdict(self), "spans": [list(span) for span in self.spans]}


def find_contamination(series: Series) -> Contamination:
    """Look for stretches of rows that no other part of the series resembles.

    Args:
        series: Rows that are meant to be normal operation.
    """
    flags = np.zeros(len(series.values), bool)
    segments = [span for span in series.segments if span[1] - span[0] >= WINDOW]
    starts = np.concatenate([np.arange(start, stop - WINDOW + 1) for start, stop in segments] or [np.zeros(0, int)])
    most = min(QUERIES, NUMBERS // (WINDOW * len(series.channels)))
    stride = -(-len(starts) // most)
    starts = starts[::stride]
    if len(starts) >= LEAST:
        odd = _odd(_distances(_whitened(series.values, starts), starts, len(series.values)))
        for start in starts[odd]:
            flags[start : start + WINDOW + stride - 1] = True
    used = sum(stop - start for start, stop in series.segments)
    inside = _inside(series)
    rows = int((flags & inside).sum())
    share = rows / max(1, used)
    return Contamination(runs(flags & inside), rows, share, 0 < share <= MOST_SHARE)


def leave_out(series: Series, reach: int) -> tuple[Series, Contamination]:
    """The series cut around contaminated rows, unless that would cost more than half of the training windows.

    Args:
        series: Rows that are meant to be normal operation.
        reach: Rows that one training example spans.
    """
    contamination = find_contamination(series)
    if not contamination.left_out:
        return series, contamination
    keep = _inside(series)
    for start, stop in contamination.spans:
        keep[start:stop] = False
    cut = replace(series, segments=runs(keep, [start for start, _ in series.segments]))
    if 2 * _windows(cut, reach) < _windows(series, reach):
        return series, replace(contamination, left_out=False)
    return cut, contamination


def _inside(series: Series) -> Flags:
    inside = np.zeros(len(series.values), bool)
    for start, stop in series.segments:
        inside[start:stop] = True
    return inside


def _windows(series: Series, reach: int) -> int:
    return sum(len(part) - reach + 1 for part in usable(series.parts(), reach))


def _whitened(values: Doubles, starts: npt.NDArray[np.intp]) -> Doubles:
    """Windows (N, WINDOW * F) scaled so that the inner ones have unit covariance (minimum covariance determinant)."""
    windows = values[starts[:, None] + np.arange(WINDOW)]
    low, middle, high = np.percentile(windows[:, 0], [25, 50, 75], axis=0)
    spread = np.where(high > low, (high - low) / 1.349, windows[:, 0].std(axis=0))
    windows = (windows - middle) / np.where(spread > 1e-9 * np.maximum(1e-3, np.abs(middle)), spread, 1.0)
    flat: Doubles = windows.reshape(len(starts), -1)
    inner = max(2, int(INNER * len(flat)))
    distance = np.abs(flat).max(axis=1)
    for _ in range(4):  # concentration steps (Rousseeuw and Van Driessen 1999)
        chosen = flat[np.argpartition(distance, inner - 1)[:inner]]
        center, covariance = chosen.mean(axis=0), np.cov(chosen, rowvar=False)
        diagonal = np.diag(np.diag(covariance) + 1e-6)
        root = np.linalg.cholesky((1 - SHRINKAGE) * covariance + SHRINKAGE * diagonal)
        white: Doubles = np.linalg.solve(root, (flat - center).T).T
        distance = (white**2).sum(axis=1)
    return white


def _distances(white: Doubles, starts: npt.NDArray[np.intp], rows: int) -> Doubles:
    """Distance of each window to its third nearest among windows from elsewhere in the series."""
    chosen = np.unique(np.linspace(0, len(white) - 1, min(len(white), REFERENCES)).astype(int))
    references, elsewhere = white[chosen], np.clip(0.03 * rows, 10, 300)
    squares = (references**2).sum(axis=1)
    third = np.empty(len(white))
    for at in range(0, len(white), 500):
        block = white[at : at + 500]
        distance = (block**2).sum(axis=1)[:, None] + squares - 2 * block @ references.T
        distance[np.abs(starts[at : at + 500, None] - starts[chosen]) < elsewhere] = np.inf
        third[at : at + 500] = np.partition(distance, NEIGHBOUR - 1, axis=1)[:, NEIGHBOUR - 1]
    return np.sqrt(np.maximum(third, 1e-18))


def _odd(distances: Doubles) -> Flags:
    """Windows that are far from all others together with their neighbours in time, or very far alone."""
    logs = np.log(distances)
    middle, high = np.quantile(logs, [0.5, 0.9])
    deviations = (logs - middle) / max((high - middle) / 1.2816, 0.05)
    mean = np.convolve(np.minimum(deviations, CAP), np.full(STRETCH, 1 / STRETCH), "same")
    around = np.convolve(mean > ODD, np.ones(STRETCH + 1), "same") > 0.5
    alone = deviations > ALONE
    odd: Flags = around | (alone & (len(runs(alone)) <= HABIT))
    return odd


def sentences(contamination: Contamination, series: Series, most: int = 5) -> Sequence[str]:
    """Sentences on unusual rows and their places.

    Args:
        contamination: The rows.
        series: Series that they are in.
        most: Places listed; the others are counted.
    """
    if not contamination.rows:
        return []
    places = [f"{_moment(series, start)} to {_moment(series, stop - 1)}" for start, stop in contamination.spans[:most]]
    more = f" and {len(contamination.spans) - most} more stretches" if len(contamination.spans) > most else ""
    unusual = f"{contamination.rows} rows ({contamination.share:.1%}) look unlike all others"
    if contamination.left_out:
        return [f"{unusual} and were left out of training: {', '.join(places)}{more}"]
    return [
        f"{unusual}, too many to leave out: they were kept. Check that this is normal operation: {', '.join(places)}{more}"
    ]


def _moment(series: Series, row: int) -> str:
    """A row's time as a date where it is one, else the row number."""
    from datetime import datetime, timezone

    seconds = float(series.time[row])
    if series.period is None or seconds < 1e8:
        return f"row {row}" if series.period is None else f"{seconds:g} s"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
