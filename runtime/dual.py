"""A score that watches errors in two ways at once: how large they are, now and lately, and whether they lean to one side.

A spike or a broken pattern makes errors large; a valve that sticks or a sensor that drifts makes them lean, by too little
to see in one sample (a multivariate EWMA chart, Lowry et al. 1992). Each is measured in deviations from what is usual, and
what is usual is followed slowly, so that a machine that settles on another level is reported once and not for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import add, gt, mul, sub, truediv
from typing import Any

import numpy as np
import numpy.typing as npt

from .scoring import Scorer, Scoring, fit_scoring

Doubles = npt.NDArray[np.float64]
QUICK = 0.2  # weight of the newest in the average of error sizes: five samples
SLOW = 0.04  # weight of the newest in the average of signed errors: a level that stays off for some 25 samples
MEMORY = 1500.0  # samples over which the usual level and spread of errors are followed
GUARD = 8.0  # deviations beyond which an error teaches no more: a fault must not become usual at once
SPIKE = 3.0  # a single error counts by a third of its deviations: single ones have long tails
LEAST_ERROR = 0.01  # scaled units; an 8-bit input cannot resolve less
DUAL = Scoring("dual", quick=QUICK, slow=SLOW, memory=MEMORY)
LEAST_SPREAD = 0.01  # variance of standardized errors; a channel that never errs must not divide by zero


class DualScorer:
    """A `Scoring` of method `dual` at work. Plain floats: the same bits on every platform.

    >>> scoring = fit_dual(np.random.default_rng(0).normal(size=(1000, 2)))
    >>> scorer = DualScorer(scoring)
    >>> usual = max(scorer.update([0.5, -0.5])[0] for _ in range(50))
    >>> leaning = [scorer.update([1.5, 0.0])[0] for _ in range(50)]
    >>> usual < 4 < leaning[-1]
    True
    """

    def __init__(self, scoring: Scoring) -> None:
        self.scoring = scoring
        self._inverse = tuple(1.0 / scale for scale in scoring.scale)
        self._weights = (scoring.quick,) + (scoring.slow,) * len(scoring.scale)
        self._squares = tuple(share * share for share in scoring.ratio)
        count = len(scoring.level)
        self._rates, self._most = (1.0 / scoring.memory,) * count, (GUARD * GUARD,) * count
        self._least = (LEAST_SPREAD,) * count
        self._level, self._spread = list(scoring.level), list(scoring.spread)
        self._means = list(scoring.level)

    def update(self, error: Iterable[float]) -> tuple[float, tuple[float, ...]]:
        """The newest sample's score and each channel's part in it.

        Args:
            error: Signed error a channel, shape (F,), scaled units.

        Returns:
            The largest of these deviations, and each channel's part of it, shape (F,).
        """
        z = tuple(map(mul, error, self._inverse))
        size = math.fsum(map(math.sqrt, map(abs, z))) / len(z)
        values, level, spread, before = (size, *z), self._level, self._spread, self._means
        self._means = means = list(map(add, before, map(mul, self._weights, map(sub, values, before))))
        off = tuple(map(sub, means, level))
        quick, *slow = map(truediv, map(mul, off, off), map(mul, spread, self._squares))
        squares = tuple(map(mul, z, z))
        spike = math.sqrt(max(map(truediv, squares, spread[1:]))) / SPIKE
        large = max(spike, math.sqrt(quick)) if means[0] > level[0] else spike
        leaning = math.sqrt(math.fsum(slow) / len(slow))
        self._follow(values)
        return (large, squares) if large > leaning else (leaning, tuple(slow))

    def _follow(self, values: tuple[float, ...]) -> None:
        """Let the usual levels and spreads move towards a sample's values, `GUARD` deviations at most."""
        level, spread = self._level, self._spread
        off = list(map(sub, values, level))
        squares = list(map(mul, off, off))
        most = list(map(mul, spread, self._most))
        if True in map(gt, squares, most):
            squares = list(map(min, squares, most))
            off = [math.copysign(math.sqrt(square), o) for square, o in zip(squares, off, strict=True)]
        self._level = list(map(add, level, map(mul, off, self._rates)))
        moved = map(add, spread, map(mul, map(sub, squares, spread), self._rates))
        self._spread = list(map(max, moved, self._least))

    def reset(self) -> None:
        """Forget the recent samples; what is usual is kept."""
        self._means = list(self._level)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON types."""
        return {"means": self._means, "level": self._level, "spread": self._spread}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        parts = [list(map(float, state[name])) for name in ("means", "level", "spread")]
        if {len(part) for part in parts} != {len(self._weights)}:
            raise ValueError("another number of channels")
        self._means, self._level, self._spread = parts


def scorer_of(scoring: Scoring) -> Scorer | DualScorer:
    """The code that a scoring's method needs."""
    return DualScorer(scoring) if scoring.method == "dual" else Scorer(scoring)


def fit_style(errors: Doubles, style: Scoring) -> Scoring:
    """Fit a scoring of the same style on errors of normal operation, signed, shape (N, F), scaled units."""
    if style.method == "dual":
        return fit_dual(errors, style)
    return fit_scoring(errors, style.method, style.rows, style.smoothing)


def fit_dual(errors: Doubles, style: Scoring | None = None) -> Scoring:
    """Fit scales, usual levels and spreads on errors of normal operation.

    Args:
        errors: Signed errors a sample, shape (N, F), scaled units, in time order.
        style: Gives `quick`, `slow` and `memory`; None for the defaults.
    """
    style = style or DUAL
    scale = np.maximum(np.sqrt((errors**2).mean(axis=0)), LEAST_ERROR)
    z = errors / scale
    sizes = np.sqrt(np.abs(z)).mean(axis=1, keepdims=True)
    series, weights = np.hstack([sizes, z]), np.asarray([style.quick] + [style.slow] * z.shape[1])
    level, spread = series.mean(axis=0), np.maximum(series.var(axis=0), LEAST_SPREAD)
    averages = _averages(series, weights, level)
    # neighbouring errors are alike, so their average varies more than that of independent ones would
    ratio = np.maximum(averages.std(axis=0) / np.sqrt(spread), np.sqrt(weights / (2 - weights)))
    scales, levels, spreads, ratios = (tuple(map(float, values)) for values in (scale, level, spread, ratio))
    return replace(
        style, center=(0.0,) * len(scales), scale=scales, precision=(), level=levels, spread=spreads, ratio=ratios
    )


def _averages(series: Doubles, weights: Doubles, start: Doubles) -> Doubles:
    """Exponential averages down the rows of (N, K), from a start."""
    found, mean = np.empty_like(series), start
    for row, values in enumerate(series):
        found[row] = mean = mean + weights * (values - mean)
    return found
