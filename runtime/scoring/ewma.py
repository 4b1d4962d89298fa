"""A score that watches errors in two ways at once: how large they are, now and lately, and whether they lean to one side.

A spike or a broken pattern makes errors large; a valve that sticks or a sensor that drifts makes them lean, by too little
to see in one sample (a multivariate EWMA chart, Lowry et al. 1992). Each is measured in deviations from what is usual, and
what is usual is followed slowly, so that a machine that settles on another level is reported once and not for ever.
Errors that are large for a while only teach nothing of what is usual.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from operator import add, mul, sub, truediv
from typing import Any

import numpy as np
import numpy.typing as npt

from ..snapshot import rows_from_text, rows_to_text
from .scorers import Scorer, Scoring, fit_scoring

Doubles = npt.NDArray[np.float64]
QUICK = 0.2  # weight of the newest in the average of error sizes: five samples
SLOW = 0.04  # weight of the newest in the average of signed errors: a level that stays off for some 25 samples
MEMORY = 1500.0  # samples over which the usual level and spread of errors are followed
BLOCK = 32  # samples that teach at once: a fiftieth of the memory, not to be felt in a score
GUARD = 8.0  # deviations; what is beyond adds no more to the averages: a fault must be forgotten soon
SPIKE = 3.0  # a single error counts by a third of its deviations: single ones have long tails
LOUD = GUARD / SPIKE  # what a single error counts for when it is beyond
TROUBLE = 5.0  # deviations of an error's size, now or lately, above which it may be trouble and teaches nothing yet
CALM = 4.0  # deviations of it below which trouble is over
GRACE = 10  # samples after a gap that do not end it: the average of sizes begins anew
LASTING = 96  # samples of it that are no trouble but the new usual
LEAST_ERROR = 0.01  # scaled units; an 8-bit input cannot resolve less
DUAL = Scoring("dual", quick=QUICK, slow=SLOW, memory=MEMORY)
LEAST_SPREAD = 0.01  # variance of standardized errors; a channel that never errs must not divide by zero


class DualScorer:
    """A `Scoring` of method `dual` at work. Plain floats: the same bits on every platform.

    The score is taken sample by sample; what is usual is followed once in `BLOCK` samples. `math.hypot` is exact but for
    the last rounding since Python 3.10, and takes a third of the time of a sum of squares.

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
        self._share = 1.0 / math.sqrt(count)
        self._level, self._spread, self._ratio = map(np.asarray, (scoring.level, scoring.spread, scoring.ratio))
        self._pack = struct.Struct(f"={1 + count}d").pack
        self._rows: list[bytes] = []  # sizes and standardized errors that wait to teach, as doubles
        self._apart: list[bytes] = []  # those of trouble that may pass
        self._troubled = 0
        self._lean: tuple[float, ...] = ()
        self._prepare()
        self.reset()

    def _prepare(self) -> None:
        """A sample's factors until what is usual changes: from standardized errors and sizes to deviations."""
        deviation = np.sqrt(self._spread)
        narrow, reach = 1.0 / (deviation * self._ratio), GUARD * deviation
        self._usual_size, self._narrow = float(self._level[0]), float(narrow[0])
        self._middle = self._level[1:].tolist()
        self._aside = max(map(abs, self._middle))
        lines = (self._level * narrow, self.scoring.slow * narrow, self._level - reach, self._level + reach)
        self._usual, self._gains, self._lowest, self._highest = [line[1:].tolist() for line in lines]
        self._spikes = (1.0 / (SPIKE * deviation[1:])).tolist()
        self._sharpest = max(self._spikes)

    def update(self, error: Iterable[float], masked: Collection[int] = ()) -> tuple[float, tuple[float, ...]]:
        """The newest sample's score and each channel's part in it.

        Args:
            error: Signed error a channel, shape (F,), scaled units.
            masked: Channels whose error is none, and says nothing of what is usual.

        Returns:
            The largest of these deviations, and each channel's part of it, shape (F,).
        """
        errors = heard = tuple(map(mul, error, self._inverse))
        length = math.hypot(*errors)
        loudest = (length + self._aside) * self._sharpest  # no single error counts for more
        if loudest > LOUD:
            off = list(map(sub, errors, self._middle))
            loudest = max(max(off), -min(off)) * self._sharpest
        if loudest > LOUD:
            heard = tuple(map(max, map(min, errors, self._highest), self._lowest))
            length = math.hypot(*heard)
        size = math.sqrt(length * self._share)
        self._size += self.scoring.quick * (size - self._size)
        self._lean = lean = tuple(map(add, map(mul, self._lean, self._keeps), map(mul, heard, self._gains)))
        parts = tuple(map(sub, lean, self._usual))
        score = math.hypot(*parts) * self._share
        large = (self._size - self._usual_size) * self._narrow
        if loudest > min(score, CALM):
            large = max(large, *map(mul, map(abs, map(sub, errors, self._middle)), self._spikes))
        if large > score:
            score, parts = large, errors
        if masked:
            size, heard = math.nan, tuple([math.nan if i in masked else value for i, value in enumerate(heard)])
        row = self._pack(size, *heard)
        if large > TROUBLE or self._troubled:
            self._doubt(large, row, bool(masked))
        else:
            self._rows.append(row)
        if len(self._rows) >= BLOCK:
            self._follow()
        return score, parts

    def _doubt(self, large: float, row: bytes, masked: bool) -> None:
        """Set a sample of trouble apart, teach all of them when it lasts, and forget them when it has passed.

        Whether it has passed, a sample does not say in which a channel is masked, as that may be the troubled one, and none
        of the first after a gap.
        """
        if large > (CALM if self._troubled else TROUBLE):
            self._troubled += 1
            self._apart.append(row)
            if self._troubled >= LASTING:
                self._rows += self._apart
                self._apart = []
            return
        self._rows.append(row)
        if self._unsure:
            self._unsure -= 1
        elif not masked:
            self._troubled, self._apart = 0, []

    def _follow(self) -> None:
        """Let usual levels and spreads move towards the samples that wait."""
        off = np.frombuffer(b"".join(self._rows)).reshape(len(self._rows), -1) - self._level
        known, rate = ~np.isnan(off), 1.0 / self.scoring.memory
        lean = tuple(map(truediv, self._lean, self._gains))
        grown = np.add.reduce(off * off - self._spread, axis=0, where=known)
        self._level = self._level + rate * np.add.reduce(off, axis=0, where=known)
        self._spread = np.maximum(self._spread + rate * grown, LEAST_SPREAD)
        self._rows = []
        self._prepare()
        self._lean = tuple(map(mul, lean, self._gains))

    def reset(self) -> None:
        """Forget recent sizes and leans, as after a gap; what is usual is kept, and the samples that may yet teach it."""
        self._size, self._lean = self._usual_size, tuple(self._usual)
        self._unsure = GRACE if self._troubled else 0

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types."""
        return {
            "size": self._size, "lean": [*self._lean], "level": self._level.tolist(), "spread": self._spread.tolist(),
            "rows": rows_to_text(self._rows), "apart": rows_to_text(self._apart), "troubled": self._troubled,
            "unsure": self._unsure,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        lean, level, spread = (list(map(float, state[name])) for name in ("lean", "level", "spread"))
        width = 8 * (1 + len(self._keeps))
        rows, apart = (rows_from_text(state[name], width, LASTING - 1) for name in ("rows", "apart"))
        if {len(lean), len(level) - 1, len(spread) - 1} != {len(self._keeps)}:
            raise ValueError("another number of channels")
        self._level, self._spread = np.asarray(level), np.asarray(spread)
        self._prepare()
        self._size, self._lean, self._troubled = float(state["size"]), tuple(lean), int(state["troubled"])
        self._rows, self._apart, self._unsure = rows, apart, int(state["unsure"])


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
    sizes = (z**2).mean(axis=1, keepdims=True) ** 0.25
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
