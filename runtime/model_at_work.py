"""Contract between the loop over samples and the model in it: a detector, or a forecaster of the rows to come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt

from .alarms.events import Event, Result
from .input.sensor_faults import SensorFaults
from .input.validator import Validator
from .model_file.metadata import Metadata


class ModelAtWork(Protocol):
    """A model that takes samples one by one."""

    identity: str
    """Text that tells it from another model."""
    index: int
    """Number of samples taken so far."""
    validator: Validator
    """Input policies at work."""
    faults: SensorFaults
    """Sensor faults that are open, and rows that cannot be scored."""

    @property
    def metadata(self) -> Metadata:
        """The model's metadata."""

    @property
    def expected(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Expectations of the newest sample and the distances of normal values, shape (F,) each, sensor units; or empty."""

    def update(self, sample: npt.ArrayLike, time: float | None = None, arrival: float | None = None) -> Result:
        """Take the newest sample.

        Args:
            sample: Shape (F,), sensor units; NaN where a channel is silent.
            time: Its time, seconds; None for a plain row count.
            arrival: Arrival on a clock that never jumps.
        """

    def finish(self) -> tuple[Event, ...]:
        """Close all open events, as at the end of a stream."""

    def probe(self) -> None:
        """Raise ModelError where a typical sample gives nothing finite; then start over."""

    def reset(self) -> None:
        """Forget everything so far, as after a restart."""

    def snapshot(self) -> dict[str, Any]:
        """Return all that `restore` needs, as plain JSON types."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot of the same model; raise ModelError where it does not fit."""

    def succeed(self, state: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a stream over from another model's snapshot; return its open events, closed."""
