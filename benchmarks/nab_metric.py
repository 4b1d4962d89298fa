"""The score of the Numenta Anomaly Benchmark, which rewards early detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NAB_FALSE_POSITIVE = 0.11  # NAB's standard profile; a true positive and a miss weigh 1


@dataclass(frozen=True)
class NabScore:
    """One file's part of the NAB score, standard profile; parts of several files add up."""

    raw: float
    """Sum of rewards and costs."""
    windows: int
    """Labelled windows."""

    def __add__(self, other: NabScore) -> NabScore:
        return NabScore(self.raw + other.raw, self.windows + other.windows)

    @property
    def normalised(self) -> float:
        """100 for a perfect detector, 0 for a silent one."""
        return 100 * (self.raw + self.windows) / (2 * self.windows) if self.windows else 0.0


def nab_score(flags: npt.ArrayLike, windows: Sequence[tuple[int, int]], probation: int) -> NabScore:
    """The NAB score of one file (Lavin and Ahmad 2015, as in NAB 1.1's sweeper).

    Args:
        flags: Detections, shape (T,); each flagged row outside the windows costs.
        windows: First and last row of each labelled window, in order.
        probation: First rows, that do not count.
    """
    found = np.asarray(flags, bool).copy()
    found[:probation] = False
    raw, outside = 0.0, found.copy()
    for first, last in windows:
        hits = np.flatnonzero(found[first : last + 1])
        outside[first : last + 1] = False
        reward = _sigmoid(-(last - first + 1 - hits[0]) / (last - first + 1)) / _sigmoid(-1.0) if len(hits) else -1.0
        raw += reward
    for row in np.flatnonzero(outside):
        past = [(first, last) for first, last in windows if last < row]
        raw += NAB_FALSE_POSITIVE * (
            _sigmoid((row - past[-1][1]) / max(1, past[-1][1] - past[-1][0])) if past else -1.0
        )
    return NabScore(float(raw), len(windows))


def _sigmoid(position: float) -> float:
    """NAB's scaled sigmoid of a position relative to a window: -1 its left edge, 0 its right one."""
    return -1.0 if position >= 3.0 else 2 / (1 + float(np.exp(5 * position))) - 1
