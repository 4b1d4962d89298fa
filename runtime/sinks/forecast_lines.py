"""JSON lines of a forecaster: its forecasts and its events."""

from __future__ import annotations

from ..alarms.events import Event, Result
from ..sources.sample import Sample
from .jsonl import EventLines, forecast_record


class ForecastLines(EventLines):
    """Writer of one JSON line a forecast and one an event, told apart by `type`.

    Args:
        stream: Text stream to write to.
        model: Name to put in each line, empty for none.
    """

    def result(self, sample: Sample, result: Result) -> None:
        """Write the forecast at once; nothing while there is none.

        Args:
            sample: The newest row.
            result: The model's result for it.
        """
        if result.forecast:
            self._write({"type": "forecast", **self._head, **forecast_record(sample, result.forecast)})

    def event(self, event: Event) -> None:
        """Write the event at once."""
        self._write({"type": "event", **self._head, **event.record()})
