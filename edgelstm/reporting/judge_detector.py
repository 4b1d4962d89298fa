"""Judgement of anomaly detectors: every scheme and Keras on the same rows, and how sure their differences are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edgelstm.data.label_cells import read_labels
from edgelstm.data.series import Series
from edgelstm.evaluation.evaluate import DAY, measure
from edgelstm.evaluation.label_runs import ranges
from edgelstm.evaluation.metrics import match, vus_pr
from edgelstm.evaluation.replaying import Replay

from .bootstrap import LEAST_BLOCKS, SEED, Figures, Picks, concatenated, cut_blocks, draws, interval, resample
from .schema import Drop, Resampling

Doubles = npt.NDArray[np.float64]
REPLICATES = 300
ROWS_DRAWN = 2_000_000  # rows that all draws of one scheme hold together: bounds the time for long series
LEAST_REPLICATES = 100


@dataclass(frozen=True)
class Judge:
    """The rows that models are judged on."""

    series: Series
    """As they are in the file."""
    window: int
    """Rows a window, W."""

    @cached_property
    def labels(self) -> npt.NDArray[np.bool_] | None:
        """Labels of the rows, True where anomalous, shape (T,); None without labels."""
        return None if self.series.labels is None else read_labels(self.series.labels)

    @cached_property
    def anomalies(self) -> list[tuple[int, int]]:
        """First and last row of each labelled anomaly."""
        return [] if self.labels is None else ranges(self.labels)

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """Stretches of at least two windows, so that rows of different ones hardly depend on each other."""
        return cut_blocks(len(self.series.values), 2 * self.window, self.anomalies)

    @property
    def resampling(self) -> Resampling | None:
        """Origin of the intervals; None where there are too few blocks."""
        rows, blocks = len(self.series.values), len(self.blocks)
        if blocks < LEAST_BLOCKS:
            return None
        replicates = int(np.clip(ROWS_DRAWN // rows, LEAST_REPLICATES, REPLICATES))
        least = min(stop - start for start, stop in self.blocks)
        return Resampling(blocks, least, replicates, SEED, "rows")

    def figures(self, name: str, result: Replay) -> dict[str, float | None]:
        """Detection metrics, by time where the series has one, by rows elsewhere; empty without labels.

        Args:
            name: keras or a quantization scheme.
            result: Its replay.
        """
        if self.labels is None:
            return {}
        evaluation = measure(name, "", result, self.labels, self.series.period)
        return {metric: getattr(evaluation, metric) for metric in ("vus_pr", "event_recall", *self.by_time)}

    @property
    def by_time(self) -> tuple[str, str]:
        """Names of false alarm rate and delay."""
        timed = self.series.period is not None
        return ("false_alarms_per_day", "delay_seconds") if timed else ("false_alarms_per_1000_rows", "delay")

    def drops(self, ours: Replay, figures: Figures, reference: Figures, known: Sequence[Figures]) -> dict[str, Drop]:
        """Differences with intervals.

        Args:
            ours: A scheme's replay.
            figures: The scheme's figures on all rows.
            reference: Those of Keras.
            known: Keras' figures on each draw, from `resampled`.
        """
        drawn = self.resampled(ours)
        drops = {}
        for name, value in figures.items():
            other = reference.get(name)
            if value is not None and other is not None:
                low, high = (interval(name, drawn, known) if drawn else None) or (None, None)
                drops[name] = Drop(value - other, low, high)
        return drops

    def resampled(self, result: Replay) -> list[Figures]:
        """A replay's figures on each draw of blocks; none without labels or with too few blocks."""
        resampling = self.resampling
        if self.labels is None or resampling is None:
            return []
        statistic = _Statistic.of(result, self)
        return resample(statistic, draws(resampling.blocks, resampling.replicates, resampling.seed))


@dataclass(frozen=True)
class _Statistic:
    """Detection metrics of drawn blocks."""

    blocks: list[tuple[int, int]]
    labels: npt.NDArray[np.bool_]
    scores: Doubles
    step: float
    """Seconds a row; 1 without time."""
    day: float
    """Length of a day, or of what else false alarms are counted per, rows."""
    caught: list[list[float | None]]
    """By block: the delay of each anomaly that starts in it, None for a missed one."""
    false: Doubles
    """By block: alarms that start in it and overlap no anomaly."""
    by_time: tuple[str, str]
    """Names of false alarm rate and delay."""

    @classmethod
    def of(cls, result: Replay, judge: Judge) -> _Statistic:
        blocks, labels, period = judge.blocks, judge.labels, judge.series.period
        assert labels is not None
        anomalies, starts = judge.anomalies, [start for start, _ in blocks]
        caught: list[list[float | None]] = [[] for _ in blocks]
        false = np.zeros(len(blocks))
        for anomaly in anomalies:
            delays = match([anomaly], result.alarms).delays
            caught[_block(starts, anomaly[0])].append(delays[0] if delays else None)
        for alarm in result.alarms:
            if not match(anomalies, [alarm]).true_alarms:
                false[_block(starts, alarm[0])] += 1
        day = DAY / period if period else 1000.0
        return cls(blocks, labels, result.scores, period or 1.0, day, caught, false, judge.by_time)

    def __call__(self, picks: Picks) -> Figures:
        rows = concatenated(self.blocks, picks)
        scored = rows[np.isfinite(self.scores[rows])]
        delays = [delay for pick in picks.tolist() for delay in self.caught[pick]]
        caught = [delay for delay in delays if delay is not None]
        return {
            "vus_pr": vus_pr(self.labels[scored], self.scores[scored]),
            "event_recall": len(caught) / len(delays) if delays else None,
            self.by_time[0]: float(self.false[picks].sum()) / len(rows) * self.day,
            self.by_time[1]: float(np.median(caught)) * self.step if caught else None,
        }


def _block(starts: Sequence[int], row: int) -> int:
    return int(np.searchsorted(starts, row, side="right")) - 1


def agreement(ours: Replay, theirs: Replay) -> Mapping[str, float | None]:
    """Agreement of a scheme's scores and decisions with those of Keras.

    Args:
        ours: The scheme's replay.
        theirs: That of Keras.
    """
    both = np.isfinite(ours.scores) & np.isfinite(theirs.scores)
    first, second = ours.scores[both], theirs.scores[both]
    shift = None
    if ours.threshold is not None and theirs.threshold:
        shift = ours.threshold / theirs.threshold - 1
    return {
        "score_correlation": _correlation(first, second),
        "rank_correlation": _correlation(_ranks(first), _ranks(second)),
        "threshold": ours.threshold,
        "threshold_shift": shift,
        "flips": float(np.mean(ours.flagged[both] != theirs.flagged[both])) if both.any() else None,
    }


def _ranks(values: Doubles) -> Doubles:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), np.float64)


def _correlation(first: Doubles, second: Doubles) -> float | None:
    if len(first) < 2 or first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
