"""Contract between the loop over samples and whatever replaces its model."""

from __future__ import annotations

from typing import Any, Protocol

from ..alarms.events import Event, Result
from ..model_at_work import ModelAtWork
from ..sources import Sample


class Watch(Protocol):
    """Watcher of the model at work; called from the loop, between two samples."""

    def replaced(self, old: ModelAtWork) -> ModelAtWork | None:
        """Return the detector that takes over now, None for none."""

    def observe(self, sample: Sample, result: Result, seconds: float) -> None:
        """Take a result of the model at work.

        Args:
            sample: The sample.
            result: The result.
            seconds: Time that it took.
        """

    def crashed(self, error: Exception) -> bool:
        """Return whether another model takes over after an error, so that the watch can go on."""

    def take_events(self) -> list[Event]:
        """Return events about models since the last call."""

    @property
    def report(self) -> dict[str, Any]:
        """Facts about the model at work, empty where there are none to tell; the same object until they change."""

    def close(self) -> None:
        """End what runs in the background."""
