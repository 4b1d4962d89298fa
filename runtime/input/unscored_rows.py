"""Rows that come while none of them can be scored, as an event: the model is blind then, and must say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..alarms.events import Event
from ..alarms.tracker import EventTracker, Level
from ..model_file.metadata import Metadata
from .policies import warmup
from .sampling_rate import LEAST_ROWS

REASON = "unscored"
WINDOWS = 2  # windows of rows in a row; one is the warm-up after a start or a gap


class UnscoredRows:
    """The `unscored` fault of one stream: open from the second window of rows without a score until the next score.

    Args:
        metadata: The model's, with its window.
        identity: Text that tells this model's events from another's; part of each event's id.

    >>> rows = UnscoredRows(Metadata("forecaster", window=24), "pump")
    >>> opened = [event for row in range(100) for event in rows.missed(row, None)]
    >>> [(event.reason, event.start) for event in opened], rows.open
    ([('unscored', 0.0)], True)
    >>> [(event.state, event.end) for event in rows.scored(100, None)], rows.open
    ([('closed', 99.0)], False)
    """

    def __init__(self, metadata: Metadata, identity: str) -> None:
        rows = WINDOWS * max(LEAST_ROWS, warmup(metadata))
        self._tracker = EventTracker("sensor_fault", identity, minimum=rows)

    @property
    def any(self) -> bool:
        """True if the newest rows had no score: a quick check."""
        return bool(self._tracker.excursions)

    @property
    def open(self) -> bool:
        """True while the event is open."""
        return self._tracker.active

    def missed(self, index: int, time: float | None) -> tuple[Event, ...]:
        """Take a row that got no score; return the event that it opened.

        Args:
            index: Number of the row in the stream, from 0.
            time: Its time; None counts rows.
        """
        return self._observe(index, time, Level.ACTIVE)

    def scored(self, index: int, time: float | None) -> tuple[Event, ...]:
        """Take a row that got a score; return the event that it closed.

        Args:
            index: Number of the row in the stream, from 0.
            time: Its time; None counts rows.
        """
        return self._observe(index, time, Level.QUIET)

    def _observe(self, index: int, time: float | None, level: Level) -> tuple[Event, ...]:
        event = self._tracker.observe(REASON, index, time, level)
        return (event,) if event else ()

    def finish(self) -> tuple[Event, ...]:
        """Close the event if it is open, as at the end of a stream."""
        return self._tracker.finish()

    def to_state(self) -> dict[str, Any]:
        """Return the rows without a score as an excursion by its reason, as plain JSON types; nothing after a score."""
        return self._tracker.to_state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self._tracker.restore(state)
