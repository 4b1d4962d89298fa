"""Sensor faults as events: when one opens, and when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..alarms.debounce import event_id
from ..alarms.events import Event


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

    def update(self, index: int, time: float | None, found: Iterable[tuple[str, int | None]]) -> tuple[Event, ...]:
        """Take the faults that there are at this sample; return the events that they open or close."""
        at, events, present = float(index) if time is None else time, [], set()
        for reason, channel in found:
            key = reason if channel is None else f"{reason}.{channel}"
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

    @property
    def channels(self) -> frozenset[int]:
        """Channels with a fault of their own."""
        return frozenset(int(key.partition(".")[2]) for key in self.open if "." in key)

    def finish(self) -> tuple[Event, ...]:
        """Close all."""
        events = tuple(self._event(key, "closed") for key in self.open)
        self.open = {}
        return events

    def _event(self, key: str, state: str) -> Event:
        reason, _, channel = key.partition(".")
        fault = self.open[key]
        end = fault["end"] if state == "closed" else None
        channels = (self.names[int(channel)],) if channel else ()
        return Event(fault["id"], "sensor_fault", state, fault["start"], end, None, channels, reason)
