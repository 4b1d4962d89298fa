"""Counters as differences: readings that only grow, such as energy meters, become their growth from row to row.

Training and the device run the same code. Readings become a total that goes on where a counter wraps; the total may be brought to a grid;
then its growth over one interval of the model is the channel's value. Where a reading falls and no known wrap explains it, nobody
knows what was counted in between: the total falls, too, and that one growth is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .counters import Counters
from .resampler import BACKWARDS
from .sample import Sample

WRAPS = (2.0**16, 2.0**32)  # at which counters of no declared range wrap
LIKELY = 4.0  # times the fastest growth so far, above which a wrap is not believed
FAR = 1e6  # times the largest growth so far that a total falls by: no mean over samples of one interval hides that
EARLY, LATE = 0.5, 1.5  # intervals; rows between them are one interval apart, as for the validator


class _Stage:
    """A step that changes the values of some channels, sample by sample."""

    def push(self, time: float | None, values: Sequence[float]) -> list[float]:
        """Return a row with the counters' values changed.

        Args:
            time: Seconds; None where rows are counted.
            values: Shape (F,), NaN for channels that the row does not hold.
        """
        raise NotImplementedError

    def sample(self, sample: Sample) -> Sample:
        """As `push`, for a sample."""
        return sample._replace(values=self.push(sample.time, sample.values))


class Totals(_Stage):
    """Readings to totals that fall only where it is not known how much was counted.

    Args:
        counters: The counters.
        channels: Names of all channels, F of them.

    >>> totals = Totals(Counters({"pulses": None}), ["pulses"])
    >>> [totals.push(t, [v]) for t, v in ((0.0, 65500.0), (10.0, 65520.0), (20.0, 4.0), (30.0, 24.0))]
    [[65500.0], [65520.0], [65540.0], [65560.0]]
    """

    def __init__(self, counters: Counters, channels: Sequence[str]) -> None:
        self._meters = [
            (at, _Meter(counters.wraps[name])) for at, name in enumerate(channels) if name in counters.wraps
        ]

    @property
    def wrapped(self) -> int:
        """Wraps so far."""
        return sum(meter.wrapped for _, meter in self._meters)

    @property
    def fallen(self) -> int:
        """Falls so far that no known wrap explains."""
        return sum(meter.fallen for _, meter in self._meters)

    def push(self, time: float | None, values: Sequence[float]) -> list[float]:
        """See `_Stage`."""
        row = list(values)
        for at, meter in self._meters:
            row[at] = meter.read(time, row[at])
        return row


class _Meter:
    """One counter's total."""

    def __init__(self, wrap: float | None) -> None:
        self._wraps = WRAPS if wrap is None else (wrap,)
        self.wrapped = self.fallen = 0
        self._reading, self._time, self._total = math.nan, math.nan, math.nan
        self._fastest = self._largest = (
            0.0  # growth a second, or a row where rows are counted; and between two readings
        )
        self._rows = self._late = 0

    def read(self, time: float | None, reading: float) -> float:
        """Take a reading; return the total, NaN where it cannot be told."""
        self._rows += 1
        if not math.isfinite(reading):
            return math.nan
        span = self._rows if time is None or math.isnan(time - self._time) else time - self._time
        if span <= 0:
            self._late += 1
            if self._late < BACKWARDS:
                return math.nan  # from before the newest reading; enough of them are a clock that was set back
            growth = reading - self._reading if reading >= self._reading else math.nan
        else:
            growth = self._growth(reading, span)
        first = math.isnan(self._reading)
        self._reading, self._time, self._rows, self._late = reading, math.nan if time is None else time, 0, 0
        if first:
            self._total = reading
            return reading
        self.fallen += math.isnan(growth)
        self._total += -FAR * (self._largest or 1.0) if math.isnan(growth) else growth
        return self._total

    def _growth(self, reading: float, span: float) -> float:
        """Growth since the last reading: beyond a wrap where the reading fell and that is likely, else NaN."""
        growth = reading - self._reading
        if growth >= 0:
            self._fastest, self._largest = max(self._fastest, growth / span), max(self._largest, growth)
        if not growth < 0:
            return growth
        most = LIKELY * self._fastest * span
        beyond = [wrap - self._reading + reading for wrap in self._wraps if self._reading < wrap]
        likely = [amount for amount in beyond if 0 <= amount <= most]
        self.wrapped += bool(likely)
        return likely[0] if likely else math.nan


class Increments(_Stage):
    """Totals to their growth over one interval; NaN for the first of them, and where a total fell.

    Growth over several intervals, where rows are missing, is divided by their number.

    Args:
        counters: The counters.
        channels: Names of all channels, F of them.

    >>> increments = Increments(Counters({"energy": None}, period=10.0), ["energy"])
    >>> [increments.push(t, [v]) for t, v in ((0.0, 5.0), (10.0, 8.0), (30.0, 18.0))]
    [[nan], [3.0], [5.0]]
    """

    def __init__(self, counters: Counters, channels: Sequence[str]) -> None:
        self._places = [at for at, name in enumerate(channels) if name in counters.wraps]
        self._period = counters.period
        self._total = [math.nan] * len(channels)
        self._time = [math.nan] * len(channels)
        self._rows = [0] * len(channels)

    def push(self, time: float | None, values: Sequence[float]) -> list[float]:
        """See `_Stage`."""
        row = list(values)
        for at in self._places:
            self._rows[at] += 1
            row[at] = self._increment(at, time, row[at]) if math.isfinite(row[at]) else math.nan
        return row

    def _increment(self, at: int, time: float | None, total: float) -> float:
        span: float = self._rows[at]
        if time is not None and self._period and math.isfinite(self._time[at]):
            span = (time - self._time[at]) / self._period
            span = 1.0 if EARLY < span <= LATE else span
        growth = (total - self._total[at]) / span if span > 0 and total >= self._total[at] else math.nan
        if 0 < span <= EARLY and math.isfinite(growth):
            return growth  # the validator drops such a row: the next one counts from the same total
        self._total[at], self._time[at], self._rows[at] = total, math.nan if time is None else time, 0
        return growth
