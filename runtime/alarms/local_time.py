"""Times of a stream as a reader on site writes them.

A source writes its times with a time zone, as seconds since 1970, or as a clock on the wall. The first two are shown in
the zone of the device; the last as they came, for nobody knows their zone.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo

from ..errors import ConfigError

FIRST, LAST = 1e8, 1e11  # seconds since 1970 (1973 to the year 5138); other numbers are counts
_ZONED = re.compile(r"^[\d.eE+]*$|Z$|UTC$|GMT$|[+-]\d\d:?\d\d$")


def is_date(moment: float | None) -> bool:
    """Tell whether a time is a moment in seconds since 1970, and not a count."""
    return moment is not None and FIRST <= moment < LAST


def has_zone(label: str) -> bool:
    """Tell whether a time as its source wrote it names a moment, or counts since 1970.

    >>> has_zone("2026-03-18T10:00:00Z"), has_zone("2026-03-18 10:00:00+01:00"), has_zone("18.03.2026 10:00")
    (True, True, False)
    """
    return bool(_ZONED.search(label.strip()))


def find_zone(name: str) -> tzinfo | None:
    """Return a time zone by its name, None for an empty one: the device's own.

    Raises:
        ConfigError: If there is none of this name.
    """
    if not name:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # most devices never need it

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"There is no time zone {name[:40]!r}. Name one as in Europe/Berlin; a machine without time zones needs tzdata."
        ) from error


def zone_name(name: str) -> str:
    """Return the IANA name of a time zone, empty where the machine has one without a name.

    Args:
        name: Name as of `find_zone`, empty for the device's own.

    >>> zone_name("Europe/Berlin")
    'Europe/Berlin'
    """
    _, _, linked = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    name = name or os.environ.get("TZ", "").lstrip(":") or linked
    return name or ("UTC" if time.tzname == ("UTC", "UTC") else "")


@dataclass(frozen=True)
class Clock:
    """Writer of a stream's times."""

    zone: tzinfo | None = None
    """Zone of the reader; None for the device's own."""
    on_site: bool = False
    """True if the source's times are those of a clock on the wall, without a zone."""
    seconds: bool = True
    """True to write seconds, too."""

    def moment(self, seconds: float) -> datetime:
        """Return a moment as a date with the zone that it is shown in."""
        return datetime.fromtimestamp(seconds, timezone.utc if self.on_site else self.zone)

    def span(self, start: float, end: float | None, date_format: str) -> str:
        """Write a stretch of time; the day once where it is the same.

        Args:
            start: Its beginning, seconds since 1970.
            end: Its end; None while it lasts.
            date_format: Format of a day, as of `strftime`, with `%-d` for a day without a zero.

        >>> Clock(timezone.utc, seconds=False).span(1773828000, 1773828840, "%d.%m.")
        '18.03., 10:00–10:14'
        """
        first = self.moment(start)
        text = f"{_day(first, date_format)}, {self._clock(first)}"
        if end is None:
            return text
        last = self.moment(end)
        if last.date() != first.date():
            return f"{text} – {_day(last, date_format)}, {self._clock(last)}"
        return text if self._clock(last) == self._clock(first) else f"{text}–{self._clock(last)}"

    def _clock(self, moment: datetime) -> str:
        return moment.strftime("%H:%M:%S" if self.seconds else "%H:%M")


def _day(moment: datetime, date_format: str) -> str:
    return moment.strftime(date_format.replace("%-d", str(moment.day)))
