"""EWMA control chart: a score of the size of errors, now and lately, and of their bias to one side.

A spike or a broken pattern makes errors large. A valve that sticks or a sensor that drifts biases them, by too little to
see in one sample (multivariate EWMA chart, Lowry et al. 1992). Each is measured in deviations from a baseline, or, where the
scoring holds `bars`, in a bar of its own. The baseline
is followed slowly, so that a machine that settles on another level is reported once and not for ever; an excursion,
errors that are large for a while only, does not update it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import add, mul, sub, truediv
from typing import Any

import numpy as np

from ..snapshot import rows_from_text, rows_to_text
from .scorer import Doubles, Scored, Scorer, Scoring, comparable_mean_square

BLOCK = 32  # samples that update the baseline at once: a fiftieth of the memory, too few to move a score
CLIP = 8.0  # deviations; larger errors add no more to the averages: a fault must be forgotten soon
SPIKE = 3.0  # a single error counts by a third of its deviations: single ones have long tails
LOUD = CLIP / SPIKE  # the most that a single error within the clip counts for
EXCURSION = 5.0  # deviations of an error's size, now or lately, above which an excursion begins
CALM = 4.0  # deviations of it below which the excursion ends
GRACE = 10  # samples after a gap that do not end it: the average of sizes begins anew
LASTING = 96  # samples of an excursion that are none, but a new baseline
LEAST_ERROR = 0.01  # scaled units; an 8-bit input cannot resolve less
LEAST_SPREAD = 0.01  # variance of standardized errors; a channel that never errs must not divide by zero
EWMA = Scoring("ewma", quick=0.2, slow=0.04, memory=1500.0)
"""Default weights: averages over 5 samples of sizes and 25 samples of signed errors, a baseline over 1500."""


class EwmaScorer(Scorer):
    """EWMA control chart on one stream. Plain floats: the same bits on every platform.

    The score is computed sample by sample; the baseline is updated once in `BLOCK` samples. `math.hypot` is exact but for
    the last rounding since Python 3.10, and takes a third of the time of a sum of squares.

    Args:
        scoring: Fitted parameters.

    >>> scoring = EwmaScorer.fit(np.random.default_rng(0).normal(size=(1000, 2)), EWMA)
    >>> scorer = EwmaScorer(scoring)
    >>> normal = max(scorer.update([0.5, -0.5])[0] for _ in range(50))
    >>> biased = [scorer.update([1.5, 0.0])[0] for _ in range(50)]
    >>> normal < 4 < biased[-1]
    True
    """

    rule = "deviations"

    def __init__(self, scoring: Scoring) -> None:
        super().__init__(scoring)
        count = len(scoring.scale)
        self._inverse = tuple(1.0 / scale for scale in scoring.scale)
        self._keeps = (1.0 - scoring.slow,) * count
        self._share = 1.0 / math.sqrt(count)
        self._by_size, self._by_single, self._by_bias = (1.0 / bar for bar in scoring.bars or (1.0, 1.0, 1.0))
        # baseline means and variances: the error size first, then each channel's signed error
        self._mean, self._variance, self._ratio = map(np.asarray, (scoring.level, scoring.spread, scoring.ratio))
        self._pack = struct.Struct(f"={1 + count}d").pack
        self._pending: list[bytes] = []  # sizes and standardized errors that will update the baseline, as doubles
        self._suspect: list[bytes] = []  # those of an excursion, which may pass
        self._excursion = 0  # samples of the excursion so far
        self._concerned = 0  # channels that were valid in it, and not yet in a calm sample, as bits
        self._every_channel = (1 << count) - 1
        self._bias: tuple[float, ...] = ()
        self._prepare()
        self.reset()

    @classmethod
    def style(cls, method: str, rows: int, smoothing: float) -> Scoring:
        """See `Scorer`. The chart takes signed errors of the newest row, and averages by itself."""
        return replace(EWMA, method=method)

    @classmethod
    def fit(cls, errors: Doubles, style: Scoring) -> Scoring:
        """See `Scorer`."""
        scale = np.maximum(np.sqrt((errors**2).mean(axis=0)), LEAST_ERROR)
        z = errors / scale
        sizes = (z**2).mean(axis=1, keepdims=True) ** 0.25
        series, weights = np.hstack([sizes, z]), np.asarray([style.quick] + [style.slow] * z.shape[1])
        mean, variance = series.mean(axis=0), np.maximum(series.var(axis=0), LEAST_SPREAD)
        averages = _averages(series, weights, mean)
        # neighbouring errors are alike, so their average varies more than that of independent ones would
        ratio = np.maximum(averages.std(axis=0) / np.sqrt(variance), np.sqrt(weights / (2 - weights)))
        scales, means, variances, ratios = (tuple(map(float, values)) for values in (scale, mean, variance, ratio))
        center = (0.0,) * len(scales)
        return replace(
            style, center=center, scale=scales, precision=(), level=means, spread=variances, ratio=ratios
        )  # fmt: skip

    @classmethod
    def check(cls, scoring: Scoring) -> None:
        """See `Scorer`."""
        fitted = (scoring.level, scoring.spread, scoring.ratio)
        if {len(values) for values in fitted} != {len(scoring.scale) + 1}:
            raise ValueError(f"a baseline that is not of {len(scoring.scale)} channels")
        if not (0 < scoring.quick <= 1 and 0 < scoring.slow <= 1 <= scoring.memory):
            raise ValueError("weights of averages that are not in (0, 1], or a memory below 1")
        if not (min(*scoring.spread, *scoring.ratio) > 1e-9 and max(map(abs, scoring.level)) < 1e30):
            raise ValueError("a baseline that is not finite, or varies by nothing")

    def _prepare(self) -> None:
        """Compute a sample's factors until the baseline changes: from standardized errors and sizes to deviations."""
        deviation = np.sqrt(self._variance)
        narrow, reach = 1.0 / (deviation * self._ratio), CLIP * deviation
        self._mean_size, self._narrow = float(self._mean[0]), float(narrow[0])
        self._middle = self._mean[1:].tolist()
        self._aside = max(map(abs, self._middle))
        lines = (self._mean * narrow, self.scoring.slow * narrow, self._mean - reach, self._mean + reach)
        self._baseline, self._gains, self._lowest, self._highest = [line[1:].tolist() for line in lines]
        self._spikes = (1.0 / (SPIKE * deviation[1:])).tolist()
        self._sharpest = max(self._spikes)

    def update(self, error: Iterable[float], masked: Collection[int] = ()) -> Scored:
        """See `Scorer`. The score is the largest of three deviations: recent sizes, the newest errors, and the bias."""
        errors = limited = tuple(map(mul, error, self._inverse))
        if masked:
            return self._update_valid(errors, masked)
        length = math.hypot(*errors)
        loudest = (length + self._aside) * self._sharpest  # no single error counts for more
        if loudest > LOUD:
            off = list(map(sub, errors, self._middle))
            loudest = max(max(off), -min(off)) * self._sharpest
        if loudest > LOUD:
            limited = tuple(map(max, map(min, errors, self._highest), self._lowest))
            length = math.hypot(*limited)
        size = math.sqrt(length * self._share)
        self._size += self.scoring.quick * (size - self._size)
        self._bias = bias = tuple(map(add, map(mul, self._bias, self._keeps), map(mul, limited, self._gains)))
        parts = tuple(map(sub, bias, self._baseline))
        biased = self._lean(parts, len(parts))
        score = biased * self._by_bias
        large = (self._size - self._mean_size) * self._narrow
        sudden = large * self._by_size
        if loudest > min(biased, score, CALM):
            single = max(map(mul, map(abs, map(sub, errors, self._middle)), self._spikes))
            large, sudden = max(large, single), max(sudden, single * self._by_single)
        if sudden > score:
            score, parts = sudden, errors
        self._learn(large, self._pack(size, *limited), self._every_channel)
        return score, parts

    def _update_valid(self, errors: tuple[float, ...], masked: Collection[int]) -> Scored:
        """As `update` over the valid channels; the others keep their bias and their baseline."""
        count = len(errors)
        valid = [i for i in range(count) if i not in masked]
        limited = [max(min(errors[i], self._highest[i]), self._lowest[i]) for i in valid]
        total = math.fsum(value * value for value in limited)
        size = comparable_mean_square(total, len(valid), count) ** 0.25
        self._size += self.scoring.quick * (size - self._size)
        bias, deviations, sizes, row = list(self._bias), [0.0] * count, [0.0] * count, [math.nan] * count
        for i, value in zip(valid, limited, strict=True):
            bias[i] = bias[i] * self._keeps[i] + value * self._gains[i]
            deviations[i], sizes[i], row[i] = bias[i] - self._baseline[i], errors[i], value
        self._bias = tuple(bias)
        biased = self._lean(deviations, len(valid))
        score, parts = biased * self._by_bias, deviations
        large = (self._size - self._mean_size) * self._narrow
        single = max([abs(errors[i] - self._middle[i]) * self._spikes[i] for i in valid])
        sudden = max(large * self._by_size, single * self._by_single)
        if sudden > score:
            score, parts = sudden, sizes
        self._learn(max(large, single), self._pack(math.nan, *row), sum(1 << i for i in valid))
        return score, tuple(parts)

    def _lean(self, parts: Sequence[float], valid: int) -> float:
        """Return the length of the bias, a root mean square.

        Args:
            parts: Deviations of each channel's bias, 0 where it does not count, shape (F,).
            valid: Channels that count.
        """
        if valid == len(parts):
            return math.hypot(*parts) * self._share
        return math.sqrt(comparable_mean_square(math.hypot(*parts) ** 2, valid, len(parts)))

    def _learn(self, large: float, row: bytes, valid: int) -> None:
        """Let a sample update the baseline, now or, in an excursion, when that lasts.

        An excursion ends when every channel that was valid in it was valid in a calm sample, too; those of the first
        samples after a gap do not count.

        Args:
            large: Deviation of the errors' size.
            row: The sample as packed size and errors, NaN where they do not count.
            valid: Valid channels as bits.
        """
        if large > (CALM if self._excursion else EXCURSION):
            self._excursion += 1
            self._concerned |= valid
            self._suspect.append(row)
            if self._excursion >= LASTING:
                self._pending += self._suspect
                self._suspect = []
        else:
            self._pending.append(row)
            if self._excursion:
                self._calm_down(valid)
        if len(self._pending) >= BLOCK:
            self._update_baseline()

    def _calm_down(self, valid: int) -> None:
        if self._unsure:
            self._unsure -= 1
            return
        self._concerned &= ~valid
        if not self._concerned:
            self._excursion, self._suspect = 0, []

    def _update_baseline(self) -> None:
        """Move baseline means and variances towards the pending samples."""
        off = np.frombuffer(b"".join(self._pending)).reshape(len(self._pending), -1) - self._mean
        known, rate = ~np.isnan(off), 1.0 / self.scoring.memory
        bias = tuple(map(truediv, self._bias, self._gains))
        grown = np.add.reduce(off * off - self._variance, axis=0, where=known)
        self._mean = self._mean + rate * np.add.reduce(off, axis=0, where=known)
        self._variance = np.maximum(self._variance + rate * grown, LEAST_SPREAD)
        self._pending = []
        self._prepare()
        self._bias = tuple(map(mul, bias, self._gains))

    def reset(self) -> None:
        """Forget recent sizes and biases, as after a gap; the baseline stays, and so do samples that may update it."""
        self._size, self._bias = self._mean_size, tuple(self._baseline)
        self._unsure = GRACE if self._excursion else 0

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types.

        Keys: `size` and `bias` (F,) are the averages; `mean` and `variance` (1 + F,) the baseline; `pending` and
        `suspect` the samples that may update it (Base64 of doubles, 1 + F a sample); `excursion` the samples of an
        excursion so far, `concerned` its channels as bits; `unsure` the samples after a gap that do not end it.
        """
        return {
            "size": self._size,
            "bias": [*self._bias],
            "mean": self._mean.tolist(),
            "variance": self._variance.tolist(),
            "pending": rows_to_text(self._pending),
            "suspect": rows_to_text(self._suspect),
            "excursion": self._excursion,
            "concerned": self._concerned,
            "unsure": self._unsure,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned.

        Raises:
            ValueError: If it is of another number of channels, or holds too many samples.
        """
        bias, mean, variance = (list(map(float, state[name])) for name in ("bias", "mean", "variance"))
        width = 8 * (1 + len(self._keeps))
        pending, suspect = (rows_from_text(state[name], width, LASTING - 1) for name in ("pending", "suspect"))
        if {len(bias), len(mean) - 1, len(variance) - 1} != {len(self._keeps)}:
            raise ValueError("a scorer of another number of channels")
        self._mean, self._variance = np.asarray(mean), np.asarray(variance)
        self._prepare()
        self._size, self._bias, self._excursion = float(state["size"]), tuple(bias), int(state["excursion"])
        self._pending, self._suspect = pending, suspect
        self._concerned, self._unsure = int(state["concerned"]), int(state["unsure"])


def _averages(series: Doubles, weights: Doubles, start: Doubles) -> Doubles:
    """Return exponential averages down the rows of (N, K).

    Args:
        series: Rows in time order, shape (N, K).
        weights: Weight of the newest value, shape (K,).
        start: Averages before the first row, shape (K,).
    """
    averages, average = np.empty_like(series), start
    for row, values in enumerate(series):
        averages[row] = average = average + weights * (values - average)
    return averages
