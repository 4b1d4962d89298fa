"""Score of two witnesses: the size of one forecast's errors, and a control chart of another's, in normal limits.

A linear forecast follows a new level within a few samples: its errors speak of what is sudden. A recurrent forecast, which
knows only normal operation, keeps erring to one side while a fault lasts: a control chart sees that. Each of the two is
divided by its own limit, the 99 % quantile in normal operation: 2 says twice as large as normal operation hardly ever gets.
Nothing but the chart's slow baseline follows the stream, so a fault that lasts stays visible for thousands of samples.

An alarm is asked of `judges`, too: charts of each witness with a quicker baseline. What they agree on is the third reading,
1 for what an alarm takes: where it falls below, the alarm ends, while the others still rank the fault. The score is the
largest of the three. The judges' bars lie so that the rows of normal operation raise no alarm.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from operator import add, mul
from typing import Any

import numpy as np

from .ewma import LEAST_ERROR, EwmaScorer
from .judges import MEMORY, READINGS, Judge, agreement, bars_of
from .scorer import Doubles, Scored, Scorer, Scoring, comparable_mean_square
from .threshold import few_rows

LIMIT = 0.99  # quantile of a reading in normal operation that counts as its limit
LEAST_LIMIT = 0.1  # a reading that is always 0 in normal operation must not divide by zero
LOUDEST = 1e4  # deviations that an error counts for at most: one absurd value is forgotten after some 150 samples
MOST = 1e30  # times its limit; the fourth powers of larger readings would overflow
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
        self._judges = [(row * channels, Judge(_judge_of(scoring, row))) for row in judges]
        self._agreed = math.inf  # what the judges see together, in bars
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
        bars = [
            bars_of(_chart_of(fitted, row, MEMORY), errors[:, row * channels :][:, :channels], reads[0])
            for row in _charted(style)
        ]
        judged = replace(fitted, limits=limits, bars=tuple(bar for part in bars for bar in part))
        raised = _highest_agreement(cls(judged), rows)
        return replace(judged, bars=tuple(bar * raised for bar in judged.bars))

    @classmethod
    def check(cls, scoring: Scoring) -> None:
        """See `Scorer`."""
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
        score = 0.0
        if self._judges:
            seen = [min(judge.update(errors[at : at + self._channels], masked)[0], MOST) for at, judge in self._judges]
            score = self._agreed = agreement(seen)
        size, chart = min(size, MOST), min(chart, MOST)
        score = max(size, chart, score)
        return score, self._share(score, size, chart, parts, masked)

    def bar(self, score: float, threshold: float) -> float:
        """See `Scorer`. Judges that see less than an alarm takes raise the bar to the score itself, or above it."""
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

    def _share(
        self, score: float, size: float, chart: float, parts: tuple[float, ...], masked: Collection[int]
    ) -> tuple[float, ...]:
        """Return each channel's part of the score, by the evidence of size and chart: the logarithm of a heavy tail's odds."""
        first, second = self._squares, tuple(map(mul, parts, parts))
        if masked:
            first = tuple(0.0 if i in masked else value for i, value in enumerate(first))
        squares = [value * value for value in (size, chart)]
        by_size, by_chart = (math.log1p(square * square) for square in squares)
        evidence = by_size + by_chart or 1.0
        by_size = by_size / evidence / (math.fsum(first) or 1.0)
        by_chart = by_chart / evidence / (math.fsum(second) or 1.0)
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


def _highest_agreement(scorer: WitnessScorer, rows: list[list[float]]) -> float:
    """Return what judges agree on in two rows of normal operation in a row, at most, 1 at least; one row is no alarm."""
    heard = []
    for error in rows:
        scorer.update(error)
        heard.append(scorer._agreed)
    return max([1.0, *map(min, heard, heard[1:])])


def _judge_of(scoring: Scoring, row: int) -> Scoring:
    """Return the parameters of a judge: see `_chart_of`; its bars make 1 of what an alarm takes."""
    at = READINGS * _charted(scoring).index(row)
    return replace(_chart_of(scoring, row, MEMORY), bars=scoring.bars[at : at + READINGS])


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
