"""A score that watches errors in two ways at once: how large they are, now and lately, and whether they lean to one side.

A spike or a broken pattern makes errors large; a valve that sticks or a sensor that drifts makes them lean, by too little
to see in one sample (a multivariate EWMA chart, Lowry et al. 1992). Each is measured in deviations from what is usual, and
what is usual is followed slowly, so that a machine that settles on another level is reported once and not for ever.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from operator import add, mul, sub
from typing import Any

import numpy as np
import numpy.typing as npt

from .scoring import Scorer, Scoring, fit_scoring

Doubles = npt.NDArray[np.float64]
QUICK = 0.2  # weight of the newest in the average of error sizes: five samples
SLOW = 0.04  # weight of the newest in the average of signed errors: a level that stays off for some 25 samples
MEMORY = 1500.0  # samples over which the usual level and spread of errors are followed
BLOCK = 32  # samples that teach at once: a fiftieth of the memory, not to be felt in a score
GUARD = 8.0  # deviations; what is beyond adds no more to the averages: a fault must be forgotten soon
SPIKE = 3.0  # a single error counts by a third of its deviations: single ones have long tails
LEAST_ERROR = 0.01  # scaled units; an 8-bit input cannot resolve less
DUAL = Scoring("dual", quick=QUICK, slow=SLOW, memory=MEMORY)
LEAST_SPREAD = 0.01  # variance of standardized errors; a channel that never errs must not divide by zero


class DualScorer:
    """A `Scoring` of method `dual` at work. Plain floats: the same bits on every platform.

    The score is taken sample by sample; what is usual is followed once in `BLOCK` samples, which costs a third of the time.

    >>> scoring = fit_dual(np.random.default_rng(0).normal(size=(1000, 2)))
    >>> scorer = DualScorer(scoring)
    >>> usual = max(scorer.update([0.5, -0.5])[0] for _ in range(50))
    >>> leaning = [scorer.update([1.5, 0.0])[0] for _ in range(50)]
    >>> usual < 4 < leaning[-1]
    True
    """

    def __init__(self, scoring: Scoring) -> None:
        self.scoring = scoring
        count = len(scoring.scale)
        self._inverse = tuple(1.0 / scale for scale in scoring.scale)
        self._keeps = (1.0 - scoring.slow,) * count
        self._full = BLOCK * (1 + count)
        self._level, self._spread = list(scoring.level), list(scoring.spread)
        self._size, self._lean = scoring.level[0], [0.0] * count
        self._recent: list[float] = []  # size and error a channel, sample after sample
        self._prepare()

    def _prepare(self) -> None:
        """A sample's factors until what is usual changes: from errors, levels and sizes to deviations."""
        spread, level, slow = self._spread, self._level, self.scoring.slow
        self._narrow = [1.0 / (math.sqrt(s) * ratio) for s, ratio in zip(spread, self.scoring.ratio, strict=True)]
        self._gains = [slow * inverse * n for inverse, n in zip(self._inverse, self._narrow[1:], strict=True)]
        self._usual = [slow * usual * n for usual, n in zip(level[1:], self._narrow[1:], strict=True)]
        self._spikes = [1.0 / (SPIKE * math.sqrt(s)) for s in spread[1:]]
        self._sharpest = max(self._spikes)
        reach = [GUARD * math.sqrt(s) for s in spread]
        self._largest = level[0] + reach[0]
        columns = list(zip(level[1:], reach[1:], self.scoring.scale, strict=True))
        self._lowest = [(usual - width) * scale for usual, width, scale in columns]
        self._highest = [(usual + width) * scale for usual, width, scale in columns]

    def update(self, error: Iterable[float], masked: Collection[int] = ()) -> tuple[float, tuple[float, ...]]:
        """The newest sample's score and each channel's part in it.

        Args:
            error: Signed error a channel, shape (F,), scaled units.
            masked: Channels whose error is none, and says nothing of what is usual.

        Returns:
            The largest of these deviations, and each channel's part of it, shape (F,).
        """
        error, count = tuple(error), len(self._keeps)
        heard = sizes = tuple(map(mul, map(abs, error), self._inverse))
        loudest = max(sizes) * self._sharpest  # no single error counts for more
        if loudest > GUARD / SPIKE / 2:  # half, as the usual may lie aside
            error = tuple(map(max, map(min, error, self._highest), self._lowest))
            heard = tuple(map(mul, map(abs, error), self._inverse))
        size = math.fsum(map(math.sqrt, heard)) / count
        self._size += self.scoring.quick * (size - self._size)
        taken = map(sub, map(mul, error, self._gains), self._usual)
        self._lean = lean = list(map(add, map(mul, self._lean, self._keeps), taken))
        squares = tuple(map(mul, lean, lean))
        leaning = math.sqrt(math.fsum(squares) / count)
        large = (self._size - self._level[0]) * self._narrow[0]
        if loudest > leaning:
            large = max(large, *map(mul, sizes, self._spikes))
        self._recent += (min(size, self._largest), *error)
        for place in (0, *[1 + channel for channel in masked]) if masked else ():
            self._recent[place - count - 1] = math.nan
        score, parts = (large, tuple(map(mul, sizes, sizes))) if large > leaning else (leaning, squares)
        if len(self._recent) >= self._full:
            self._follow()
        return score, parts

    def _follow(self) -> None:
        """Let usual levels and spreads move towards a block of samples."""
        recent, self._recent = self._recent, []
        level, narrow, width = self._level, self._narrow, len(self._level)
        means = [usual + lean / n for usual, lean, n in zip(level[1:], self._lean, narrow[1:], strict=True)]
        for column, unit in enumerate((1.0, *self._inverse)):
            self._teach(column, [value * unit for value in recent[column::width]])
        self._prepare()
        columns = zip(means, self._level[1:], self._narrow[1:], strict=True)
        self._lean = [(mean - usual) * n for mean, usual, n in columns]

    def _teach(self, column: int, values: list[float]) -> None:
        """Move one usual level and spread."""
        level, spread, rate = self._level[column], self._spread[column], 1.0 / self.scoring.memory
        off = [value - level for value in values if not math.isnan(value)]
        self._level[column] = level + rate * math.fsum(off)
        self._spread[column] = max(spread + rate * (math.fsum(map(mul, off, off)) - len(off) * spread), LEAST_SPREAD)

    def reset(self) -> None:
        """Forget the recent samples; what is usual is kept, and what they taught about it."""
        self._size, self._lean = self._level[0], [0.0] * len(self._keeps)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON types."""
        names = ("size", "lean", "level", "spread", "recent")
        return {name: getattr(self, f"_{name}") for name in names}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        lean, level, spread, recent = (list(map(float, state[name])) for name in ("lean", "level", "spread", "recent"))
        width = 1 + len(self._keeps)
        if {len(level), len(spread), len(lean) + 1} != {width} or len(recent) % width or len(recent) >= self._full:
            raise ValueError("another number of channels")
        self._size, self._lean, self._recent = float(state["size"]), lean, recent
        self._level, self._spread = level, spread
        self._prepare()


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
