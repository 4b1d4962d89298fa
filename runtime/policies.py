"""What to do with real input: rows that are late, doubled or missing, and values that cannot be true.

Every trouble has a rule with a default, is counted by name, and, where it lasts, raises a `sensor_fault` event, so that
an anomaly of the machine and a fault of its sensors are told apart.

    duplicate   same time as the row before                        dropped
    late        older than the row before                          dropped
    early       under half a period after the row before (burst)   dropped: the model knows one rate only
    clock       the clock was set back, or its jump is not real    taken on with the new time, after a warm-up
    time        a time that is no number                           dropped
    bridged     rows missing, fewer than `bridge`                  filled in on a straight line
    gap         more rows missing than that                        warm-up from the start; an open event is closed
    missing     a value that is not a number, or no value          what the model expects, else the last good value; its
                                                                   channel does not count in the score, and no anomaly
                                                                   event opens while the fault lasts
    range       a value that is physically impossible              as missing
    far         a value that no arithmetic could bear              limited, so far out that the score shows it
    stuck       one value for longer than ever in training         scored as it is
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import eq, le
from typing import Any

import numpy as np
import numpy.typing as npt

from .decider import event_id
from .errors import ConfigError
from .events import Event
from .metadata import Metadata

FAR = 1e12  # scaled units; beyond it float32 arithmetic inside a model could overflow
REASONS = ("duplicate", "late", "early", "clock", "time", "bridged", "gap", "missing", "range", "far", "stuck")
BACKWARDS = 5  # late rows in a row, themselves in order, before the clock counts as set back
STUCK_FACTOR = 2  # times the longest run of equal values in training


@dataclass(frozen=True)
class Policies:
    """The limits of the rules, in samples; None is a default from the model's window."""

    bridge: int | None = None
    """Missing rows that are filled in; default: an eighth of the window, 2 at least."""
    hold: int | None = None
    """Samples in a row for which a channel may be missing or impossible before it is a fault; default: as `bridge`."""
    stuck: int | None = None
    """Samples of one value before a channel is stuck; default: twice the longest run in training and a window at
    least, never where training does not say."""
    recover: int | None = None
    """Good samples before a fault is over; default: the window."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and value < (name != "bridge"):
                raise ConfigError(f"The {name} limit is a positive number of samples; received {value}.")


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
        scaler = metadata.scaler
        assert scaler is not None
        reach = [(o - FAR * s, o + FAR * s) for o, s in zip(scaler.offset, scaler.scale, strict=True)]
        self._reach = reach
        limits = [(c.low, c.high) for c in metadata.channels]
        self._low = [max(a, -math.inf if low is None else low) for (a, _), (low, _) in zip(reach, limits, strict=True)]
        self._high = [
            min(b, math.inf if high is None else high) for (_, b), (_, high) in zip(reach, limits, strict=True)
        ]
        self._physical = [(-math.inf if a is None else a, math.inf if b is None else b) for a, b in limits]
        self._stuck = [_stuck_limit(c.longest_run, policies.stuck, window) for c in metadata.channels]
        self._first_stuck = min(self._stuck, default=math.inf)
        self._earliest, self._latest = (self.period * 0.5, self.period * 1.5) if self.period else (0.0, math.inf)
        self._typical = scaler.offset
        self._never = (math.nan,) * len(self._low)
        self.clear()

    def clear(self) -> None:
        """Forget the stream."""
        channels = len(self._low)
        self.counts = dict.fromkeys(REASONS, 0)
        self.time: float | None = None
        self.arrival: float | None = None
        self.last: list[float] | None = None
        self.runs = [0] * channels
        self.absent = [0] * channels
        self.masked_for = [0] * channels
        self.lost = 0
        self.backwards = 0
        self.late_time = math.inf
        self.uneasy = False
        """Whether there may be a fault now: a quick look."""
        self._troubled = self._repeating = False

    def admit(self, values: list[float], time: float | None, arrival: float | None = None) -> Admission | None:
        """Judge a row.

        Args:
            values: Sensor units, F of them.
            time: Its time, seconds.
            arrival: When it came, on a clock that never jumps, seconds; None when replayed.

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
        if self._troubled or not (all(map(le, self._low, values)) and all(map(le, values, self._high))):
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
        self.uneasy = bool(stuck) or any(self.absent)

    def _drop(self, reason: str) -> Admission:
        self.counts[reason] += 1
        return Admission(reason, None)

    def _odd_step(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        """A row whose time does not follow the last one's as it should."""
        if not math.isfinite(time):
            return self._drop("time")
        real = None if arrival is None or self.arrival is None else arrival - self.arrival
        if real is not None and abs(step - real) > 2 * self._pace() and self._earliest < real <= self._latest:
            self.counts["clock"] += 1  # the wall clock jumped (NTP, a 1970 boot, DST) while samples went on
            self.time, self.arrival, self.backwards = time, arrival, 0
            return self._odd_values(values)
        if step > 0:
            self.backwards = 0
            return self._drop("early") if step <= self._earliest else self._gap(values, time, step, arrival)
        if step == 0:
            return self._drop("duplicate")
        follows = self._earliest < time - self.late_time <= self._latest
        self.backwards = self.backwards + 1 if follows else 1
        self.late_time = time
        if self.backwards < BACKWARDS:
            return self._drop("late")
        self.counts["clock"] += 1
        return self._restart(values, time, arrival)

    def _pace(self) -> float:
        return self.period or 1.0

    def _gap(self, values: list[float], time: float, step: float, arrival: float | None) -> Admission:
        missing = round(step / self._pace()) - 1 if self.period else 0
        self.time, self.arrival = time, arrival
        if missing <= self.bridge and self.last is not None:
            return self._odd_values(values, missing)
        self.counts["gap"] += 1
        return self._restart(values, time, arrival)

    def _restart(self, values: list[float], time: float | None, arrival: float | None) -> Admission:
        self.time, self.arrival, self.backwards, self.late_time = time, arrival, 0, math.inf
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
            if not math.isfinite(value) or not low <= value <= high:
                self.counts["range" if math.isfinite(value) else "missing"] += 1
                bad.add(index)
            elif not least <= value <= most:
                self.counts["far"] += 1
                mended[index] = least if value < least else most
        for index in range(len(values)):
            self.absent[index] = self.absent[index] + 1 if index in bad else 0
        self.uneasy = bool(bad)
        if len(bad) == len(values):
            return None, bad
        for index in bad:
            mended[index] = (self.last or self._typical)[index]
        return mended, bad

    def faults(self) -> Iterable[tuple[str, int]]:
        """The sensor faults that there are now, as reason and channel."""
        for index, absent in enumerate(self.absent):
            if absent >= self.hold:
                yield "missing", index
        for index, run in enumerate(self.runs):
            if run >= self._stuck[index]:
                yield "stuck", index

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON types."""
        return {name: value for name, value in vars(self).items() if name in STATE}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        vars(self).update({name: state[name] for name in STATE})


STATE = (
    "counts", "time", "last", "runs", "absent", "masked_for", "lost", "backwards", "late_time", "uneasy", "_troubled",
    "_repeating",
)  # fmt: skip


class Faults:
    """Opens and closes the sensor-fault events.

    Args:
        names: Channel names.
        identity: Part of each event's id.
        recover: Good samples before a fault is over.
    """

    def __init__(self, names: Sequence[str], identity: str, recover: int) -> None:
        self.names, self.identity, self.recover = tuple(names), identity, recover
        self.open: dict[str, dict[str, Any]] = {}

    def update(self, index: int, time: float | None, found: Iterable[tuple[str, int]]) -> tuple[Event, ...]:
        """Take the faults that there are at this sample; return the events that they open or close."""
        at, events, present = float(index) if time is None else time, [], set()
        for reason, channel in found:
            key = f"{reason}.{channel}"
            present.add(key)
            if key not in self.open:
                fault_id = event_id(self.identity, "sensor_fault", key, index, at)
                self.open[key] = {"id": fault_id, "start": at, "end": at, "good": 0}
                events.append(self._event(key, "open"))
            self.open[key].update(end=at, good=0)
        for key in [key for key in self.open if key not in present]:
            self.open[key]["good"] += 1
            if self.open[key]["good"] >= self.recover:
                events.append(self._event(key, "closed"))
                del self.open[key]
        return tuple(events)

    @property
    def blind(self) -> bool:
        """Whether a channel is missing, so that the model sees what it expects itself."""
        return any(key.startswith("missing") for key in self.open)

    def finish(self) -> tuple[Event, ...]:
        """Close all."""
        events = tuple(self._event(key, "closed") for key in self.open)
        self.open = {}
        return events

    def _event(self, key: str, state: str) -> Event:
        reason, channel = key.split(".")
        fault = self.open[key]
        end = fault["end"] if state == "closed" else None
        return Event(fault["id"], "sensor_fault", state, fault["start"], end, None, (self.names[int(channel)],), reason)


def warmup(metadata: Metadata) -> int:
    """Samples that a streaming model needs before its output counts, the window for others."""
    if not metadata.stateful:
        return metadata.window
    return int(metadata.sections.get("streaming", {}).get("warmup", 1))


def longest_run(values: npt.ArrayLike) -> int:
    """Longest run of equal neighbours in one channel's rows of normal operation, counted as repeats.

    >>> longest_run([1.0, 2.0, 2.0, 2.0, 3.0])
    2
    """
    data = np.asarray(values, np.float64)
    changes = np.flatnonzero(data[1:] != data[:-1])
    edges = np.concatenate([[-1], changes, [len(data) - 1]])
    return int(np.diff(edges).max(initial=1)) - 1


def _stuck_limit(longest: int | None, policy: int | None, window: int) -> float:
    if policy is not None:
        return policy
    return math.inf if longest is None else max(window, STUCK_FACTOR * longest)


def _between(first: Sequence[float], last: Sequence[float], count: int) -> Iterable[list[float]]:
    """`count` rows on the straight line between two.

    >>> list(_between([0.0], [3.0], 2))
    [[1.0], [2.0]]
    """
    for step in range(1, count + 1):
        part = step / (count + 1)
        yield [a + (b - a) * part for a, b in zip(first, last, strict=True)]
