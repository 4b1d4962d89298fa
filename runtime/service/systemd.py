"""Notifications to systemd, readiness and watchdog, by the standard library alone."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Settings
    from .runner import Runner

PATIENCE = 10  # sample intervals without a sample after which something is wrong


def notify(message: str) -> bool:
    """Send systemd a message (sd_notify(3)); False when the process was not started by it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(message.encode())
        return True
    return False


def watchdog_seconds() -> float | None:
    """Return the watchdog's limit that systemd has set for this process, None for none."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) else None


def reachable_limit(limit: float, periods: Sequence[float | None]) -> float:
    """Return the watchdog's limit, or ten sample intervals where it leaves no time for two: samples could not meet it.

    Args:
        limit: The configured limit, seconds.
        periods: Each model's seconds between samples, None where unknown.

    >>> reachable_limit(60.0, [1.0, 25.0]), reachable_limit(60.0, [600.0, None])
    (60.0, 6000.0)
    """
    longest = max((period for period in periods if period), default=0.0)
    return limit if limit >= 2 * longest else PATIENCE * longest


class Watchdog:
    """Thread that tells systemd that all is well, while every running stream takes samples.

    Args:
        runners: The streams.
        limit: Seconds after which systemd restarts a silent process.
    """

    def __init__(self, runners: Sequence[Runner], limit: float) -> None:
        self._runners, self._every = runners, limit / 4
        self._seen = [0] * len(runners)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="watchdog", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._end.wait(self._every):
            if self.all_advanced():
                notify("WATCHDOG=1")

    def all_advanced(self) -> bool:
        """Tell whether every running stream has taken samples since the last time that all had."""
        counts = [runner.status.samples for runner in self._runners]
        if not all(
            count > seen or runner.status.state == "ended"
            for runner, count, seen in zip(self._runners, counts, self._seen, strict=True)
        ):
            return False
        self._seen = counts
        return True

    def close(self) -> None:
        """Stop the thread."""
        self._end.set()
        self._thread.join()


@contextmanager
def serving(runners: Sequence[Runner], settings: Settings) -> Iterator[None]:
    """Serve the live page, notify systemd and feed its watchdog while the block runs.

    Args:
        runners: The streams.
        settings: Address of the page, empty for none.

    Raises:
        ConfigError: If the address cannot be used.
    """
    with ExitStack() as ends:
        if settings.listen:
            from .live_page import LivePage

            ends.callback(LivePage(runners, settings).close)
        limit = watchdog_seconds()
        if limit:
            configured, limit = limit, reachable_limit(limit, [runner.status.period for runner in runners])
            if limit > configured:
                notify(f"WATCHDOG_USEC={limit * 1e6:.0f}")
            ends.callback(Watchdog(runners, limit).close)
        notify(f"READY=1\nSTATUS=Watching {', '.join(runner.name for runner in runners)}")
        ends.callback(notify, "STOPPING=1")
        yield
