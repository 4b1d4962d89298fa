"""Input validator: the policies applied to one stream, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, le
from typing import Any

from ..model_file.metadata import Channel, Metadata
from ..model_file.scaler import Scaler
from .policies import REASONS, Policies, stuck_limit, warmup
from .sampling_rate import SamplingRate

FAR = 1e12  # scaled units; beyond it float32 arithmetic inside a model could overflow
NEVER = 1e300  # a time that nothing follows, and JSON can hold
BACKWARDS = 5  # late rows in a row, themselves in order, before the clock counts as set back


@dataclass(frozen=True)
class Admission:
    """Treatment of a row that a policy applies to."""

    status: str
    """Status of the result."""
    values: list[float] | None
    """Values for the model, None when the row is dropped."""
    held: tuple[int, ...] = ()
    """Channels without a usable reading: the model's own expectation stands for it."""
    masked: tuple[int, ...] = ()
    """Channels that do not count in the score: held now, or still in the window."""
    fill: tuple[list[float], ...] = ()
    """Rows to push before it, to bridge a short gap."""
    restart: bool = False
    """Whether the model must warm up again before it."""


class Validator:
    """The policies at work on one stream.

    Args:
        metadata: Channels with their limits, period and window.
        policies: Limits of the policies; None for the defaults.
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
        self._computable = [(o - FAR * s, o + FAR * s) for o, s in zip(scaler.offset, scaler.scale, strict=True)]
        self._near = _near_training(metadata.channels, scaler)
        self._physical = [policies.physical(channel) for channel in metadata.channels]
        ranges = list(zip(self._computable, self._near, self._physical, strict=True))
        self._low = [max(low for low, _ in three) for three in ranges]
        self._high = [min(high for _, high in three) for three in ranges]
        limits = zip(self._low, self._high, scaler.offset, scaler.scale, strict=True)
        # scaled samples of a smaller Euclidean length are within the limits of every channel
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
        """How often each policy acted."""
        self.rate = SamplingRate(self.period, self._window)
        self.fault_possible = False
        """Whether `faults` may yield one now: a quick check."""
        self._time: float | None = None
        self._arrival: float | None = None
        self._last: list[float] | None = None
        self._repeats = [0] * channels
        self._absent = [0] * channels
        self._masked_for = [0] * channels
        self._lost = 0
        self._backwards = 0
        self._late_time = NEVER
        self._irregular = self._repeating = False

    def admit(
        self, values: list[float], time: float | None, arrival: float | None = None, length: float = math.inf
    ) -> Admission | None:
        """Judge a row.

        Args:
            values: The row, shape (F,), sensor units.
            time: Its time, seconds.
            arrival: Time of its arrival on a clock that never jumps, seconds; None when replayed.
            length: Euclidean length of the scaled values, NaN when one is: below a limit, no value is beyond its own.

        Returns:
            None for a regular row: nearly always.
        """
        last, before = self._last, self._time
        if time is not None and before is not None:
            step = time - before
            if not self._earliest < step <= self._latest:
                return self._odd_step(values, time, step, arrival)
        elif time is not None and not math.isfinite(time):
            return self._drop("time")
        self._time, self._arrival = time, arrival
        self._count_row(time)
        near = length < self._inner or (all(map(le, self._low, values)) and all(map(le, values, self._high)))
        if self._irregular or not near:
            return self._odd_values(values)
        if last is not None and True in map(eq, values, last):
            self._count_repeats(values, last)
        elif self._repeating:
            self._count_repeats(values, self._never)
        self._last = values
        return None

    def _count_repeats(self, values: list[float], last: Sequence[float]) -> None:
        pairs = zip(self._repeats, values, last, strict=True)
        self._repeats = repeats = [run + 1 if a == b else 0 for run, a, b in pairs]
        self._repeating = max(repeats) > 0
        stuck = sum(map(le, self._stuck, repeats)) if max(repeats) >= self._first_stuck else 0
        self.counts["stuck"] += stuck
        self.fault_possible = bool(stuck) or any(self._absent) or self.rate.wrong

    def _drop(self, reason: str) -> Admission:
        self.counts[reason] += 1
        return Admission(reason, None)

    def _odd_step(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        """Judge a row whose time does not follow that of the row before as it should."""
        if not math.isfinite(time):
            return self._drop("time")
        real = None if arrival is None or self._arrival is None else arrival - self._arrival
        if real is not None and abs(step - real) > 2 * (self.period or 1.0) and self._earliest < real <= self._latest:
            self.counts["clock"] += 1  # the wall clock jumped (NTP, a 1970 boot, DST) while samples went on
            self._time, self._arrival, self._backwards = time, arrival, 0
            self.rate.skip(step - real)
            self._count_row(time)
            return self._odd_values(values)
        if step > 0:
            self._backwards = 0
            self._count_row(time)
            return self._drop("early") if step <= self._earliest else self._gap(values, time, step, arrival)
        if step == 0:
            return self._drop("duplicate")
        follows = self._earliest < time - self._late_time <= self._latest
        self._backwards = self._backwards + 1 if follows else 1
        self._late_time = time
        if self._backwards < BACKWARDS:
            return self._drop("late")
        self.counts["clock"] += 1
        self.rate.restart()
        return self._restart(values, time, arrival)

    def _count_row(self, time: float | None) -> None:
        if self.rate.row():
            self.rate.check(time)
            self.counts["rate"] = self.rate.stretches
            self.fault_possible |= self.rate.wrong

    def _gap(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        missing = round(step / self.period) - 1 if self.period else 0
        self._time, self._arrival = time, arrival
        if missing <= self.bridge and self._last is not None:
            return self._odd_values(values, missing)
        self.counts["gap"] += 1
        self.rate.skip(step - (self.period or 0.0), gap=True)
        return self._restart(values, time, arrival)

    def _restart(self, values: list[float], time: float | None, arrival: float | None) -> Admission:
        self._time, self._arrival, self._backwards, self._late_time = time, arrival, 0, NEVER
        return self._odd_values(values, restart=True)

    def _odd_values(self, values: list[float], missing: int = 0, restart: bool = False) -> Admission:
        """Judge a row with values that cannot be used as they are, or that follows such rows."""
        repaired, bad = self._repair(values)
        missing, self._lost = max(missing, self._lost), 0
        fill: tuple[list[float], ...] = ()
        if repaired is None:
            self._lost, self._irregular = missing + 1, True
            return Admission("missing", None, restart=restart)
        if missing > self.bridge:
            self.counts["gap"] += 1
            restart = True
        elif missing and self._last is not None and not restart:
            self.counts["bridged"] += missing
            fill = tuple(_between(self._last, repaired, missing))
        before = [0] * len(values) if restart else self._masked_for  # a held value stays in the window for a while
        self._masked_for = [self.recover if i in bad else max(0, left - 1) for i, left in enumerate(before)]
        self._count_repeats(repaired, self._never if restart or self._last is None else self._last)
        self._repeats = [0 if index in bad else run for index, run in enumerate(self._repeats)]
        self._last = repaired
        masked = tuple(index for index, left in enumerate(self._masked_for) if left)
        self._irregular = bool(masked)
        return Admission("held" if bad else "ok", repaired, tuple(sorted(bad)), masked, fill, restart)

    def _repair(self, values: list[float]) -> tuple[list[float] | None, set[int]]:
        """Return values that the model can take, None when not one is usable; and the channels that were bad."""
        repaired, bad = list(values), set()
        for index, value in enumerate(values):
            low, high = self._physical[index]
            least, most = self._computable[index]
            lower, upper = self._near[index]
            if not math.isfinite(value) or not low <= value <= high:
                self.counts["range" if math.isfinite(value) else "missing"] += 1
                bad.add(index)
            elif not lower <= value <= upper:
                self.counts["far"] += 1
                repaired[index] = min(max(value, least), most)
        self._absent = [count + 1 if index in bad else 0 for index, count in enumerate(self._absent)]
        self.fault_possible = bool(bad) or self.rate.wrong
        if len(bad) == len(values):
            return None, bad
        for index in bad:
            repaired[index] = (self._last or self._typical)[index]
        return repaired, bad

    def faults(self) -> Iterable[tuple[str, int | None]]:
        """Yield the sensor faults at the newest row, as reason and channel index, None for all channels together."""
        if self.rate.wrong:
            yield "rate", None
        for index, absent in enumerate(self._absent):
            if absent >= self.hold:
                yield "missing", index
        for index, repeats in enumerate(self._repeats):
            if repeats >= self._stuck[index]:
                yield "stuck", index

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types.

        Keys: `counts` by policy; `time` and `last_values` of the newest row taken; for each channel `repeats` of its
        value, rows `absent` and rows `masked_for`; `lost_rows` without any value; `backwards` and `late_time` of a
        clock set back; `fault_possible`, `irregular` and `repeating` are quick checks; `rate` of the sampling rate.
        """
        return {
            "counts": dict(self.counts),
            "time": self._time,
            "last_values": self._last,
            "repeats": self._repeats,
            "absent": self._absent,
            "masked_for": self._masked_for,
            "lost_rows": self._lost,
            "backwards": self._backwards,
            "late_time": self._late_time,
            "fault_possible": self.fault_possible,
            "irregular": self._irregular,
            "repeating": self._repeating,
            "rate": self.rate.to_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self.clear()
        self.counts = {reason: int(state["counts"][reason]) for reason in REASONS}
        self._time, self._last = state["time"], state["last_values"]
        self._repeats, self._absent, self._masked_for = (
            list(map(int, state[key])) for key in ("repeats", "absent", "masked_for")
        )
        self._lost, self._backwards = int(state["lost_rows"]), int(state["backwards"])
        self._late_time = float(state["late_time"])
        self.fault_possible = bool(state["fault_possible"])
        self._irregular, self._repeating = bool(state["irregular"]), bool(state["repeating"])
        self.rate.restore(state["rate"])


def _near_training(channels: Sequence[Channel], scaler: Scaler) -> list[tuple[float, float]]:
    """Return the training range of each channel and as much again on both sides; infinite where it is not known."""
    ranges = []
    for channel, scale in zip(channels, scaler.scale, strict=True):
        low, high = channel.train_low, channel.train_high
        width = math.inf if low is None or high is None else max(high - low, scale)
        ranges.append((-math.inf if low is None else low - width, math.inf if high is None else high + width))
    return ranges


def _between(first: Sequence[float], last: Sequence[float], count: int) -> Iterable[list[float]]:
    """Yield `count` rows on the straight line between two.

    >>> list(_between([0.0], [3.0], 2))
    [[1.0], [2.0]]
    """
    for step in range(1, count + 1):
        part = step / (count + 1)
        yield [a + (b - a) * part for a, b in zip(first, last, strict=True)]
