"""The input policies at work on one stream."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, le
from typing import Any

from ..model_file.metadata import Channel, Metadata
from ..model_file.scaler import Scaler
from .policies import REASONS, Policies, stuck_limit, warmup
from .sampling_rate import Pace

FAR = 1e12  # scaled units; beyond it float32 arithmetic inside a model could overflow
NEVER = 1e300  # a time that nothing follows, and JSON can hold
BACKWARDS = 5  # late rows in a row, themselves in order, before the clock counts as set back


@dataclass(frozen=True)
class Admission:
    """What becomes of a troubled row."""

    status: str
    """The result's status."""
    values: list[float] | None
    """Values for the model, None when the row is dropped."""
    held: tuple[int, ...] = ()
    """Channels whose value is no reading: the model's own expectation is better."""
    masked: tuple[int, ...] = ()
    """Channels that must not count in the score: held now, or still in the window."""
    fill: tuple[list[float], ...] = ()
    """Rows to push before it, to bridge a short gap."""
    restart: bool = False
    """Whether the model must warm up again before it."""


class Guard:
    """The rules at work on one stream.

    Args:
        metadata: Channels with their limits, period and window.
        policies: The rules' limits.
    """

    def __init__(self, metadata: Metadata, policies: Policies | None = None) -> None:
        policies = policies or Policies()
        window = metadata.window if not metadata.stateful else warmup(metadata)
        self.bridge = policies.bridge if policies.bridge is not None else max(2, window // 8)
        self.hold = policies.hold or max(2, window // 8)
        self.recover = policies.recover or window
        self.period = metadata.period
        policies.check(metadata)
        scaler = metadata.scaler
        assert scaler is not None
        self._reach = [(o - FAR * s, o + FAR * s) for o, s in zip(scaler.offset, scaler.scale, strict=True)]
        self._usual = _usual(metadata.channels, scaler)
        self._physical = [policies.physical(channel) for channel in metadata.channels]
        ranges = list(zip(self._reach, self._usual, self._physical, strict=True))
        self._low = [max(low for low, _ in three) for three in ranges]
        self._high = [min(high for _, high in three) for three in ranges]
        limits = zip(self._low, self._high, scaler.offset, scaler.scale, strict=True)
        self._inner = min(min(o - low, high - o) / s for low, high, o, s in limits) * 0.999
        self._stuck = [stuck_limit(c.longest_run, policies.stuck, window) for c in metadata.channels]
        self._first_stuck = min(self._stuck, default=math.inf)
        self._earliest, self._latest = (self.period * 0.5, self.period * 1.5) if self.period else (0.0, math.inf)
        self._typical = scaler.offset
        self._never = (math.nan,) * len(self._low)
        self._window = window
        self.clear()

    def clear(self) -> None:
        """Forget the stream."""
        channels = len(self._low)
        self.counts = dict.fromkeys(REASONS, 0)
        self.pace = Pace(self.period, self._window)
        self.time: float | None = None
        self.arrival: float | None = None
        self.last: list[float] | None = None
        self.runs = [0] * channels
        self.absent = [0] * channels
        self.masked_for = [0] * channels
        self.lost = 0
        self.backwards = 0
        self.late_time = NEVER
        self.uneasy = False
        """Whether there may be a fault now: a quick look."""
        self._troubled = self._repeating = False

    def admit(
        self, values: list[float], time: float | None, arrival: float | None = None, length: float = math.inf
    ) -> Admission | None:
        """Judge a row.

        Args:
            values: Sensor units, F of them.
            time: Its time, seconds.
            arrival: When it came, on a clock that never jumps, seconds; None when replayed.
            length: Euclidean length of the scaled values, NaN when one is: below a limit, no value is beyond its own.

        Returns:
            None when there is nothing to object to: nearly always.
        """
        last, before = self.last, self.time
        if time is not None and before is not None:
            step = time - before
            if not self._earliest < step <= self._latest:
                return self._odd_step(values, time, step, arrival)
        elif time is not None and not math.isfinite(time):
            return self._drop("time")
        self.time, self.arrival = time, arrival
        self._pace_row(time)
        near = length < self._inner or (all(map(le, self._low, values)) and all(map(le, values, self._high)))
        if self._troubled or not near:
            return self._odd_values(values)
        if last is not None and True in map(eq, values, last):
            self._count_runs(values, last)
        elif self._repeating:
            self._count_runs(values, self._never)
        self.last = values
        return None

    def _count_runs(self, values: list[float], last: Sequence[float]) -> None:
        self.runs = runs = [run + 1 if a == b else 0 for run, a, b in zip(self.runs, values, last, strict=True)]
        self._repeating = max(runs) > 0
        stuck = sum(map(le, self._stuck, runs)) if max(runs) >= self._first_stuck else 0
        self.counts["stuck"] += stuck
        self.uneasy = bool(stuck) or any(self.absent) or self.pace.wrong

    def _drop(self, reason: str) -> Admission:
        self.counts[reason] += 1
        return Admission(reason, None)

    def _odd_step(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        """A row whose time does not follow the last one's as it should."""
        if not math.isfinite(time):
            return self._drop("time")
        real = None if arrival is None or self.arrival is None else arrival - self.arrival
        if real is not None and abs(step - real) > 2 * (self.period or 1.0) and self._earliest < real <= self._latest:
            self.counts["clock"] += 1  # the wall clock jumped (NTP, a 1970 boot, DST) while samples went on
            self.time, self.arrival, self.backwards = time, arrival, 0
            self.pace.skip(step - real)
            self._pace_row(time)
            return self._odd_values(values)
        if step > 0:
            self.backwards = 0
            self._pace_row(time)
            return self._drop("early") if step <= self._earliest else self._gap(values, time, step, arrival)
        if step == 0:
            return self._drop("duplicate")
        follows = self._earliest < time - self.late_time <= self._latest
        self.backwards = self.backwards + 1 if follows else 1
        self.late_time = time
        if self.backwards < BACKWARDS:
            return self._drop("late")
        self.counts["clock"] += 1
        self.pace.restart()
        return self._restart(values, time, arrival)

    def _pace_row(self, time: float | None) -> None:
        if self.pace.row():
            self.pace.check(time)
            self.counts["rate"] = self.pace.stretches
            self.uneasy |= self.pace.wrong

    def _gap(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        missing = round(step / self.period) - 1 if self.period else 0
        self.time, self.arrival = time, arrival
        if missing <= self.bridge and self.last is not None:
            return self._odd_values(values, missing)
        self.counts["gap"] += 1
        self.pace.skip(step - (self.period or 0.0), gap=True)
        return self._restart(values, time, arrival)

    def _restart(self, values: list[float], time: float | None, arrival: float | None) -> Admission:
        self.time, self.arrival, self.backwards, self.late_time = time, arrival, 0, NEVER
        return self._odd_values(values, restart=True)

    def _odd_values(self, values: list[float], missing: int = 0, restart: bool = False) -> Admission:
        """A row with values that cannot be used as they are, or that follows such rows."""
        mended, bad = self._mend(values)
        missing, self.lost = max(missing, self.lost), 0
        fill: tuple[list[float], ...] = ()
        if mended is None:
            self.lost, self._troubled = missing + 1, True
            return Admission("missing", None, restart=restart)
        if missing > self.bridge:
            self.counts["gap"] += 1
            restart = True
        elif missing and self.last is not None and not restart:
            self.counts["bridged"] += missing
            fill = tuple(_between(self.last, mended, missing))
        kept = [0] * len(values) if restart else self.masked_for  # a held value stays in the window for a while
        self.masked_for = [self.recover if i in bad else max(0, left - 1) for i, left in enumerate(kept)]
        self._count_runs(mended, self._never if restart or self.last is None else self.last)
        self.runs = [0 if index in bad else run for index, run in enumerate(self.runs)]
        self.last = mended
        masked = tuple(index for index, left in enumerate(self.masked_for) if left)
        self._troubled = bool(masked)
        return Admission("held" if bad else "ok", mended, tuple(sorted(bad)), masked, fill, restart)

    def _mend(self, values: list[float]) -> tuple[list[float] | None, set[int]]:
        """Values that the model can take, None when not one is good; and the channels that were bad."""
        mended, bad = list(values), set()
        for index, value in enumerate(values):
            low, high = self._physical[index]
            least, most = self._reach[index]
            lower, upper = self._usual[index]
            if not math.isfinite(value) or not low <= value <= high:
                self.counts["range" if math.isfinite(value) else "missing"] += 1
                bad.add(index)
            elif not lower <= value <= upper:
                self.counts["far"] += 1
                mended[index] = min(max(value, least), most)
        for index in range(len(values)):
            self.absent[index] = self.absent[index] + 1 if index in bad else 0
        self.uneasy = bool(bad) or self.pace.wrong
        if len(bad) == len(values):
            return None, bad
        for index in bad:
            mended[index] = (self.last or self._typical)[index]
        return mended, bad

    def faults(self) -> Iterable[tuple[str, int | None]]:
        """The sensor faults that there are now, as reason and channel, None for all of them."""
        if self.pace.wrong:
            yield "rate", None
        for index, absent in enumerate(self.absent):
            if absent >= self.hold:
                yield "missing", index
        for index, run in enumerate(self.runs):
            if run >= self._stuck[index]:
                yield "stuck", index

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON types."""
        return {name: value for name, value in vars(self).items() if name in STATE} | {"pace": self.pace.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        vars(self).update({name: state[name] for name in STATE})
        self.pace.restore(state["pace"])


STATE = (
    "counts", "time", "last", "runs", "absent", "masked_for", "lost", "backwards", "late_time", "uneasy", "_troubled",
    "_repeating",
)  # fmt: skip


def _usual(channels: Sequence[Channel], scaler: Scaler) -> list[tuple[float, float]]:
    """The training range of each channel and as much again on both sides; without an end where it is not known."""
    found = []
    for channel, scale in zip(channels, scaler.scale, strict=True):
        low, high = channel.train_low, channel.train_high
        width = math.inf if low is None or high is None else max(high - low, scale)
        found.append((-math.inf if low is None else low - width, math.inf if high is None else high + width))
    return found


def _between(first: Sequence[float], last: Sequence[float], count: int) -> Iterable[list[float]]:
    """`count` rows on the straight line between two.

    >>> list(_between([0.0], [3.0], 2))
    [[1.0], [2.0]]
    """
    for step in range(1, count + 1):
        part = step / (count + 1)
        yield [a + (b - a) * part for a, b in zip(first, last, strict=True)]
