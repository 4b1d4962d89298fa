"""Present state of a stream, for the live page, the metrics and the watchdog."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from ..alarms.events import Event, Result
from ..sources.sample import Sample

SHOWN = 600  # newest scores kept for the page
EVENTS = 50  # newest events kept for the page


class Status:
    """Sink of constant size that holds counters and the newest results of one stream.

    Args:
        name: The stream's name.
        names: Channel names, F of them.
        period: The model's seconds between samples, None when unknown.
        units: Physical units of the channels, F of them; empty when unknown.
    """

    def __init__(self, name: str, names: tuple[str, ...], period: float | None, units: tuple[str, ...] = ()) -> None:
        self.name, self.names, self.period, self.units = name, names, period, units
        self.state = "starting"
        self._begin = time.monotonic()
        self.error = ""
        self.samples = self.scored = self.anomalies = 0
        self.seconds = 0.0
        self.statuses: Counter[str] = Counter()
        self.unscored: Counter[str] = Counter()
        """Rows since the last score, by the status of their result."""
        self.opened: Counter[str] = Counter()
        self.last: Result | None = None
        self.last_at: float | None = None
        self.forecast: Mapping[str, Any] | None = None
        """Newest forecast, empty before the first; None from a detector."""
        self._open: dict[str, Event] = {}
        self._scores: deque[tuple[int, str, float | None, bool, float | None]] = deque(maxlen=SHOWN)
        self._events: OrderedDict[str, Event] = OrderedDict()  # newest last, each as it is now
        self.sensors: deque[tuple[int, list[float], tuple[float, ...]]] | None = None
        self.within: tuple[float, ...] = ()
        self.answers: Mapping[str, str] = {}
        """Answers to alarms, by id."""
        self._guard = threading.Lock()

    def result(self, sample: Sample, result: Result) -> None:
        """Count a sample.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """
        with self._guard:
            self.samples += 1
            if result.score is not None or result.forecast:
                self.scored += 1
                self.unscored.clear()
            else:
                self.unscored[result.status] += 1
            if result.forecast or self.forecast is None:
                self.forecast = result.forecast
            self.anomalies += result.anomaly
            self.statuses[result.status] += 1
            self.last, self.last_at = result, time.monotonic()
            self._scores.append((self.samples, sample.label, result.score, result.anomaly, sample.time))

    def event(self, event: Event) -> None:
        """Count an event."""
        with self._guard:
            if event.state == "open":
                self.opened[event.kind] += 1
                self._open[event.id] = event
            else:
                self._open.pop(event.id, None)
        self.recall(event)

    def recall(self, event: Event) -> None:
        """Show an event, also one of an earlier run."""
        with self._guard:
            self._events[event.id] = event
            self._events.move_to_end(event.id)
            if len(self._events) > EVENTS:
                self._events.popitem(last=False)

    def find(self, identity: str) -> Event | None:
        """Return the newest form of an event by its id, None where it is not among the newest ones."""
        with self._guard:
            return self._open.get(identity) or self._events.get(identity)

    def show_sensors(self) -> None:
        """Keep the newest sensor values, too, from now on: somebody will look at them."""
        self.sensors = deque(maxlen=SHOWN)

    def sensor_values(self, values: Sequence[float], expected: tuple[float, ...], within: tuple[float, ...]) -> None:
        """Take the newest sample's values with what the model expected.

        Args:
            values: Sensor units, shape (F,).
            expected: Sensor units, shape (F,); empty where there is no expectation.
            within: Distances from the expectations in which normal values lie, shape (F,).
        """
        if self.sensors is None:
            return
        with self._guard:
            self.within = within
            self.sensors.append((self.samples, list(values), expected))

    def close(self) -> None:
        """Do nothing: nothing is held."""

    @property
    def age(self) -> float | None:
        """Seconds since the last sample, None before the first."""
        return None if self.last_at is None else time.monotonic() - self.last_at

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begin

    @property
    def alarms(self) -> int:
        """Events that are open now."""
        return len(self._open)

    @property
    def running(self) -> bool:
        """True while samples are expected."""
        return self.state == "running"

    def page(self, since: int = 0) -> dict[str, Any]:
        """Return the live page's data, with the scores of samples after number `since`."""
        with self._guard:
            last = self.last
            share = last.contribution if last else None
            return {
                "name": self.name,
                "state": self.state,
                "error": self.error,
                "age": self.age,
                "samples": self.samples,
                "scored": self.scored,
                "anomalies": self.anomalies,
                "threshold": last.threshold if last else None,
                "status": last.status if last else "",
                "statuses": dict(self.statuses),
                "alarms": [event.record() for event in self._open.values()],
                "channels": list(self.names),
                "contribution": share,
                "scores": [row for row in self._scores if row[0] > since],
                "events": [event.record() for event in reversed(self._events.values())],
                "answers": {key: self.answers[key] for key in self._events if key in self.answers},
                "forecast": self.forecast,
                "units": list(self.units),
                "within": _short(self.within),
                "sensors": [
                    [number, _short(values), _short(expected)]
                    for number, values, expected in self.sensors or ()
                    if number > since
                ],
            }


def _short(values: Sequence[float]) -> list[float]:
    """Round to the digits that a picture shows."""
    return [float(f"{value:.5g}") for value in values]
