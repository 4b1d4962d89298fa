"""List of the alarms of a recorded file, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.io.terminal import printable
from edgelstm.runtime.sources.sample import Sample

MOST = 20  # sentences that are printed


class Told:
    """Sink that keeps events as they were last, with their sentences.

    Args:
        narrator: Speaker of the sentences.
        period: Seconds between samples, None when unknown.
    """

    def __init__(self, narrator: Narrator, period: float | None) -> None:
        self._narrator, self._period, self._label = narrator, period, ""
        self._events: dict[str, Event] = {}

    def result(self, sample: Sample, result: Result) -> None:
        """Keep the time as its source wrote it.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """
        self._label = sample.label or self._label

    def event(self, event: Event) -> None:
        """Keep an event, with its sentence."""
        self._events[event.id] = self._narrator.tell(event, self._label, self._period)

    def close(self) -> None:
        """Do nothing: nothing is held."""

    @property
    def events(self) -> list[Event]:
        """Events by their beginning."""
        return sorted(self._events.values(), key=lambda event: event.start or 0.0)

    def lines(self) -> Iterator[str]:
        """Yield the first sentences, and the number of the others."""
        events = self.events
        for event in events[:MOST]:
            yield f"  {printable(event.text)}"
        if len(events) > MOST:
            yield f"  … and {len(events) - MOST} more; --json lists them all"
