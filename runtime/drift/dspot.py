"""Adaptive threshold that follows slow changes: DSPOT (Siffer et al., KDD 2017), within bounds.

Extreme value theory: scores above a high level have a generalized Pareto tail, and the threshold lies where that tail
leaves a given risk. The scores' slow mean is subtracted first. Scores of an alarm are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..scoring.pareto_tail import fit_tail

RISK = 1e-4  # probability that a normal score is above the threshold
LEVEL = 0.98  # quantile of the first scores beyond which a score belongs to the tail
FIRST = 1024  # scores before the first estimate
PEAKS = 100  # newest tail scores kept
LEAST_PEAKS = 10
MEMORY = 4096  # scores over which the mean and the share of tail scores are forgotten


class AdaptiveThreshold:
    """DSPOT on one stream.

    Args:
        base: The model's own threshold.
        factor: Largest factor between the two, up or down.

    Raises:
        ConfigError: If the factor allows no change.
    """

    def __init__(self, base: float, factor: float) -> None:
        if not 1 < factor <= 100:
            raise ConfigError(f"--adapt is a factor above 1 (and at most 100); received {factor:g}.")
        self.base, self.factor = base, factor
        self.threshold = base
        """The threshold in force."""
        self.first: list[float] = []
        self.peaks: list[float] = []
        self.mean = self.level = 0.0
        self.share = 1 - LEVEL

    def update(self, scores: Sequence[float]) -> None:
        """Update with consecutive normal scores; an empty sequence changes nothing."""
        if not scores:
            return
        if self.first or not self.peaks:
            self._begin(scores)
            return
        weight = len(scores) / MEMORY
        self.mean += weight * (math.fsum(scores) / len(scores) - self.mean)
        tail = [score - self.mean - self.level for score in scores if score - self.mean > self.level]
        self.share += weight * (len(tail) / len(scores) - self.share)
        self.peaks = (self.peaks + tail)[-PEAKS:]
        self._set()

    def _begin(self, scores: Sequence[float]) -> None:
        """Gather the first scores, and take mean, level and tail from them."""
        self.first = [*self.first, *scores]
        if len(self.first) < FIRST:
            return
        self.mean = math.fsum(self.first) / len(self.first)
        order = sorted(score - self.mean for score in self.first)
        self.level = order[int(LEVEL * len(order))]
        self.peaks = [score - self.level for score in order if score > self.level][-PEAKS:]
        self.first = []
        self._set()

    def _set(self) -> None:
        if len(self.peaks) < LEAST_PEAKS:
            return
        level = self.mean + self.level + self._excess()
        # six digits: platforms whose logarithms differ in the last bit agree
        self.threshold = float(f"{min(max(level, self.base / self.factor), self.base * self.factor):.6g}")

    def _excess(self) -> float:
        """Return how far above the tail's beginning the chance of a score falls to the risk."""
        if self.share <= RISK or max(self.peaks) <= min(self.peaks):
            return max(self.peaks)
        return fit_tail(self.peaks).excess(RISK / self.share)

    def to_state(self) -> dict[str, Any]:
        """Return the threshold and the statistics behind it, as plain JSON types."""
        return {
            "threshold": self.threshold,
            "first_scores": self.first,
            "peaks": self.peaks,
            "mean": self.mean,
            "level": self.level,
            "tail_share": self.share,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned; the bounds are those of this object."""
        self.first, self.peaks = list(map(float, state["first_scores"])), list(map(float, state["peaks"]))
        self.mean, self.level, self.share = (float(state[key]) for key in ("mean", "level", "tail_share"))
        self.threshold = min(max(float(state["threshold"]), self.base / self.factor), self.base * self.factor)
