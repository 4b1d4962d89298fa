"""Sensor faults as events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..alarms.events import Event
from ..alarms.tracker import EventTracker, Level


class SensorFaults:
    """Sensor-fault events of one stream.

    Args:
        names: Channel names, F of them.
        identity: Text that tells this model's events from another's; part of each event's id.
        recover: Good samples before a fault is over.
    """

    def __init__(self, names: Sequence[str], identity: str, recover: int) -> None:
        self.names = tuple(names)
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
        """True while there is a fault."""
        return bool(self._tracker.excursions)

    @property
    def reasons(self) -> frozenset[str]:
        """Reasons of the open faults."""
        return frozenset(key.partition(".")[0] for key in self._tracker.excursions)

    @property
    def channels(self) -> frozenset[int]:
        """Indices of the channels with a fault of their own."""
        return frozenset(int(key.partition(".")[2]) for key in self._tracker.excursions if "." in key)

    def finish(self) -> tuple[Event, ...]:
        """Close all open events, as at the end of a stream."""
        return self._tracker.finish()

    def to_state(self) -> dict[str, Any]:
        """Return the open faults by key, `REASON` or `REASON.CHANNEL INDEX`, as plain JSON types."""
        return self._tracker.to_state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self._tracker.restore(state)


def _key(reason: str, channel: int | None) -> str:
    return reason if channel is None else f"{reason}.{channel}"
