"""Calendar features: the place of a moment in its day, week and year, alike in training and on the device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..io.time_zones import local_seconds

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


def day_numbers(times: npt.ArrayLike, zone: str = "") -> npt.NDArray[np.int64]:
    """Days since 1970 on a zone's calendar.

    Args:
        times: Seconds since 1970, shape (...).
        zone: IANA name; empty takes the times as they are written.

    >>> day_numbers([0.0, 90_000.0]).tolist()
    [0, 1]
    """
    return np.asarray(np.floor(local_seconds(np.asarray(times, np.float64), zone) / DAY).astype(np.int64))


def calendar_size(yearly: bool) -> int:
    """Numbers that a moment's features are."""
    return 2 * DAY_WAVES + 7 + (2 * YEAR_WAVES if yearly else 0)


def _waves(turns: Doubles, count: int) -> Doubles:
    angles = 2 * np.pi * turns[..., None] * np.arange(1, count + 1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
