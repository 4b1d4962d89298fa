"""Shapes of alarms: a stretch that looks like an alarm that was called false, no larger and no longer, raises none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import ModelError
from .events import TAUGHT

OVERLAP = 0.85  # of the evidence has to lie on the same channels
ROOM = 1.25  # times as high and as long as a harmless alarm may a stretch be that looks like it
MOST = 64  # harmless shapes of a model
HIGHEST, LONGEST = 1e30, 10_000_000  # score, samples


@dataclass(frozen=True)
class AlarmShape:
    """Channels, height and length of an alarm."""

    shares: tuple[float, ...]
    """Share of each channel in its evidence when it opened, shape (F,), summing to 1."""
    peak: float
    """Its highest score."""
    rows: int
    """Samples from its first to its last one."""

    def covers(self, other: AlarmShape, room: float = ROOM) -> bool:
        """Tell whether another alarm has causes like this one's, and is hardly higher or longer.

        Args:
            other: The other alarm.
            room: Times as high and as long as it may be.

        >>> start = AlarmShape((0.6, 0.4), 2.0, 8)
        >>> start.covers(AlarmShape((0.5, 0.5), 2.4, 10)), start.covers(AlarmShape((0.6, 0.4), 2.0, 11))
        (True, False)
        """
        if other.peak > room * self.peak or other.rows > room * self.rows:
            return False
        return math.fsum(map(min, self.shares, other.shares)) >= OVERLAP

    def record(self) -> dict[str, Any]:
        """Return the shape as plain JSON types; shares have four digits."""
        return {**asdict(self), "shares": [round(share, 4) for share in self.shares]}


def harmless_of(sections: Mapping[str, Any], channels: int) -> tuple[AlarmShape, ...]:
    """Read the harmless shapes of a model from the sections of its metadata.

    Args:
        sections: Sections by name.
        channels: Number of channels, F.

    Raises:
        ModelError: If they are damaged.
    """
    try:
        return tuple(_checked(record, channels) for record in sections.get(TAUGHT, {}).get("harmless", ())[:MOST])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ModelError(
            f"What answers to alarms have taught the model is damaged ({error}). Convert it again."
        ) from error


def _checked(record: Mapping[str, Any], channels: int) -> AlarmShape:
    shape = AlarmShape(tuple(map(float, record["shares"])), float(record["peak"]), int(record["rows"]))
    if len(shape.shares) != channels or not all(0 <= share <= 1 for share in shape.shares):
        raise ValueError("shares of another number of channels")
    if not 0 <= shape.peak < HIGHEST or not 0 < shape.rows < LONGEST:
        raise ValueError("a harmless alarm without bounds")
    return shape


def distinct(shapes: Sequence[AlarmShape]) -> tuple[AlarmShape, ...]:
    """Return shapes without those that another one covers as it is; the newest, when there are many.

    >>> small, large = AlarmShape((1.0,), 2.0, 5), AlarmShape((1.0,), 3.0, 9)
    >>> distinct([small, large, large]) == (large,)
    True
    """
    kept: list[AlarmShape] = []
    for shape in shapes:
        if not any(other.covers(shape, room=1.0) for other in kept):
            kept = [other for other in kept if not shape.covers(other, room=1.0)] + [shape]
    return tuple(kept[-MOST:])
