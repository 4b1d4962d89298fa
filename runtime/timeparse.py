"""Times as sensors and exports write them, read the same way in training and on the device."""

from __future__ import annotations

import re
from datetime import datetime, timezone

# the order of names matters: the first that a file has is taken
TIME_NAMES = ("time", "timestamp", "datetime", "date", "ts", "time_s", "date_time", "index")
LABEL_NAMES = ("anomaly", "is_anomaly", "label", "labels", "fault", "changepoint")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_FRACTION = re.compile(r"\.(\d+)")
_DAY_FIRST = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})(.*)$")
MILLISECONDS = 1e11  # seconds since 1970 stay below it until the year 5138


def parse_time(text: str) -> float:
    """A time as seconds.

    Takes ISO 8601 dates (with `T` or a blank, with fraction, with `Z` or an offset; without one they are taken as UTC),
    `DD.MM.YYYY` and `YYYY/MM/DD` with or without a time, seconds or milliseconds since 1970, and plain numbers.

    Returns:
        Seconds since 1970 for dates, else the number itself.

    Raises:
        ValueError: If it is none of these.

    >>> parse_time("1970-01-02 00:00:01.5")
    86401.5
    >>> parse_time("1970-01-01T01:00:00+01:00"), parse_time("12.5")
    (0.0, 12.5)
    """
    stripped = text.strip().strip('"')
    if _NUMBER.match(stripped):
        number = float(stripped)
        return number / 1000 if abs(number) > MILLISECONDS else number
    moment = datetime.fromisoformat(_iso(stripped))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _iso(text: str) -> str:
    """Any of the date forms as what Python 3.10's `fromisoformat` takes."""
    day_first = _DAY_FIRST.match(text)
    if day_first:
        day, month, year, rest = day_first.groups()
        text = f"{year}-{int(month):02}-{int(day):02}{rest}"
    text = text.replace("/", "-")
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    return _FRACTION.sub(lambda match: "." + match.group(1)[:6].ljust(6, "0"), text, count=1)


def is_time(text: str) -> bool:
    """Whether a cell holds a date (a plain number does not count).

    >>> is_time("2020-03-09 10:14:33"), is_time("33.5")
    (True, False)
    """
    if _NUMBER.match(text.strip()):
        return False
    try:
        parse_time(text)
    except ValueError:
        return False
    return True
