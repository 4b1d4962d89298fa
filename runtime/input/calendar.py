"""Calendar inputs of a detector: the place of each row in its week, beside the readings of the sensors.

What is normal on a Monday may be a fault on a Sunday. A model with a calendar gets, after its channels, sine and cosine waves
of the week on the local clock: once a week, twice, and so on up to 28 times. Any weekly pattern down to some six hours is a
weighted sum of them (Fourier), so a linear forecast can follow it. Training and the device compute them here.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..alarms.local_time import is_date
from ..errors import ModelError, SeriesError
from ..io.time_zones import QUARTER, Doubles, find_zone, local_seconds, offset_at
from ..model_file.metadata import CALENDAR, Metadata

Floats = npt.NDArray[np.float32]
WEEK = 604_800.0  # seconds
MONDAY = 259_200.0  # seconds from a Monday, 0:00, to 1970
WAVES = 28  # waves of six hours are the shortest
STEPS = 32_768.0  # a feature is a multiple of 1 / 32768: machines differ in the last bits of a sine


@dataclass(frozen=True)
class Calendar:
    """Weekly waves on the clock of a zone."""

    waves: int = WAVES
    """Number of waves, each a sine and a cosine."""
    zone: str = ""
    """IANA time zone such as Europe/Berlin; empty takes times as they are written."""

    @classmethod
    def of(cls, metadata: Metadata) -> Calendar | None:
        """Read a model's calendar; None where it has none.

        Raises:
            ModelError: If it is damaged.
            ConfigError: If this machine does not know its time zone.
        """
        section = metadata.sections.get(CALENDAR)
        if not section:
            return None
        try:
            calendar = cls(int(section["waves"]), str(section.get("zone", "")))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The model's calendar is damaged ({error!r}). Convert it again.") from error
        if calendar.zone:
            find_zone(calendar.zone)
        return calendar

    def record(self) -> dict[str, Any]:
        """The calendar as plain JSON types."""
        return asdict(self)

    @property
    def size(self) -> int:
        """Numbers of a moment."""
        return 2 * self.waves

    def at(self, time: float) -> tuple[float, ...]:
        """Return the numbers of a moment: sine and cosine of each wave in turn, shape (2 * waves,).

        Args:
            time: Seconds since 1970.
        """
        place = (time + self._offset(time) + MONDAY) % WEEK
        first = cmath.exp(2j * math.pi * place / WEEK)
        turned, numbers = 1 + 0j, []
        for _ in range(self.waves):
            turned *= first
            numbers += [round(turned.imag * STEPS) / STEPS, round(turned.real * STEPS) / STEPS]
        return tuple(numbers)

    def _offset(self, time: float) -> float:
        if not self.zone:
            return 0.0
        quarter = math.floor(time / QUARTER)
        if quarter not in self._offsets:
            self._offsets.clear()  # the newest is the next one, too
            self._offsets[quarter] = offset_at(quarter * QUARTER, find_zone(self.zone))
        return self._offsets[quarter]

    @cached_property
    def _offsets(self) -> dict[int, float]:
        return {}

    def rows(self, times: npt.ArrayLike) -> Floats:
        """As `at`, for many moments, shape (T, 2 * waves); a time that is no number counts as 0.

        Args:
            times: Seconds since 1970, shape (T,).
        """
        moments: Doubles = np.nan_to_num(np.asarray(times, np.float64), posinf=0.0, neginf=0.0)
        place = (local_seconds(moments, self.zone) + MONDAY) % WEEK
        first = np.exp(2j * math.pi * place / WEEK)
        turned, numbers = np.ones_like(first), np.empty((len(moments), self.size), np.float32)
        for wave in range(self.waves):
            turned = turned * first
            numbers[:, 2 * wave], numbers[:, 2 * wave + 1] = (
                np.rint(part * STEPS) / STEPS + 0.0
                for part in (turned.imag, turned.real)  # no negative zeros
            )
        return numbers

    def knows(self, time: float | None) -> bool:
        """Tell whether a time is a date, and not a count of rows or seconds."""
        return is_date(time)

    def undated(self, time: float | None) -> SeriesError:
        """Return the error for a stream without dates."""
        came = "no time" if time is None else f"the count {time:g}"
        return SeriesError(
            f"The model has a calendar, so rows need dates; received {came}. Name the column of dates with --time-column, "
            "or train without --calendar."
        )


def scaled_inputs(metadata: Metadata, values: npt.ArrayLike, times: npt.ArrayLike) -> Floats:
    """Return rows as a model takes them, shape (T, F) or wider: scaled, with the calendar of their times where it has one.

    Args:
        metadata: The model's, with a scaler.
        values: Sensor units, shape (T, F).
        times: Seconds since 1970, shape (T,); any numbers for a model without a calendar.
    """
    assert metadata.scaler is not None
    scaled, calendar = metadata.scaler.transform(values), Calendar.of(metadata)
    return scaled if calendar is None else np.hstack([scaled, calendar.rows(times)])
