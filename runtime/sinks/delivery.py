"""Contract between the store-and-forward queue and the sinks that carry records away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ..errors import EdgelstmError

LONGEST_WAIT = 60.0  # seconds between attempts


class DeliveryError(EdgelstmError):
    """A delivery failed; the records stay and are tried again."""


class Stream(NamedTuple):
    """The stream whose records a sink takes."""

    model: str
    """Its name."""
    scores: bool
    """True to send every sample's score, not events alone."""
    targets: tuple[str, ...] = ()
    """Channels that it forecasts; none for a detector."""
    units: tuple[str, ...] = ()
    """Their physical units, empty text where unknown."""


class Delivery(Protocol):
    """Carrier of records to one place; called from one thread only, and allowed to be slow.

    A class of the registry is made from an `Address`, its options (an instance of the class's `Options`) and a `Stream`.
    It raises ConfigError or OutputError where the address cannot be used.
    """

    name: str
    """Name for messages, without secrets."""
    longest_wait: float
    """Seconds between attempts at most, doubling up to it; 0 for a delivery that does its own waiting."""

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """Deliver records, oldest first; return how many of the first ones are safely there.

        Raises:
            DeliveryError: If none is; any other exception counts as the same.
        """

    def announce(self, facts: dict[str, Any]) -> None:
        """Tell facts about the model at work, where the other end keeps them; called from the loop over samples."""

    def stop_waiting(self) -> None:
        """Stop waiting for what has not answered so far: the process ends."""

    def close(self) -> None:
        """Close connections and files."""


@runtime_checkable
class TakesAnswers(Protocol):
    """A delivery through which people answer alarms."""

    def listen(self, answer: Callable[[str, str, str], None]) -> None:
        """Call a function with an alarm's id, the answer and the way that it came; it raises EdgelstmError for a bad one."""


@dataclass(frozen=True)
class NoOptions:
    """Options of a sink that has none."""
