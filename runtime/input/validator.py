"""Input validator: the policies applied to one stream, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model_file.metadata import Metadata
from .policies import REASONS, TIMING_REASONS, Policies, warmup
from .readings import Readings
from .sampling_rate import SamplingRate

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
    """Channels that do not count in the score: held now or lately, or scored before."""
    fill: tuple[list[float], ...] = ()
    """Rows to push before it, to bridge a short gap."""
    restart: bool = False
    """True if the model must warm up again before it."""
    replace: bool = False
    """True if it completes the row before, and is pushed in its place."""


class Validator:
    """The policies at work on one stream: the times of rows here, their values in `Readings`.

    Args:
        metadata: Channels with their limits, period and window.
        policies: Limits of the policies; None for the defaults.
    """

    def __init__(self, metadata: Metadata, policies: Policies | None = None) -> None:
        policies = policies or Policies()
        policies.check(metadata)
        window = metadata.window if not metadata.stateful else warmup(metadata)
        self.bridge = policies.bridge if policies.bridge is not None else max(2, window // 8)
        self.recover = policies.recover or window
        self.period = metadata.period
        self._earliest, self._latest = (self.period * 0.5, self.period * 1.5) if self.period else (0.0, math.inf)
        self._window = window
        self._readings = Readings(metadata, policies, window)
        self.clear()

    def clear(self) -> None:
        """Forget the stream."""
        self.rate = SamplingRate(self.period, self._window)
        self._readings.clear()
        self._counts = dict.fromkeys(TIMING_REASONS, 0)
        self._time: float | None = None
        self._arrival: float | None = None
        self._lost = 0
        self._backwards = 0
        self._late_time = NEVER
        self._irregular = False

    @property
    def counts(self) -> dict[str, int]:
        """Number of times that each policy acted."""
        both = {**self._counts, **self._readings.counts, "rate": self.rate.stretches}
        return {reason: both[reason] for reason in REASONS}

    @property
    def fault_possible(self) -> bool:
        """True when `faults` may yield one now: a quick check."""
        return bool(self._readings.bad) or self._readings.stuck or self.rate.wrong

    def usable(self, time: float | None) -> float | None:
        """Return a time for events: that of the newest row taken where a row has none, or one that is no number."""
        return time if time is not None and math.isfinite(time) else self._time

    def admit(
        self, values: list[float], time: float | None, arrival: float | None = None, length: float = math.inf
    ) -> Admission | None:
        """Judge a row.

        Args:
            values: The row, shape (F,), sensor units.
            time: Its time, seconds; None without one, which is dropped where rows before it had one.
            arrival: Time of its arrival on a clock that never jumps, seconds; None when replayed.
            length: Euclidean length of the scaled values, NaN when one is.

        Returns:
            None for a regular row: nearly always.
        """
        before = self._time
        if time is not None and before is not None:
            step = time - before
            if not self._earliest < step <= self._latest:
                return self._odd_step(values, time, step, arrival)
        elif time is not None:
            if not math.isfinite(time):
                return self._drop("time")
            if self._readings.last is not None:  # rows were counted until now: no event goes on from a count to a time
                return self._set_clock(values, time, arrival)
        elif before is not None:
            return self._drop("time")
        self._time, self._arrival = time, arrival
        self._count_row(time)
        if self._irregular or not self._readings.regular(values, length):
            return self._odd_values(values)
        self._readings.take(values)
        return None

    def _drop(self, reason: str) -> Admission:
        self._counts[reason] += 1
        return Admission(reason, None)

    def _odd_step(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        """Judge a row whose time does not follow that of the row before as it should."""
        if not math.isfinite(time):
            return self._drop("time")
        real = None if arrival is None or self._arrival is None else arrival - self._arrival
        if real is not None and abs(step - real) > 2 * (self.period or 1.0) and self._earliest < real <= self._latest:
            self._counts["clock"] += 1  # the wall clock jumped (NTP, a 1970 boot, DST) while samples went on
            self._time, self._arrival, self._backwards = time, arrival, 0
            self.rate.skip(step - real)
            self._count_row(time)
            return self._odd_values(values)
        if 0 <= step <= self._earliest and self._readings.lacking(values):
            return self._merge(values)
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
        return self._set_clock(values, time, arrival)

    def _set_clock(self, values: list[float], time: float, arrival: float | None) -> Admission:
        self._counts["clock"] += 1
        self.rate.restart()
        return self._restart(values, time, arrival)

    def _count_row(self, time: float | None) -> None:
        if self.rate.row():
            self.rate.check(time)

    def _gap(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        missing = round(min(step / self.period, NEVER)) - 1 if self.period else 0
        self._time, self._arrival = time, arrival
        if missing <= self.bridge and self._readings.last is not None:
            return self._odd_values(values, missing)
        self._counts["gap"] += 1
        self.rate.skip(step - (self.period or 0.0), gap=True)
        return self._restart(values, time, arrival)

    def _restart(self, values: list[float], time: float | None, arrival: float | None) -> Admission:
        self._time, self._arrival, self._backwards, self._late_time = time, arrival, 0, NEVER
        return self._odd_values(values, restart=True)

    def _merge(self, values: list[float]) -> Admission:
        """Complete the row before: some devices report each channel in a message of its own, milliseconds apart."""
        if self._lost:  # no channel had a reading: this is the row
            self._lost -= 1
            return self._odd_values(values)
        self._counts["merged"] += 1
        merged, late = self._readings.complete(values)
        filled = self._readings.masked
        masked = tuple(i for i in range(len(values)) if i in filled or i not in late)
        return Admission("merged", merged, tuple(sorted(self._readings.bad)), masked, replace=True)

    def _odd_values(self, values: list[float], missing: int = 0, restart: bool = False) -> Admission:
        """Judge a row with values that cannot be used as they are, or that follows such rows."""
        readings = self._readings
        last, repaired = readings.last, readings.repair(values)
        missing, self._lost = max(missing, self._lost), 0
        if repaired is None:
            self._lost, self._irregular = missing + 1, True
            return Admission("missing", None, restart=restart)
        fill: tuple[list[float], ...] = ()
        if missing > self.bridge:
            self._counts["gap"] += 1
            restart = True
        elif missing and last is not None and not restart:
            self._counts["bridged"] += missing
            fill = tuple(_between(last, repaired, missing))
        readings.take_repaired(repaired, restart)
        self._irregular = readings.unsettled
        held = tuple(sorted(readings.bad))
        return Admission("held" if held else "ok", repaired, held, readings.masked, fill, restart)

    def faults(self) -> Iterable[tuple[str, int | None]]:
        """Yield the sensor faults at the newest row, as reason and channel index, None for all channels together."""
        if self.rate.wrong:
            yield "rate", None
        yield from self._readings.faults()

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types.

        Keys: `counts` by policy; `time` of the newest row taken; `lost_rows` without any reading before it; `backwards`
        and `late_time` of a clock set back; `irregular` until all readings are settled; `readings` and `rate`.
        """
        return {
            "counts": dict(self._counts),
            "time": self._time,
            "lost_rows": self._lost,
            "backwards": self._backwards,
            "late_time": self._late_time,
            "irregular": self._irregular,
            "readings": self._readings.to_state(),
            "rate": self.rate.to_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self.clear()
        self._counts = {reason: int(state["counts"][reason]) for reason in TIMING_REASONS}
        self._time, self._lost = state["time"], int(state["lost_rows"])
        self._backwards, self._late_time = int(state["backwards"]), float(state["late_time"])
        self._irregular = bool(state["irregular"])
        self._readings.restore(state["readings"])
        self.rate.restore(state["rate"])


def _between(first: Sequence[float], last: Sequence[float], count: int) -> Iterable[list[float]]:
    """Yield `count` rows on the straight line between two.

    >>> list(_between([0.0], [3.0], 2))
    [[1.0], [2.0]]
    """
    for step in range(1, count + 1):
        part = step / (count + 1)
        yield [a + (b - a) * part for a, b in zip(first, last, strict=True)]
