"""Score of two witnesses: the size of one forecast's errors, and a control chart of another's, in normal limits.

A linear forecast follows a new level within a few samples: its errors speak of what is sudden. A recurrent forecast, which
knows only normal operation, keeps erring to one side while a fault lasts: a control chart sees that. Each of the two is
divided by its own limit, the 99 % quantile in normal operation; the score is the larger of them. So a score of 2 says: twice as large as normal operation hardly ever gets. Nothing but the chart's slow baseline follows the
stream, so a fault that lasts stays visible for thousands of samples.

What ranks well need not decide well: a score that stays up keeps an alarm open after its fault. So an alarm is asked of
judges, too: a control chart of each witness with a quicker baseline. Size of errors, largest single error and bias count by
bars of their own: so many deviations, and at least what one sample in a thousand of normal operation reaches, since some
machines err by ten deviations whenever they start. It takes a score above the threshold, and every judge above a bar; where
one of them no longer is, the alarm ends. Limits and bars lie so that the rows of normal operation raise no alarm.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from operator import add, mul
from typing import Any

import numpy as np

from .ewma import LEAST_ERROR, EwmaScorer
from .scorer import Doubles, Scored, Scorer, Scoring, comparable_mean_square
from .threshold import few_rows

LIMIT = 0.99  # quantile of a reading in normal operation that counts as its limit
LEAST_LIMIT = 0.1  # a reading that is always 0 in normal operation must not divide by zero
LOUDEST = 1e4  # deviations that an error counts for at most: one absurd value is forgotten after some 150 samples
MOST = 1e30  # times its limit; the fourth powers of larger readings would overflow
DEVIATIONS = 3.75  # that each judge has to see at least, as in the threshold rule of the score ewma
READINGS = 3  # of a judge
BAR = 0.999  # quantile of a judge's reading in normal operation that its bar lies at or above
JUDGES_MEMORY = 1500.0  # samples over which a judge's baseline is followed, as in the score ewma
WITNESSES = Scoring("witnesses", smoothing=0.1, quick=0.2, slow=0.04, memory=5000.0)
"""Default weights: an average over 10 samples of squared errors; see `EWMA` for those of the chart."""


class WitnessScorer(Scorer):
    """Size and chart of one stream. Plain floats: the same bits on every platform.

    Args:
        scoring: Fitted parameters.

    >>> scoring = WitnessScorer.fit(np.random.default_rng(0).normal(size=(1000, 2)), WITNESSES)
    >>> scorer = WitnessScorer(scoring)
    >>> noise = np.random.default_rng(1).normal(size=(50, 2))
    >>> normal = max(scorer.update(row)[0] for row in noise.tolist())
    >>> biased = [scorer.update(row)[0] for row in (noise + 3.0).tolist()]
    >>> normal < 1 < biased[-1]
    True
    """

    rule = "limits"

    def __init__(self, scoring: Scoring) -> None:
        super().__init__(scoring)
        channels = len(scoring.scale) // scoring.witnesses
        self._channels = channels
        self._first = scoring.trusted * channels
        self._chart = EwmaScorer(_chart_of(scoring, scoring.trusted, scoring.memory))
        judges = _charted(scoring) if scoring.bars else ()
        self._judges = [(row * channels, EwmaScorer(_judge_of(scoring, row))) for row in judges]
        self._agreed = math.inf  # the least that a judge sees, in bars
        self._inverse = tuple(1.0 / scale for scale in scoring.scale[:channels])
        self._keep, self._gain = (1.0 - scoring.smoothing,) * channels, (scoring.smoothing,) * channels
        self._size_limit, self._chart_limit = scoring.limits or (1.0, 1.0)
        self._squares: tuple[float, ...] = (1.0,) * channels  # as in normal operation

    @classmethod
    def style(cls, method: str, rows: int, smoothing: float) -> Scoring:
        """See `Scorer`. Both witnesses take signed errors of the newest row, and average by themselves."""
        return replace(WITNESSES, method=method)

    @classmethod
    def fit(cls, errors: Doubles, style: Scoring) -> Scoring:
        """See `Scorer`. Limits are wider where rows are few for what a witness reads."""
        scale = np.maximum(np.sqrt((errors**2).mean(axis=0)), LEAST_ERROR)
        blank = replace(
            style, center=(0.0,) * len(scale), scale=tuple(map(float, scale)), level=(), spread=(), ratio=(), limits=(),
            bars=(),
        )  # fmt: skip
        channels = len(scale) // style.witnesses
        charts = [
            EwmaScorer.fit(errors[:, row * channels :][:, :channels], _chart_of(blank, row, style.memory))
            for row in _charted(style)
        ]
        level, spread, ratio = (
            tuple(value for chart in charts for value in getattr(chart, name)) for name in ("level", "spread", "ratio")
        )
        fitted = replace(blank, level=level, spread=spread, ratio=ratio)
        rows = errors.tolist()
        scorer = cls(fitted)
        readings = np.quantile([scorer._read(tuple(row), ())[:2] for row in rows], LIMIT, axis=0)
        reads = style.reads or (0, 0)
        limits = tuple(
            max(float(value), LEAST_LIMIT) * few_rows(len(rows), inputs)
            for value, inputs in zip(readings, reads, strict=True)
        )
        least = DEVIATIONS * few_rows(len(rows), reads[0])
        bars = tuple(bar for row in _charted(style) for bar in _bars(fitted, row, errors, least))
        raised = _highest_alarm(cls(replace(fitted, limits=limits, bars=bars)), rows)
        return replace(
            fitted, limits=tuple(limit * raised for limit in limits), bars=tuple(bar * raised for bar in bars)
        )

    @classmethod
    def check(cls, scoring: Scoring) -> None:
        """See `Scorer`."""
        if not 0 <= scoring.trusted < scoring.witnesses or len(scoring.scale) % scoring.witnesses:
            raise ValueError(f"witness {scoring.trusted} of {scoring.witnesses}")
        if len(scoring.limits) != 2 or not all(0 < limit < MOST for limit in scoring.limits):
            raise ValueError("limits that are not two numbers above 0")
        rows = _charted(scoring) if scoring.bars else (scoring.trusted,)  # earlier files have no judges
        if len(scoring.bars) not in (0, READINGS * len(rows)) or not all(0 < bar < MOST for bar in scoring.bars):
            raise ValueError("bars that are not three numbers above 0 for each judge")
        size = len(rows) * (1 + len(scoring.scale) // scoring.witnesses)
        if {len(values) for values in (scoring.level, scoring.spread, scoring.ratio)} != {size}:
            raise ValueError(f"a baseline that is not of {len(rows)} charts")
        for row in rows:
            EwmaScorer.check(_chart_of(scoring, row, scoring.memory))

    def update(self, error: Iterable[float], masked: Collection[int] = ()) -> Scored:
        """See `Scorer`. The errors are those of all witnesses, one after the other, shape (K * F,)."""
        errors = tuple(error)
        size, chart, parts = self._read(errors, masked)
        if self._judges:
            seen = [judge.update(errors[at : at + self._channels], masked)[0] for at, judge in self._judges]
            self._agreed = min(seen)
        size, chart = min(size, MOST), min(chart, MOST)
        return max(size, chart), self._share(size, chart, parts, masked)

    def bar(self, score: float, threshold: float) -> float:
        """See `Scorer`. A judge that sees less than an alarm takes raises the bar to the score itself, or above it."""
        return max(threshold, score / self._agreed) if self._agreed > 0 else math.inf

    def _read(self, errors: tuple[float, ...], masked: Collection[int]) -> tuple[float, float, tuple[float, ...]]:
        """Return size and chart in limits, and the chart's parts, shape (F,)."""
        z = tuple(map(mul, errors, self._inverse))  # stops after F
        if math.hypot(*z) > LOUDEST:
            z = tuple(min(max(value, -LOUDEST), LOUDEST) for value in z)
        before = self._squares
        self._squares = tuple(map(add, map(mul, before, self._keep), map(mul, map(mul, z, z), self._gain)))
        chart, parts = self._chart.update(errors[self._first : self._first + self._channels], masked)
        mean = math.fsum(self._squares) / self._channels
        if masked:  # their average waits, and does not count
            pairs = enumerate(zip(before, self._squares, strict=True))
            self._squares = tuple(old if i in masked else new for i, (old, new) in pairs)
            valid = [value for i, value in enumerate(self._squares) if i not in masked]
            mean = comparable_mean_square(math.fsum(valid), len(valid), self._channels)
        return math.sqrt(mean) / self._size_limit, chart / self._chart_limit, parts

    def _share(self, size: float, chart: float, parts: tuple[float, ...], masked: Collection[int]) -> tuple[float, ...]:
        """Return each channel's part of the score, by the evidence of size and chart: the logarithm of a heavy tail's odds."""
        first, second = self._squares, tuple(map(mul, parts, parts))
        if masked:
            first = tuple(0.0 if i in masked else value for i, value in enumerate(first))
        squares = [value * value for value in (size, chart)]
        by_size, by_chart = (math.log1p(square * square) for square in squares)
        evidence = by_size + by_chart or 1.0
        by_size = by_size / evidence / (math.fsum(first) or 1.0)
        by_chart = by_chart / evidence / (math.fsum(second) or 1.0)
        score = max(size, chart)
        return tuple(score * math.sqrt(by_size * a + by_chart * b) for a, b in zip(first, second, strict=True))

    def reset(self) -> None:
        """See `Scorer`."""
        self._squares = (1.0,) * self._channels
        self._chart.reset()
        for _, judge in self._judges:
            judge.reset()

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types: `squares` (F,), and the states of the `chart` and of the `judges`."""
        judges = [judge.to_state() for _, judge in self._judges]
        return {"squares": list(self._squares), "chart": self._chart.to_state(), "judges": judges}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned.

        Raises:
            ValueError: If it is of another number of channels.
        """
        squares = tuple(map(float, state["squares"]))
        if len(squares) != self._channels:
            raise ValueError("a scorer of another number of channels")
        self._chart.restore(state["chart"])
        for (_, judge), kept in zip(self._judges, state["judges"], strict=True):
            judge.restore(kept)
        self._squares = squares


def _charted(scoring: Scoring) -> tuple[int, ...]:
    """Return the rows whose errors a chart watches, in the order of their baselines: the trusted one, then the first."""
    return (scoring.trusted, 0) if scoring.trusted else (0,)


def _bars(scoring: Scoring, row: int, errors: Doubles, least: float) -> list[float]:
    """Return what the three readings of a judge have to exceed.

    Args:
        scoring: Parameters of the witnesses, without bars.
        row: Witness whose errors it watches.
        errors: Of normal operation, shape (N, K * F).
        least: Deviations that a bar lies at at least.
    """
    first = row * (len(scoring.scale) // scoring.witnesses)
    rows = errors[:, first : first + len(scoring.scale) // scoring.witnesses].tolist()
    bars = []
    for number in range(READINGS):
        alone = tuple(1.0 if number == other else math.inf for other in range(READINGS))
        judge = EwmaScorer(replace(_chart_of(scoring, row, JUDGES_MEMORY), bars=alone))
        bars.append(max(least, float(np.quantile([judge.update(error)[0] for error in rows], BAR))))
    return bars


def _highest_alarm(scorer: WitnessScorer, rows: list[list[float]]) -> float:
    """Return how many times limits and bars two rows of normal operation in a row reach, 1 at least.

    One row alone is no alarm.
    """
    heard = [min(scorer.update(error)[0], scorer._agreed) for error in rows]
    return max([1.0, *map(min, heard, heard[1:])])


def _judge_of(scoring: Scoring, row: int) -> Scoring:
    """Return the parameters of a judge: see `_chart_of`; its bars make 1 of what an alarm takes."""
    at = READINGS * _charted(scoring).index(row)
    return replace(_chart_of(scoring, row, JUDGES_MEMORY), bars=scoring.bars[at : at + READINGS])


def _chart_of(scoring: Scoring, row: int, memory: float) -> Scoring:
    """Return the parameters of a chart.

    Args:
        scoring: Those of the witnesses.
        row: Witness whose errors it watches.
        memory: Samples over which its baseline is followed.
    """
    channels = len(scoring.scale) // scoring.witnesses
    first = row * channels
    at = _charted(scoring).index(row) * (1 + channels)
    level, spread, ratio = (part[at:][: 1 + channels] for part in (scoring.level, scoring.spread, scoring.ratio))
    return replace(
        scoring, method="ewma", scale=scoring.scale[first : first + channels], center=(0.0,) * channels,
        level=level, spread=spread, ratio=ratio, memory=memory, witnesses=1, trusted=0, bars=(),
    )  # fmt: skip
