"""Times as sensors and exports write them, read the same way in training and on the device."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timezone

LABEL_NAMES = (
    "anomaly", "is_anomaly", "label", "labels", "fault", "changepoint", "outlier", "is_outlier", "attack", "normal/attack",
)  # fmt: skip
LONGEST = 64  # characters of a time; a longer cell is none, and is not searched
UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Numbers below the first count as the second a second: seconds until the year 5138, milliseconds from 1973 on, and so on."""
FILETIME_ZERO, FILETIME_LEAST, FILETIME_MOST = 116_444_736_000_000_000, 1.18e17, 1.6e17
"""Windows counts 100 ns since 1601: the number for 1970, and those for 1974 and 2108; nanoseconds of 1973 and 1974 are lost."""
COMPACT = ((1.9e11, 2.1e11, 1), (1.9e13, 2.1e13, 100))
"""Numbers that write a date, YYYYMMDDhhmm and YYYYMMDDhhmmss: lowest, highest, and what the minutes are multiplied by."""
EPOCH = (631_152_000.0, 4_102_444_800.0)  # seconds since 1970 for 1990 and 2100
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|$)")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")
_YEAR_FIRST = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})(?!\d)(.*)$")
_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)(.*)$")
_DAY_NAMED = re.compile(r"(\d{1,2})[. -]{1,2}([^\W\d]{3,9})[., -]{1,2}(\d{4})(.*)$")
_MONTH_NAMED = re.compile(r"([^\W\d]{3,9})\.? (\d{1,2}),? (\d{4}),?(.*)$")
_MONTHS = {
    name: month
    for month, names in enumerate(
        ("jan ene gen", "feb fév fev", "mar mär mrt", "apr avr abr", "may mai mag mei", "jun jui giu", "jul lug",
         "aug aoû ago", "sep set", "oct okt ott out", "nov", "dec dez déc dic"), 1,
    )
    for name in names.split()
}  # fmt: skip
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")
_WEEKDAY = re.compile(r"([^\W\d_]{2})[^\W\d_]{0,8}[.,]{0,2} (?=[^\W_])")
_WEEKDAYS = frozenset(
    ("mo", "tu", "we", "th", "fr", "sa", "su", "di", "mi", "do", "so", "lu", "ma", "me", "je", "ve", "gi", "sá", "ju", "vi",
     "zo", "wo", "za")
)  # fmt: skip
_ZONE = re.compile(r"(.*\d) ?\(?(UTC|GMT|Z|WEZ|WET|MEZ|CET|MESZ|CEST|Uhr)\)?$", re.IGNORECASE)
_ZONES = {"mez": "+01:00", "cet": "+01:00", "mesz": "+02:00", "cest": "+02:00", "uhr": ""}
_OFFSET = re.compile(r"(.*:\d{2}(?:[.,]\d{1,9})?) ?([+-]\d{2}):?(\d{2})?$")
_CLOCK = re.compile(r"(?:, ?|[ T])(\d{1,2}) ?[:.h](\d{2})(?:[:.](\d{2}))?(?:[.,](\d{1,9}))?(.*)$")
_HALF = re.compile(r" ?([AaPp])\.? ?[Mm]\.?$")
_TIME_OF_DAY = re.compile(r"(\d{1,2})[:.h][0-5]\d([:.][0-5]\d([.,]\d+)?)?(\s?[AaPp]\.?\s?[Mm]\.?|\sUhr)?$")
SLASHED = re.compile(r"(?<![\d/-])(\d{1,2})([/-])(\d{1,2})\2(?:\d{4}|\d{2})(?![\d/-])")


def parse_time(text: str, month_first: bool = False) -> float:
    """A time as seconds.

    Takes ISO 8601 dates (with `T` or a blank, with fraction, with `Z`, `UTC` or an offset; without one they are taken
    as UTC), `DD.MM.YYYY`, `DD/MM/YYYY`, `DD.MM.YY`, `YYYY/MM/DD` and `13 Jan 2024` with or without a time of day, on a
    clock of 24 or of 12 hours (`PM`), seconds, milli-, micro- or nanoseconds since 1970, and plain numbers.

    Args:
        text: The cell.
        month_first: Whether slashes and hyphens write the month before the day, as in the United States.

    Returns:
        Seconds since 1970 for dates, else the number itself.

    Raises:
        ValueError: If it is none of these.

    >>> parse_time("1970-01-02 00:00:01.5")
    86401.5
    >>> parse_time("1970-01-01T01:00:00+01:00"), parse_time("12.5"), parse_time("1/2/1970 1:00 AM", month_first=True)
    (0.0, 12.5, 90000.0)
    >>> parse_time("02.01.70 24:00"), parse_time("2 Jan 1970 01:00 UTC")
    (172800.0, 90000.0)
    """
    stripped = text.strip().strip('"')
    if len(stripped) > LONGEST:
        raise ValueError(f"{stripped[:LONGEST]!r} is longer than any time")
    if _ISO_MOMENT.match(stripped):
        with suppress(ValueError):  # most files: ISO 8601 as it is
            return _utc(datetime.fromisoformat(stripped))
    if _NUMBER.match(stripped):
        return seconds(float(stripped))
    iso, extra = _iso(stripped, month_first)
    if not _ISO_MOMENT.match(iso):  # Python 3.11 reads more forms than 3.10: week dates, dates without hyphens
        raise ValueError(f"{stripped!r} is no time")
    return _utc(datetime.fromisoformat(iso)) + extra


def _utc(moment: datetime) -> float:
    """Seconds since 1970; a time without a zone is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def seconds(number: float) -> float:
    """A number as seconds: what is too large for seconds since 1970 counts milli-, micro-, nanoseconds or FILETIME.

    Raises:
        ValueError: If it is too large for any of them.

    >>> seconds(1.7e9), seconds(1.7e12), seconds(1.7e18), seconds(133_444_736_000_000_000)
    (1700000000.0, 1700000000.0, 1700000000.0, 1700000000.0)
    >>> seconds(19700102000001)
    86401.0
    """
    if FILETIME_LEAST <= number <= FILETIME_MOST:
        return (number - FILETIME_ZERO) / 1e7
    for low, high, scale in COMPACT:
        if low <= number < high:
            with suppress(ValueError):
                return _compact(int(number), scale)
    for limit, a_second in UNITS:
        if abs(number) < limit:
            return number / a_second
    raise ValueError(f"{number:g} is too large for a time")


def is_epoch(number: float) -> bool:
    """Tell a number that counts from 1970 and lies between 1990 and 2100.

    >>> is_epoch(1.7e12), is_epoch(21.5)
    (True, False)
    """
    try:
        return EPOCH[0] <= seconds(number) <= EPOCH[1]
    except ValueError:
        return False


def _compact(number: int, scale: int) -> float:
    """Seconds of a date whose digits are written as one number."""
    minutes, second = divmod(number, scale) if scale > 1 else (number, 0)
    date, clock = divmod(minutes, 10_000)
    year, day = divmod(date, 10_000)
    moment = datetime(year, day // 100, day % 100, clock // 100, clock % 100, second, tzinfo=timezone.utc)
    return moment.timestamp()


def _iso(text: str, month_first: bool) -> tuple[str, float]:
    """Any of the date forms as what Python 3.10's `fromisoformat` takes, and seconds to add to it."""
    text = _zone(_date(text, month_first))
    clock = _CLOCK.search(text)
    if not clock:
        return text, 0.0
    hour, minute, second, fraction, rest = clock.groups()
    half = _HALF.match(rest)
    if half and 1 <= int(hour) <= 12:
        hour, rest = str(int(hour) % 12 + 12 * (half[1] in "Pp")), ""
    extra = 86_400.0 if int(hour) == 24 and not int(minute) and not int(second or 0) else 0.0
    hour = "0" if extra else hour
    part = f".{(fraction or '')[:6].ljust(6, '0')}" if fraction else ""
    return f"{text[: clock.start()]} {int(hour):02}:{minute}:{second or '00'}{part}{rest}", extra


def _date(text: str, month_first: bool) -> str:
    """The date at the beginning as YYYY-MM-DD; a weekday before it is left out."""
    weekday = _WEEKDAY.match(text) if text[:3].casefold() not in _MONTHS else None
    if weekday and weekday[1].casefold() in _WEEKDAYS:
        text = text[weekday.end() :]
    if match := _YEAR_FIRST.match(text):
        year, _, month, day, rest = match.groups()
    elif match := _DAY_FIRST.match(text):
        day, mark, month, year, rest = match.groups()
        if month_first and mark != ".":
            day, month = month, day
    elif (match := _DAY_NAMED.match(text)) and match[2][:3].casefold() in _MONTHS:
        day, name, year, rest = match.groups()
        month = str(_MONTHS[name[:3].casefold()])
    elif (match := _MONTH_NAMED.match(text)) and match[1][:3].casefold() in _MONTHS:
        name, day, year, rest = match.groups()
        month = str(_MONTHS[name[:3].casefold()])
    else:
        return text
    if len(year) == 2:
        year = f"{20 if int(year) < 70 else 19}{year}"
    return f"{year}-{int(month):02}-{int(day):02}{rest}"


def _zone(text: str) -> str:
    """The zone at the end as +HH:MM; the word Uhr is left out."""
    zone = ""
    if match := _ZONE.match(text):
        text, zone = match[1], _ZONES.get(match[2].lower(), "+00:00")
    if match := _OFFSET.match(text):  # also `+0000 UTC`
        return f"{match[1]}{match[2]}:{match[3] or '00'}"
    return text + zone


def is_time(text: str) -> bool:
    """Tell whether a cell holds a date (a plain number does not count).

    >>> is_time("2020-03-09 10:14:33"), is_time("3/25/2020 9:15"), is_time("33.5")
    (True, True, False)
    """
    text = text.strip()
    if len(text) > LONGEST or _NUMBER.match(text):
        return False
    try:
        parse_time(text, month_first=bool(month_first([text])))
    except (ValueError, OverflowError):
        return False
    return True


def is_date(text: str) -> bool:
    """Tell whether a cell holds a date without a time of day.

    >>> is_date("16.12.2006"), is_date("16.12.2006 17:24"), is_date("17:24:00")
    (True, False, False)
    """
    text = text.strip()
    return is_time(text) and bool(_ISO_DATE.match(_date(text, False)))


def is_time_of_day(text: str) -> bool:
    """Tell whether a cell holds a time of day without a date.

    >>> is_time_of_day("17:24:00"), is_time_of_day("5:24 PM"), is_time_of_day("17")
    (True, True, False)
    """
    match = _TIME_OF_DAY.match(text.strip()[: LONGEST + 1])
    return match is not None and int(match[1]) <= 24


class DateOrder:
    """Learns from dates with slashes or hyphens, row by row, whether the month or the day stands first.

    A number above 12 is a day. So is the number that goes up by one from a date of several rows to the next.
    """

    def __init__(self) -> None:
        self.month_first: bool | None = None
        """None as long as every date may be read both ways."""
        self._last = (0, 0)
        self._several = False

    def see(self, text: str) -> bool | None:
        """Take a cell or a whole row; return what is known by now."""
        match = SLASHED.search(text) if self.month_first is None else None
        if not match:
            return self.month_first
        date, last = (int(match[1]), int(match[3])), self._last
        if (date[0] > 12) != (date[1] > 12):
            self.month_first = date[1] > 12
        elif self._several and date in ((last[0], last[1] + 1), (last[0] + 1, last[1])):
            self.month_first = date[0] == last[0]
        self._several, self._last = date == last, date
        return self.month_first


def month_first(texts: Iterable[str]) -> bool | None:
    """Tell whether dates with slashes or hyphens have the month first, by the first evidence; None without any.

    >>> month_first(["1/2/2024", "1/13/2024"]), month_first(["16/12/2006 17:24"]), month_first(["1/2/2024"])
    (True, False, None)
    >>> month_first(["1/2/2024 23:00", "1/2/2024 23:30", "1/3/2024 0:00"])
    True
    """
    order = DateOrder()
    return next((known for text in texts if (known := order.see(text)) is not None), None)


def stamp(moment: float) -> str:
    """A moment as ISO 8601 text, UTC, milliseconds.

    >>> stamp(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
