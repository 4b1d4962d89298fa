"""One row of a stream."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """One row of a source, in the model's order of channels."""

    values: list[float]
    """Sensor units, shape (F,); NaN where a cell is empty or a channel silent."""
    time: float | None
    """Seconds since 1970, or the stream's own count; None without a time, NaN where it is known that others have one."""
    row: int
    """Number of the row in its source, from 0."""
    label: str = ""
    """The time as the source wrote it; empty without one."""
    arrival: float | None = None
    """Arrival at a live source, seconds of a clock that never jumps; None from a file."""
