"""Resampling to one grid: channels that come at times of their own become rows at a fixed interval.

Training and the device run the same code, so that a model sees on the device what it was trained on. A row of the grid
stands at the end of its interval and holds the mean of what came in it, or the last of it. A channel without a sample keeps its
last value for a while; an interval without any sample is bridged by a straight line, or is a gap where too many are empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from ..io.timestamps import stamp
from .resampling import Resampling
from .sample import Sample
from .signals import Signal

BACKWARDS = 5  # samples in a row from before the grid's newest row after which the clock counts as set back
TOLERANCE = 1e-3  # of the interval by which a sample may miss the end of its interval
DATES = 1e8  # seconds; from there on times are dates, and are written as such


class Resampler:
    """Makes rows of the grid from samples in the order of time.

    Args:
        resampling: The grid.
        channels: Number of channels, F.
        signals: Rule and longest age of each channel; empty for the usual ones.

    >>> resampler = Resampler(Resampling(10.0, 30.0), 2)
    >>> [resampler.push(t, v) for t, v in ((3.0, [1.0, 5.0]), (9.0, [3.0, math.nan]), (12.0, [4.0, math.nan]))]
    [[], [], [(10.0, [2.0, 5.0])]]
    >>> resampler.finish()
    [(20.0, [4.0, 5.0])]
    """

    def __init__(self, resampling: Resampling, channels: int, signals: Sequence[Signal] = ()) -> None:
        self.period, self.hold = resampling.period, resampling.hold
        signals = signals or [Signal()] * channels
        self._steps = [signal.rule == "last" for signal in signals]
        self._holds = [self.hold if signal.max_age is None else signal.max_age for signal in signals]
        self.dropped = 0
        """Samples without a time, or from before the row that is being made."""
        self._channels = channels
        self._clear()

    def _clear(self) -> None:
        self._index: int | None = None
        self._sums, self._counts = [0.0] * self._channels, [0] * self._channels
        self._last, self._at = [math.nan] * self._channels, [-math.inf] * self._channels
        self._late = 0

    def push(self, time: float | None, values: Sequence[float]) -> list[tuple[float, list[float]]]:
        """Take a sample; return the rows that it completes, with their times.

        Args:
            time: Seconds.
            values: Shape (F,), NaN for channels that it does not hold.
        """
        if time is None or not math.isfinite(time / self.period):
            self.dropped += 1
            return []
        index, rows = self._interval(time), []
        if self._index is None:
            self._index = index
        elif index < self._index - 1:
            self.dropped += 1
            self._late += 1
            if self._late < BACKWARDS:
                return []
            rows = self.finish()
            self._index = index
        elif index > self._index:
            rows = self._completed(index, time, values)
        self._late = 0
        for channel, value in enumerate(values):
            if math.isfinite(value):
                self._sums[channel] += value
                self._counts[channel] += 1
                self._last[channel], self._at[channel] = value, time
        return rows

    def _interval(self, time: float) -> int:
        """Number of the interval that a time lies in; its end belongs to it."""
        place = time / self.period
        return round(place) if abs(place - round(place)) < TOLERANCE else math.ceil(place)

    def _completed(self, index: int, time: float, values: Sequence[float]) -> list[tuple[float, list[float]]]:
        """The row of the current interval and those of the empty ones up to the one that begins."""
        assert self._index is not None
        begin, first = self._index, self._row(self._index)
        rows = [(begin * self.period, first)]
        if index - begin - 1 <= self.hold / self.period:
            empty = range(begin + 1, index)
            rows += [(step * self.period, self._bridged(begin, step, first, time, values)) for step in empty]
        self._index = index
        self._sums, self._counts = [0.0] * self._channels, [0] * self._channels
        return rows

    def _bridged(
        self, begin: int, step: int, first: Sequence[float], time: float, values: Sequence[float]
    ) -> list[float]:
        """The row of an empty interval between a row and the sample behind it."""
        part = (step - begin) * self.period / (time - begin * self.period)
        return [
            math.nan if step * self.period - at > hold and hold < self.hold else a if steps else _between(a, b, part)
            for a, b, steps, hold, at in zip(first, values, self._steps, self._holds, self._at, strict=True)
        ]

    def _row(self, index: int) -> list[float]:
        """Means or last values of the interval; the last value of a channel that was silent in it and not for too long."""
        end = index * self.period
        return [
            (last if steps else total / count) if count else last if end - at <= hold else math.nan
            for total, count, last, at, steps, hold in zip(
                self._sums, self._counts, self._last, self._at, self._steps, self._holds, strict=True
            )
        ]

    def samples(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Make samples of the grid from a stream of samples, with rows counted anew; a new file begins a new grid."""
        row, arrival = 0, None
        for sample in samples:
            made = self.finish() if not sample.row else []
            for time, values in made:  # of the file before, whose name another one has taken
                yield _sample(time, values, row, arrival)
                row += 1
            row = row if sample.row else 0
            for time, values in self.push(sample.time, sample.values):
                yield _sample(time, values, row, sample.arrival)
                row += 1
            arrival = sample.arrival
        for at, (time, values) in enumerate(self.finish(), row):
            yield _sample(time, values, at, arrival)

    def finish(self) -> list[tuple[float, list[float]]]:
        """Return the row that has begun, and forget all."""
        rows = [] if self._index is None else [(self._index * self.period, self._row(self._index))]
        self._clear()
        return rows


def _between(first: float, last: float, part: float) -> float:
    return first + (last - first) * part if math.isfinite(last) else first


def _sample(time: float, values: list[float], row: int, arrival: float | None) -> Sample:
    return Sample(values, time, row, stamp(time) if time > DATES else repr(time), arrival)
