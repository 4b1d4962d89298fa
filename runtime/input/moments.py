"""Places of a stream's rows in the week, for a model with a calendar; nothing for the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..model_file.metadata import CALENDAR, Metadata

if TYPE_CHECKING:
    from .calendar import Calendar

Floats = npt.NDArray[np.float32]
EXAMPLE = 1e9  # a moment as good as any, seconds since 1970


class Moments:
    """Calendar of a model on one stream.

    Args:
        metadata: The model's metadata.

    Raises:
        ModelError: If its calendar is damaged.
        ConfigError: If this machine does not know its time zone.
    """

    def __init__(self, metadata: Metadata) -> None:
        self._period = metadata.period or 1.0
        self._calendar: Calendar | None = None
        if metadata.sections.get(CALENDAR):
            from .calendar import Calendar  # most models have none

            self._calendar = Calendar.of(metadata)

    def dated(self, time: float | None, first: bool) -> float | None:
        """Return the time of a row: NaN, which is dropped, where a calendar needs a date and the row has none.

        Args:
            time: As it came, seconds; None for none, NaN where only this row has none.
            first: Whether it is the first row of its stream.

        Raises:
            SeriesError: If the first row has no date, as no row of the stream will.
        """
        if self._calendar is None or self._calendar.knows(time):
            return time
        if first and not (time is not None and math.isnan(time)):
            raise self._calendar.undated(time)
        return math.nan

    def at(self, time: float | None, rows: int = 0) -> tuple[float, ...]:
        """Return the numbers of a moment; none without a calendar.

        Args:
            time: Seconds since 1970.
            rows: Rows that the moment lies before it.
        """
        if self._calendar is None or time is None:
            return ()
        return self._calendar.at(time - rows * self._period)

    def beside(self, scaled: Floats, times: Sequence[float | None] | npt.NDArray[np.float64]) -> Floats:
        """Return rows with the numbers of their moments behind the channels, shape (T, F) or wider.

        Args:
            scaled: Shape (T, F).
            times: Seconds since 1970, shape (T,).
        """
        if self._calendar is None:
            return scaled
        return np.hstack([scaled, self._calendar.rows(np.asarray(times, np.float64))])

    def example(self, row: int) -> float | None:
        """Return the time of a row of a made-up stream; None without a calendar."""
        return None if self._calendar is None else EXAMPLE + row * self._period
