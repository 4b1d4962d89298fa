"""The state machine that opens and closes events: anomalies, sensor faults and drift alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from .events import Event, event_id


class Level(Enum):
    """Strength of one observation."""

    QUIET = 0
    """Counts towards the end of an event."""
    BETWEEN = 1
    """Keeps an event open, but does not count towards its beginning (hysteresis)."""
    ACTIVE = 2
    """Counts towards the beginning of an event."""


@dataclass
class Excursion:
    """A stretch of observations that were not quiet: a candidate until it has an id, then an open event."""

    index: int
    """Number of the first sample in the stream, from 0."""
    start: float
    """Time of the first sample."""
    end: float
    """Time of the newest sample that was not quiet."""
    peak: float | None
    """Highest value so far; None where there is none."""
    channels: tuple[str, ...]
    """Channels concerned, strongest first."""
    active: int = 1
    """Active observations so far."""
    quiet: int = 0
    """Quiet observations in a row since the newest other one."""
    id: str = ""
    """Id of the event; empty for a candidate."""
    last: int = -1
    """Number of the newest sample that was not quiet."""
    held: bool = False
    """True while it is kept from becoming an event; it ends as one would."""

    @property
    def rows(self) -> int:
        """Samples from the first to the newest one that was not quiet."""
        return self.last - self.index + 1


class EventTracker:
    """Open events of one kind, told apart by a key.

    Args:
        kind: Kind of the events: anomaly, sensor_fault or drift.
        identity: Text that tells this model's events from another's; part of each event's id.
        minimum: Active observations, not interrupted by a quiet one, before an event opens.
        cooldown: Quiet observations in a row before an event closes.
        hold: Asked about an excursion that is about to open: True keeps it from opening for now.

    >>> tracker = EventTracker("drift", "pump", minimum=2)
    >>> levels = [Level.ACTIVE, Level.ACTIVE, Level.BETWEEN, Level.QUIET]
    >>> events = [tracker.observe("inputs", i, None, level, 1.0) for i, level in enumerate(levels)]
    >>> [(event.state, event.reason, event.start, event.end) for event in events if event]
    [('open', 'inputs', 0.0, None), ('closed', 'inputs', 0.0, 2.0)]
    """

    def __init__(
        self,
        kind: str,
        identity: str,
        minimum: int = 1,
        cooldown: int = 1,
        hold: Callable[[Excursion], bool] = lambda _: False,
    ) -> None:
        self.kind, self.identity, self.minimum, self.cooldown = kind, identity, minimum, cooldown
        self._hold = hold
        self.excursions: dict[str, Excursion] = {}

    @property
    def active(self) -> bool:
        """True while an event is open."""
        return any(excursion.id for excursion in self.excursions.values())

    def observe(
        self,
        key: str,
        index: int,
        time: float | None,
        level: Level,
        peak: float | None = None,
        channels: tuple[str, ...] = (),
    ) -> Event | None:
        """Take the newest observation under a key.

        Args:
            key: `REASON` or `REASON.CHANNEL`; empty for events without a reason.
            index: Number of the sample in the stream, from 0.
            time: Its time; None counts rows.
            level: Strength of the observation.
            peak: Value whose maximum the event reports.
            channels: Channels concerned, strongest first; empty keeps those known.

        Returns:
            The event that this observation opened or closed, None for neither.
        """
        at = float(index) if time is None else time
        excursion = self.excursions.get(key)
        if level is Level.QUIET:
            return None if excursion is None else self._count_quiet(key, excursion)
        if excursion is None:
            if level is Level.BETWEEN:
                return None
            excursion = self.excursions[key] = Excursion(index, at, at, peak, channels, last=index)
        else:
            excursion.active += level is Level.ACTIVE
            excursion.quiet, excursion.end, excursion.last = 0, at, index
            excursion.channels = channels or excursion.channels
            if peak is not None and excursion.peak is not None:
                excursion.peak = max(excursion.peak, peak)
        if excursion.id or excursion.active < self.minimum:
            return None
        excursion.held = self._hold(excursion)
        return None if excursion.held else self._open(key, excursion)

    def _count_quiet(self, key: str, excursion: Excursion) -> Event | None:
        excursion.quiet += 1
        if excursion.id:
            return self._close(key) if excursion.quiet >= self.cooldown else None
        if not excursion.held or excursion.quiet >= self.cooldown:
            del self.excursions[key]
        return None

    def _open(self, key: str, excursion: Excursion) -> Event:
        excursion.id = event_id(self.identity, self.kind, key, excursion.index, excursion.start)
        return self._event(key, excursion, "open", None)

    def _close(self, key: str) -> Event:
        excursion = self.excursions.pop(key)
        return self._event(key, excursion, "closed", excursion.end)

    def _event(self, key: str, excursion: Excursion, state: str, end: float | None) -> Event:
        reason = key.partition(".")[0]
        return Event(
            excursion.id, self.kind, state, excursion.start, end, excursion.peak, excursion.channels, reason
        )  # fmt: skip

    def finish(self) -> tuple[Event, ...]:
        """Close all open events and drop all candidates, as at the end of a stream."""
        opened = [key for key, excursion in self.excursions.items() if excursion.id]
        events = tuple(map(self._close, opened))
        self.excursions = {}
        return events

    def to_state(self) -> dict[str, dict[str, Any]]:
        """Return the excursions by key, each with the fields of `Excursion`, as plain JSON types."""
        return {
            key: {**asdict(excursion), "channels": list(excursion.channels)}
            for key, excursion in self.excursions.items()
        }

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Continue from what `to_state` returned."""
        self.excursions = {
            key: Excursion(**{**fields, "channels": tuple(fields["channels"])}) for key, fields in state.items()
        }
