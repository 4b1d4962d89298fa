"""Readings of each channel: values that are missing, impossible, far outside the training range, or stuck."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import eq, le
from typing import Any

from ..model_file.metadata import Channel, Metadata
from ..model_file.scaler import Scaler, width_of
from .beyond import RANGES
from .policies import READING_REASONS, Policies, stuck_limit

FAR = 1e12  # scaled units; beyond it float32 arithmetic inside a model could overflow


class Readings:
    """The readings of one stream, row by row.

    Args:
        metadata: Channels with their limits, and the scaler.
        policies: Limits of the policies.
        window: Samples after which a filled value has left the model.
    """

    def __init__(self, metadata: Metadata, policies: Policies, window: int) -> None:
        scaler = metadata.scaler
        assert scaler is not None
        self.recover = policies.recover or window
        self._hold = min(policies.hold or max(2, window // 8), self.recover)
        self._computable = [(o - FAR * s, o + FAR * s) for o, s in zip(scaler.offset, scaler.scale, strict=True)]
        self._near = near_training(metadata.channels, scaler)
        self._physical = [policies.physical(channel) for channel in metadata.channels]
        ranges = list(zip(self._computable, self._near, self._physical, strict=True))
        self._low = [max(low for low, _ in three) for three in ranges]
        self._high = [min(high for _, high in three) for three in ranges]
        limits = zip(self._low, self._high, scaler.offset, scaler.scale, strict=True)
        # scaled samples of a smaller Euclidean length are within the limits of every channel
        self._inner = min(min(o - low, high - o) / s for low, high, o, s in limits) * 0.999
        self._stuck = [stuck_limit(c.longest_run, policies.stuck, window) for c in metadata.channels]
        self._first_stuck = min(self._stuck, default=math.inf)
        self._typical = scaler.offset
        self._never = (math.nan,) * len(self._low)
        self.clear()

    def clear(self) -> None:
        """Forget the stream."""
        channels = len(self._low)
        self.counts = dict.fromkeys(READING_REASONS, 0)
        """Number of times that each policy acted."""
        self.last: list[float] | None = None
        """Values of the newest row, repaired; None before the first."""
        self.bad: frozenset[int] = frozenset()
        """Channels without a usable reading in the newest row."""
        self.stuck = False
        """True if a channel is stuck now."""
        self._repeats = [0] * channels
        self._repeating = False
        self._absent = [0] * channels
        self._filled = [0] * channels

    def regular(self, values: list[float], length: float) -> bool:
        """Return whether the values need no treatment: nearly always.

        Args:
            values: The row, shape (F,), sensor units.
            length: Euclidean length of the scaled values, NaN when one is: below a limit, no value is beyond its own.
        """
        return length < self._inner or (all(map(le, self._low, values)) and all(map(le, values, self._high)))

    def take(self, values: list[float]) -> None:
        """Take regular values as the newest row."""
        last = self.last
        if last is not None and True in map(eq, values, last):
            self._count_repeats(values, last)
        elif self._repeating:
            self._count_repeats(values, self._never)
        self.last = values

    def take_repaired(self, values: list[float], restart: bool) -> None:
        """Take repaired values as the newest row.

        Args:
            values: The row, shape (F,), sensor units.
            restart: Whether the model forgets the rows before.
        """
        # filled values stay in the window: as many readings that follow do not count either
        self._filled = self._count_bad([0] * len(values) if restart else self._filled)
        self._count_repeats(values, self._never if restart or self.last is None else self.last)
        self._repeats = [0 if index in self.bad else run for index, run in enumerate(self._repeats)]
        self.last = values

    def repair(self, values: list[float]) -> list[float] | None:
        """Judge a row; return values that the model can take, None when not one is usable."""
        self.bad = bad = frozenset(i for i, value in enumerate(values) if not self._usable(i, value))
        for i in bad:
            self.counts["range" if math.isfinite(values[i]) else "missing"] += 1
        self._absent = self._count_bad(self._absent)
        if len(bad) == len(values):
            return None
        held = self.last or self._typical
        return [held[i] if i in bad else self._limited(i, value) for i, value in enumerate(values)]

    def complete(self, values: list[float]) -> tuple[list[float], frozenset[int]]:
        """Complete the newest row by readings that it lacks.

        Args:
            values: A row of the same moment, shape (F,), sensor units.

        Returns:
            The values of the newest row, and the channels that were completed.
        """
        late = self.lacking(values)
        assert self.last is not None
        self.bad -= late
        for i in late:
            self._absent[i], self._filled[i] = max(0, self._absent[i] - 2), max(0, self._filled[i] - 2)
        self.last = [self._limited(i, value) if i in late else self.last[i] for i, value in enumerate(values)]
        return self.last, late

    def lacking(self, values: list[float]) -> frozenset[int]:
        """Return the channels that have a usable reading here and none in the newest row."""
        return frozenset(i for i in self.bad if self._usable(i, values[i]))

    @property
    def masked(self) -> tuple[int, ...]:
        """Channels whose reading does not count, as too many before it were filled in."""
        return tuple(index for index, rows in enumerate(self._filled) if rows)

    @property
    def unsettled(self) -> bool:
        """True until as many good readings as bad ones came from every channel."""
        return any(self._filled) or any(self._absent)

    def faults(self) -> Iterable[tuple[str, int | None]]:
        """Yield the sensor faults at the newest row, as reason and channel index."""
        for index in sorted(self.bad):
            if self._absent[index] >= self._hold:
                yield "missing", index
        for index, repeats in enumerate(self._repeats):
            if repeats >= self._stuck[index]:
                yield "stuck", index

    def _usable(self, channel: int, value: float) -> bool:
        low, high = self._physical[channel]
        return math.isfinite(value) and low <= value <= high

    def _limited(self, channel: int, value: float) -> float:
        """Limit a value far outside the training range to what arithmetic can bear."""
        lower, upper = self._near[channel]
        if lower <= value <= upper:
            return value
        self.counts["far"] += 1
        least, most = self._computable[channel]
        return min(max(value, least), most)

    def _count_bad(self, counts: list[int]) -> list[int]:
        """Return each channel's count of bad rows, less that of the good rows since, within 0 and `recover`."""
        return [min(n + 1, self.recover) if i in self.bad else max(0, n - 1) for i, n in enumerate(counts)]

    def _count_repeats(self, values: list[float], last: Sequence[float]) -> None:
        pairs = zip(self._repeats, values, last, strict=True)
        self._repeats = repeats = [run + 1 if a == b else 0 for run, a, b in pairs]
        self._repeating = max(repeats) > 0
        stuck = sum(map(le, self._stuck, repeats)) if max(repeats) >= self._first_stuck else 0
        self.counts["stuck"] += stuck
        self.stuck = bool(stuck)

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types.

        Keys: `counts` by policy; `last_values` and `bad` channels of the newest row; for each channel `repeats` of its
        value, rows `absent` and rows `filled`, less the good ones since; `stuck` and `repeating` as quick checks.
        """
        return {
            "counts": dict(self.counts),
            "last_values": self.last,
            "bad": sorted(self.bad),
            "stuck": self.stuck,
            "repeats": self._repeats,
            "repeating": self._repeating,
            "absent": self._absent,
            "filled": self._filled,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self.counts = {reason: int(state["counts"][reason]) for reason in READING_REASONS}
        self.last, self.bad = state["last_values"], frozenset(map(int, state["bad"]))
        self.stuck, self._repeating = bool(state["stuck"]), bool(state["repeating"])
        self._repeats, self._absent, self._filled = (
            list(map(int, state[key])) for key in ("repeats", "absent", "filled")
        )  # fmt: skip


def near_training(channels: Sequence[Channel], scaler: Scaler) -> list[tuple[float, float]]:
    """Return the training range of each channel and as much again on both sides; infinite where it is not known.

    As much is a unit of the scaler where that is more, but no more than what is an anomaly by itself.

    Args:
        channels: The model's.
        scaler: The model's.
    """
    ranges = []
    for channel, scale in zip(channels, scaler.scale, strict=True):
        low, high = channel.train_low, channel.train_high
        width = math.inf if low is None or high is None else max(high - low, min(scale, RANGES * width_of(low, high)))
        ranges.append((-math.inf if low is None else low - width, math.inf if high is None else high + width))
    return ranges
