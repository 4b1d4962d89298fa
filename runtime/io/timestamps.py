"""Times as sensors and exports write them, read the same way in training and on the device."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone

# the order of names matters: the first that a file has is taken
TIME_NAMES = ("time", "timestamp", "datetime", "date", "ts", "time_s", "date_time", "index")
LABEL_NAMES = (
    "anomaly", "is_anomaly", "label", "labels", "fault", "changepoint", "outlier", "is_outlier", "attack", "normal/attack",
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")
_FRACTION = re.compile(r"\.(\d+)")
_DAY_FIRST = re.compile(r"(\d{1,2})([./])(\d{1,2})[./](\d{4})(.*)$")
_CLOCK = re.compile(r"[ T](\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(.*)$")
SLASHED = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/\d{4}")
_TIME_OF_DAY = re.compile(r"\d{1,2}[:.]\d{2}([:.]\d{2}([.,]\d+)?)?(\s*[AaPp][Mm])?$")
LONGEST = 64  # characters of a time; a longer cell is none, and is not searched
UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Numbers below the first count as the second a second: seconds until the year 5138, milliseconds from 1973 on, and so on."""
FILETIME_ZERO, FILETIME_LEAST, FILETIME_MOST = 116_444_736_000_000_000, 1.18e17, 1.6e17
"""Windows counts 100 ns since 1601: the number for 1970, and those for 1974 and 2108; nanoseconds of 1973 and 1974 are lost."""


def parse_time(text: str, month_first: bool = False) -> float:
    """A time as seconds.

    Takes ISO 8601 dates (with `T` or a blank, with fraction, with `Z` or an offset; without one they are taken as UTC),
    `DD.MM.YYYY`, `DD/MM/YYYY` and `YYYY/MM/DD` with or without a time of day, on a clock of 24 or of 12 hours (`PM`),
    seconds, milli-, micro- or nanoseconds since 1970, and plain numbers.

    Args:
        text: The cell.
        month_first: Whether slashes write the month before the day, as in the United States.

    Returns:
        Seconds since 1970 for dates, else the number itself.

    Raises:
        ValueError: If it is none of these.

    >>> parse_time("1970-01-02 00:00:01.5")
    86401.5
    >>> parse_time("1970-01-01T01:00:00+01:00"), parse_time("12.5"), parse_time("1/2/1970 1:00 AM", month_first=True)
    (0.0, 12.5, 90000.0)
    """
    stripped = text.strip().strip('"')
    if len(stripped) > LONGEST:
        raise ValueError(f"{stripped[:LONGEST]!r} is longer than any time")
    if _NUMBER.match(stripped):
        return seconds(float(stripped))
    moment = datetime.fromisoformat(_iso(stripped, month_first))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def seconds(number: float) -> float:
    """A number as seconds: what is too large for seconds since 1970 counts milli-, micro-, nanoseconds or FILETIME.

    Raises:
        ValueError: If it is too large for any of them.

    >>> seconds(1.7e9), seconds(1.7e12), seconds(1.7e18), seconds(133_444_736_000_000_000)
    (1700000000.0, 1700000000.0, 1700000000.0, 1700000000.0)
    """
    if FILETIME_LEAST <= number <= FILETIME_MOST:
        return (number - FILETIME_ZERO) / 1e7
    for limit, a_second in UNITS:
        if abs(number) < limit:
            return number / a_second
    raise ValueError(f"{number:g} is too large for a time")


def _iso(text: str, month_first: bool) -> str:
    """Any of the date forms as what Python 3.10's `fromisoformat` takes."""
    european = _DAY_FIRST.match(text)
    if european:
        day, mark, month, year, rest = european.groups()
        if month_first and mark == "/":
            day, month = month, day
        text = f"{year}-{int(month):02}-{int(day):02}{rest}"
    text = text.replace("/", "-")
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    text = text if len(text) < 12 or (text[13:14] == ":" and text[-1] not in "Mm") else _clock(text)
    return _FRACTION.sub(lambda match: "." + match.group(1)[:6].ljust(6, "0"), text, count=1)


def _clock(text: str) -> str:
    """The time of day after a date with two digits for the hour, on 24 hours, and with colons."""
    found = _CLOCK.search(text)
    if not found:
        return text
    hour, minute, second, rest = found.groups()
    half = rest.strip().lower()
    if half in ("am", "pm") and 1 <= int(hour) <= 12:
        hour, rest = str(int(hour) % 12 + 12 * (half == "pm")), ""
    return f"{text[: found.start()]} {int(hour):02}:{minute}:{second or '00'}{rest}"


def is_time(text: str) -> bool:
    """Whether a cell holds a date (a plain number does not count).

    >>> is_time("2020-03-09 10:14:33"), is_time("3/25/2020 9:15"), is_time("33.5")
    (True, True, False)
    """
    text = text.strip()
    if len(text) > LONGEST or _NUMBER.match(text):
        return False
    try:
        parse_time(text, month_first=bool(month_first([text])))
    except ValueError:
        return False
    return True


def is_time_of_day(text: str) -> bool:
    """Whether a cell holds a time of day without a date.

    >>> is_time_of_day("17:24:00"), is_time_of_day("5:24 PM"), is_time_of_day("17")
    (True, True, False)
    """
    return bool(_TIME_OF_DAY.match(text.strip()[: LONGEST + 1]))


class DateOrder:
    """Learns from dates with slashes, row by row, whether the month or the day stands first.

    A number above 12 is a day. So is the number that goes up by one from a date of several rows to the next.
    """

    def __init__(self) -> None:
        self.month_first: bool | None = None
        """None as long as every date may be read both ways."""
        self._last = (0, 0)
        self._several = False

    def see(self, text: str) -> bool | None:
        """Take a cell or a whole row; give what is known by now."""
        found = SLASHED.search(text) if self.month_first is None else None
        if not found:
            return self.month_first
        date, last = (int(found[1]), int(found[2])), self._last
        if (date[0] > 12) != (date[1] > 12):
            self.month_first = date[1] > 12
        elif self._several and date in ((last[0], last[1] + 1), (last[0] + 1, last[1])):
            self.month_first = date[0] == last[0]
        self._several, self._last = date == last, date
        return self.month_first


def month_first(texts: Iterable[str]) -> bool | None:
    """Whether dates with slashes have the month first, by the first evidence; None without any.

    >>> month_first(["1/2/2024", "1/13/2024"]), month_first(["16/12/2006 17:24"]), month_first(["1/2/2024"])
    (True, False, None)
    >>> month_first(["1/2/2024 23:00", "1/2/2024 23:30", "1/3/2024 0:00"])
    True
    """
    order = DateOrder()
    return next((found for text in texts if (found := order.see(text)) is not None), None)
