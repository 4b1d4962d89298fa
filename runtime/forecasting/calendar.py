"""Calendar features: the place of a moment in its day, week and year, alike in training and on the device."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

Doubles = npt.NDArray[np.float64]
DAY, YEAR = 86_400.0, 365.2425 * 86_400.0  # seconds
DAY_WAVES, YEAR_WAVES = 3, 2  # sine and cosine pairs
MONDAY = 3  # days from Monday to 1970-01-01


def calendar_features(times: npt.ArrayLike, zone: str = "", yearly: bool = True) -> npt.NDArray[np.float32]:
    """Hour of the day as waves, the weekday as one of seven, and day of the year as waves.

    Args:
        times: Seconds since 1970, shape (...).
        zone: IANA name such as Europe/Berlin; empty takes the times as they are written.
        yearly: Whether the day of the year is wanted.

    Returns:
        Shape (..., 17), or (..., 13) without the day of the year.

    Raises:
        ConfigError: If this machine does not know the zone.

    >>> calendar_features([0.0]).shape, int(calendar_features([0.0])[0, 6:13].argmax())  # a Thursday
    ((1, 17), 3)
    """
    local = local_seconds(np.asarray(times, np.float64), zone)
    weekday = (np.floor(local / DAY).astype(np.int64) + MONDAY) % 7
    parts = [_waves(local / DAY, DAY_WAVES), np.eye(7)[weekday]]
    if yearly:
        parts.append(_waves(local / YEAR, YEAR_WAVES))
    return np.concatenate(parts, axis=-1).astype(np.float32)


def calendar_size(yearly: bool) -> int:
    """Numbers that a moment's features are."""
    return 2 * DAY_WAVES + 7 + (2 * YEAR_WAVES if yearly else 0)


def local_seconds(times: Doubles, zone: str) -> Doubles:
    """Seconds on the clock of a zone, daylight saving included.

    Args:
        times: Seconds since 1970.
        zone: IANA name; empty takes times as they are written.
    """
    if not zone:
        return times
    place = find_zone(zone)
    hours, inverse = np.unique(np.floor(times / 900), return_inverse=True)  # offsets change on quarters of an hour
    offsets = np.array([_offset(float(hour) * 900, place) for hour in hours])
    return np.asarray(times + offsets[inverse].reshape(times.shape), np.float64)


def find_zone(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        ConfigError: If this machine does not know it.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"A time zone is an IANA name such as Europe/Berlin; this machine does not know {name!r}. "
            "Check the name, or install the package tzdata."
        ) from error


def _offset(seconds: float, place: tzinfo) -> float:
    moment = datetime.fromtimestamp(min(max(seconds, -1e10), 1e11), timezone.utc)  # years 1653 to 5138
    shift = place.utcoffset(moment.astimezone(place))
    return shift.total_seconds() if shift else 0.0


def _waves(turns: Doubles, count: int) -> Doubles:
    angles = 2 * np.pi * turns[..., None] * np.arange(1, count + 1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
