"""Sinks that hold a state rather than records: on while an anomaly is open, written again when the other end has lost it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from ..errors import ConfigError
from ..io.reconnect import Attempts
from .delivery import LONGEST_WAIT, DeliveryError

KINDS = ("anomaly", "sensor_fault", "drift", "forecast", "overflow", "model")


class Switch(Protocol):
    """Place that holds the alarm's state."""

    name: str
    """Name for messages, without secrets."""

    def set(self, on: bool) -> None:
        """Write the state; connect first where need be.

        Raises:
            DeliveryError: If that fails.
        """

    def close(self) -> None:
        """Disconnect."""


def check_alarm_options(kinds: Sequence[str], refresh: float) -> None:
    """Refuse settings of an alarm that cannot be.

    Args:
        kinds: Kinds of events.
        refresh: Seconds between writes.

    Raises:
        ConfigError: If one is unknown, or the interval is not positive.
    """
    if not kinds or not set(kinds) <= set(KINDS):
        raise ConfigError(f"kinds are of {', '.join(KINDS)}; received {', '.join(kinds) or 'none'}.")
    if not 0.1 <= refresh <= 3600:
        raise ConfigError(f"refresh is 0.1 to 3600 seconds; received {refresh:g}.")


class AlarmDelivery:
    """Delivery of events into the state of a switch; scores are passed over.

    The state is written with each event that changes it, and again every few seconds: a controller that was restarted, or
    that somebody wrote to, has it back soon. Until the first event nothing is written.

    Args:
        switch: Place that holds it.
        kinds: Kinds of events that count.
        refresh: Seconds between writes of an unchanged state.
    """

    longest_wait = LONGEST_WAIT / 12  # an alarm must not wait for a minute when the controller is back

    def __init__(self, switch: Switch, kinds: Sequence[str], refresh: float) -> None:
        self.name, self._switch, self._kinds, self._refresh = switch.name, switch, frozenset(kinds), refresh
        self._open: set[tuple[str, str]] = set()
        self._known = False
        self._guard, self._stop = threading.Lock(), threading.Event()
        self._attempts = Attempts(self.name)
        self._thread = threading.Thread(target=self._keep, name=f"refresh {self.name}", daemon=True)
        self._thread.start()

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        with self._guard:
            before = set(self._open)
            for record in records:
                self._take(record)
            if self._known:
                try:
                    self._switch.set(bool(self._open))
                except Exception:
                    self._open = before  # the records come again
                    raise
        return len(records)

    def _take(self, record: dict[str, Any]) -> None:
        if record["type"] != "event" or record.get("kind") not in self._kinds:
            return
        self._known = True
        identity = (str(record.get("model")), str(record["id"]))
        if record.get("state") == "open":
            self._open.add(identity)
        else:
            self._open.discard(identity)

    def _keep(self) -> None:
        """Write the state again and again."""
        wait = self._refresh
        while not self._stop.wait(wait):
            wait = self._refresh
            with self._guard:
                if not self._known:
                    continue
                try:
                    self._switch.set(bool(self._open))
                except DeliveryError as error:
                    wait = min(self._attempts.failed(str(error)), self._refresh)
                else:
                    self._attempts.works()

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: a switch knows no models."""

    def stop_waiting(self) -> None:
        """Do nothing: each attempt ends by itself."""

    def close(self) -> None:
        """Disconnect; the state stays as it is."""
        self._stop.set()
        self._thread.join(10)
        self._switch.close()
