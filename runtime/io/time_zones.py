"""Time zones by their IANA names, and times on their clocks."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

Doubles = npt.NDArray[np.float64]
QUARTER = 900.0  # seconds; offsets change on quarters of an hour


def find_zone(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        ConfigError: If this machine does not know it.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"A time zone is an IANA name such as Europe/Berlin; this machine does not know {name[:40]!r}. "
            "Check the name, or install the package tzdata."
        ) from error


def local_seconds(times: Doubles, zone: str) -> Doubles:
    """Seconds on the clock of a zone, daylight saving included.

    Args:
        times: Seconds since 1970.
        zone: IANA name; empty takes times as they are written.
    """
    if not zone:
        return times
    place = find_zone(zone)
    quarters, inverse = np.unique(np.floor(times / QUARTER), return_inverse=True)
    offsets = np.array([offset_at(float(quarter) * QUARTER, place) for quarter in quarters])
    return np.asarray(times + offsets[inverse].reshape(times.shape), np.float64)


def offset_at(seconds: float, place: tzinfo) -> float:
    """Seconds that a zone's clock is ahead of UTC at a moment.

    Args:
        seconds: The moment, seconds since 1970.
        place: The zone.
    """
    moment = datetime.fromtimestamp(min(max(seconds, -1e10), 1e11), timezone.utc)  # years 1653 to 5138
    shift = place.utcoffset(moment.astimezone(place))
    return shift.total_seconds() if shift else 0.0
