"""Failures of a connection that is tried for ever: each is said once, and attempts come ever more slowly."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("edgelstm")
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between attempts, doubling
MOST_SAID = 8  # different reasons of one outage
LONGEST_REASON = 200  # characters of a reason, which the other end may have written


class Attempts:
    """Attempts to reach the other end.

    The wait starts anew after a connection that held for as long as the wait before it: an end that accepts and hangs up at
    once is not asked without pause.

    Args:
        name: Name of the source or sink, for messages.

    >>> attempts = Attempts("modbus://plc/1")
    >>> attempts.failed("refused"), attempts.failed("refused"), attempts.failures
    (0.5, 1.0, 2)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        """Failed attempts so far."""
        self._wait = FIRST_WAIT
        self._said: set[str] = set()
        self._since: float | None = None

    def failed(self, reason: str) -> float:
        """Count a failure; return the seconds to wait before the next attempt."""
        self.failures += 1
        if self._since is not None and time.monotonic() - self._since >= self._wait:
            self._wait = FIRST_WAIT
        self._since = None
        reason = "".join(filter(str.isprintable, reason[:LONGEST_REASON])) or "no answer"
        if reason not in self._said and len(self._said) < MOST_SAID:
            self._said.add(reason)
            log.warning("%s: %s; trying again", self.name, reason)
        wait, self._wait = self._wait, min(2 * self._wait, LONGEST_WAIT)
        return wait

    def works(self) -> None:
        """Take note that the other end answers."""
        if self._since is None:
            self._since = time.monotonic()
            if self._said:
                log.warning("%s: works again", self.name)
            self._said.clear()
