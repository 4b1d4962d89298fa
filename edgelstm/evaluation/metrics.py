"""Quality of a detector against labels; no threshold is ever chosen on the labels that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .pr_surface import volume

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
VUS_WINDOW = 100  # TSB-AD's default


@dataclass(frozen=True)
class Points:
    """Confusion counts over single rows; no point adjustment (arXiv 2109.05257)."""

    true_positive: int
    """Anomalous rows that were flagged."""
    false_positive: int
    """Normal rows that were flagged."""
    false_negative: int
    """Anomalous rows that were not."""
    true_negative: int
    """Normal rows that were not."""

    def __add__(self, other: Points) -> Points:
        return Points(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when nothing was right."""
        return _share(self.true_positive, self.true_positive + (self.false_positive + self.false_negative) / 2)

    @property
    def false_alarm_rate(self) -> float:
        """FAR: share of the normal rows that were flagged."""
        return _share(self.false_positive, self.false_positive + self.true_negative)

    @property
    def missed_alarm_rate(self) -> float:
        """MAR: share of the anomalous rows that were not flagged."""
        return _share(self.false_negative, self.false_negative + self.true_positive)


def points(labels: npt.ArrayLike, flags: npt.ArrayLike) -> Points:
    """Count rows by label and flag.

    Args:
        labels: Whether each row is anomalous, shape (T,).
        flags: Whether each row was flagged, shape (T,).

    >>> points([1, 1, 0, 0], [1, 0, 1, 0]).f1
    0.5
    """
    truth, flagged = np.asarray(labels, bool), np.asarray(flags, bool)
    return Points(
        *(int(np.sum(part)) for part in (truth & flagged, ~truth & flagged, truth & ~flagged, ~truth & ~flagged))
    )


def roc_auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Chance that an anomalous row scores higher than a normal one; 0.5 is luck. None with one class only.

    Args:
        labels: 0 or 1 a row, shape (T,).
        scores: Shape (T,); high is anomalous.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    truth = np.asarray(labels, bool)
    anomalous, normal = int(truth.sum()), int((~truth).sum())
    if not anomalous or not normal:
        return None
    _, place, counts = np.unique(np.asarray(scores, np.float64), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # rows with equal scores share their mean rank
    wins = ranks[truth].sum() - anomalous * (anomalous + 1) / 2  # Mann and Whitney's U
    return float(wins / (anomalous * normal))


def pr_auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Average precision; luck is the share of anomalous rows. None without anomalous rows.

    Args:
        labels: 0 or 1 a row, shape (T,).
        scores: Shape (T,); high is anomalous.

    >>> round(pr_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    """
    truth = np.asarray(labels, bool)
    if not truth.any():
        return None
    _, place = np.unique(-np.asarray(scores, np.float64), return_inverse=True)  # highest scores first
    hits, rows = np.bincount(place, truth), np.bincount(place)
    precision = np.cumsum(hits) / np.cumsum(rows)
    return float(np.sum(hits * precision) / truth.sum())


def vus_pr(labels: npt.ArrayLike, scores: npt.ArrayLike, window: int = VUS_WINDOW) -> float | None:
    """Volume under the precision-recall surface (Paparrizos et al., VLDB 2022), as TSB-AD computes it.

    The mean over buffers of 0 to `window` rows of the area under a precision-recall curve whose labels fade out over
    half the buffer on either side of each anomaly, so that a score a few rows early or late still counts.

    Args:
        labels: 0 or 1 a row, shape (T,).
        scores: Shape (T,); high is anomalous.
        window: Largest buffer, rows.

    Returns:
        0 to 1; None without anomalous rows.
    """
    truth, values = np.asarray(labels, bool), np.asarray(scores, np.float64)
    return volume(truth, values, window) if truth.any() else None


@dataclass(frozen=True)
class Matched:
    """Alarms against labelled anomalies."""

    anomalies: int
    """Labelled anomalies."""
    caught: int
    """Those that an alarm overlaps."""
    alarms: int
    """Alarms raised."""
    true_alarms: int
    """Alarms that overlap an anomaly."""
    delays: tuple[int, ...]
    """Rows from an anomaly's first row to its first alarm, one a caught anomaly; 0 when the alarm was open already."""

    @property
    def recall(self) -> float | None:
        """Share of the anomalies that were caught; None without anomalies."""
        return self.caught / self.anomalies if self.anomalies else None

    @property
    def precision(self) -> float | None:
        """Share of the alarms that were right; None without alarms."""
        return self.true_alarms / self.alarms if self.alarms else None

    @property
    def false_alarms(self) -> int:
        """Alarms that overlap no anomaly."""
        return self.alarms - self.true_alarms


def match(anomalies: Sequence[tuple[int, int]], alarms: Sequence[tuple[int, int]]) -> Matched:
    """Match alarms with labelled anomalies, both as ranges of rows, first and last inclusive.

    Args:
        anomalies: Labelled ranges.
        alarms: Ranges of the alarms.

    >>> match([(10, 20), (40, 50)], [(12, 14), (30, 31)])
    Matched(anomalies=2, caught=1, alarms=2, true_alarms=1, delays=(2,))
    """
    delays = []
    for first, last in anomalies:
        starts = [max(start - first, 0) for start, end in alarms if start <= last and end >= first]
        delays += [min(starts)] if starts else []
    true = sum(any(start <= last and end >= first for first, last in anomalies) for start, end in alarms)
    return Matched(len(anomalies), len(delays), len(alarms), true, tuple(delays))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
