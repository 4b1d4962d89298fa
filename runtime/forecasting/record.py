"""A forecast as plain JSON types, and times as rows have them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from .forecaster import Forecast


def record(forecast: Forecast, dated: bool) -> dict[str, Any]:
    """Return a forecast as plain JSON types.

    Args:
        forecast: The forecast.
        dated: Whether times are dates, not numbers.
    """
    parts = {"forecast": forecast.values}
    if forecast.lower is not None and forecast.upper is not None:
        parts |= {"lower": forecast.lower, "upper": forecast.upper}
    return {
        "times": [stamp(time, dated) for time in forecast.times],
        "interval_percent": forecast.level if len(parts) > 1 else None,
        "targets": {
            target: {name: [round(float(value), 6) for value in part[:, place]] for name, part in parts.items()}
            for place, target in enumerate(forecast.targets)
        },
    }


def stamp(time: float, dated: bool) -> str:
    """Format a time as the rows have it: a date, or a number.

    Args:
        time: Seconds since 1970, or a row number.
        dated: Whether it is a date.

    >>> stamp(0.0, True), stamp(336.0, False)
    ('1970-01-01 00:00:00', '336')
    """
    if not dated:
        return f"{time:g}" if abs(time) < 1e6 else f"{time:.0f}"
    moment = datetime.fromtimestamp(time, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if not moment.microsecond else "%Y-%m-%d %H:%M:%S.%f")
