"""Sensor faults as events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..alarms.events import Event
from ..alarms.tracker import EventTracker, Level
from ..model_file.metadata import Metadata
from .unscored_rows import REASON, UnscoredRows

NO_CHANNELS: frozenset[int] = frozenset()


class SensorFaults:
    """Sensor-fault events of one stream.

    Args:
        metadata: The model's, with its channels and window.
        identity: Text that tells this model's events from another's; part of each event's id.
        recover: Good samples before a fault is over.
    """

    def __init__(self, metadata: Metadata, identity: str, recover: int) -> None:
        self.names, self.identity, self.recover = metadata.names, identity, recover
        self.unscored = UnscoredRows(metadata, identity)
        """Watch over rows that come and have no score."""
        self._tracker = EventTracker("sensor_fault", identity, cooldown=recover)

    def update(self, index: int, time: float | None, present: Iterable[tuple[str, int | None]]) -> tuple[Event, ...]:
        """Take the faults that are present at the newest sample.

        Args:
            index: Number of the sample in the stream, from 0.
            time: Its time; None counts rows.
            present: Reason and channel index of each fault; None for all channels together.

        Returns:
            The events that the sample opened or closed.
        """
        faults = {_key(reason, channel): channel for reason, channel in present}
        observe = self._tracker.observe
        events = [
            observe(key, index, time, Level.ACTIVE, channels=() if channel is None else (self.names[channel],))
            for key, channel in faults.items()
        ]
        over = [key for key in self._tracker.excursions if key not in faults]
        events += [observe(key, index, time, Level.QUIET) for key in over]
        return tuple(event for event in events if event)

    @property
    def open(self) -> bool:
        """True while there is a fault of the readings or of their rate."""
        return bool(self._tracker.excursions)

    @property
    def missing(self) -> frozenset[int]:
        """Indices of the channels that are missing."""
        if not self._tracker.excursions:
            return NO_CHANNELS  # nearly always
        return frozenset(int(channel) for reason, channel in self._keys() if reason == "missing")

    @property
    def channels(self) -> frozenset[int]:
        """Indices of the channels with a fault of their own."""
        return frozenset(int(channel) for _, channel in self._keys() if channel)

    @property
    def reasons(self) -> frozenset[str]:
        """Reasons of the open faults."""
        return frozenset(reason for reason, _ in self._keys())

    def _keys(self) -> list[tuple[str, str]]:
        return [(reason, channel) for reason, _, channel in (key.partition(".") for key in self._tracker.excursions)]

    def finish(self) -> tuple[Event, ...]:
        """Close all open events, as at the end of a stream."""
        return self._tracker.finish() + self.unscored.finish()

    def to_state(self) -> dict[str, Any]:
        """Return the faults by key, `REASON` or `REASON.CHANNEL INDEX`, as plain JSON types."""
        return {**self._tracker.to_state(), **self.unscored.to_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self._tracker.restore({key: state[key] for key in state if key != REASON})
        self.unscored.restore({key: state[key] for key in state if key == REASON})


class CalmCheck:
    """Alarms while a channel is missing: held back until the model has shown that it copes without the channel.

    The model's own expectation stands for the channel. Where others depend on it, their scores would raise an alarm for a
    fault that is known already. So alarms wait for a stretch of calm scores.

    Args:
        stretch: Calm samples in a row that are enough.

    >>> check = CalmCheck(stretch=2)
    >>> [check.hold_back(frozenset({1}), calm) for calm in (True, False, True, True, False)]
    [True, True, True, False, False]
    """

    def __init__(self, stretch: int) -> None:
        self._stretch = stretch
        self.clear()

    def clear(self) -> None:
        """Forget the stream."""
        self._missing = NO_CHANNELS
        self._calm = 0

    def hold_back(self, missing: frozenset[int], calm: bool, plausible: bool = True) -> bool:
        """Return whether no alarm may begin at the newest sample.

        Args:
            missing: Indices of the channels that are missing.
            calm: Whether its score is not above the threshold.
            plausible: Whether what the model expects of them is within the values of training.
        """
        if missing - self._missing or not plausible:
            self._calm = 0
        self._missing = missing
        if not missing:
            return False
        if self._calm < self._stretch:
            self._calm = self._calm + 1 if calm else 0
        return self._calm < self._stretch

    def to_state(self) -> dict[str, Any]:
        """Return the missing channels and the calm samples in a row, as plain JSON types."""
        return {"missing": sorted(self._missing), "calm": self._calm}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self._missing, self._calm = frozenset(map(int, state["missing"])), int(state["calm"])


def _key(reason: str, channel: int | None) -> str:
    return reason if channel is None else f"{reason}.{channel}"
