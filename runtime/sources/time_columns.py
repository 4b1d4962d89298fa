"""Time columns of a table: told by their cells first, by their names where cells are plain numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise

from ..errors import ConfigError, SeriesError
from ..io.timestamps import DateOrder, is_date, is_epoch, is_time, is_time_of_day, parse_time
from .csv_cells import MISSING, MISSING_WORDS, is_number

TIME_NAMES = (
    "time", "timestamp", "datetime", "date time", "time stamp", "date", "ts", "epoch", "last changed", "last updated",
    "zeitstempel", "zeitpunkt", "zeit", "datum", "uhrzeit", "datum uhrzeit", "datum zeit", "horodatage", "heure",
    "date heure", "fecha", "fecha hora", "hora", "data ora", "tijd", "tijdstip", "index",
)  # fmt: skip
"""Names without their units; the first that a table has is taken."""
_UNITS = frozenset({"s", "ms", "us", "µs", "ns", "sec", "utc", "gmt", "local", "unix", "epoch", "unixtime", "iso"})
_WORD = re.compile(r"[^\W_]+")
_IN_BRACKETS = re.compile(r"[\[(][^\])]*[\])]")
CELLS = 50  # cells of a column that are looked at
SHARE = 0.75  # of them that must be of a kind: a broken cell at the beginning does not hide a column
MOMENT, DATE, CLOCK, EPOCHS, NUMBER, OTHER = "moment", "date", "clock", "epochs", "number", "other"


@lru_cache(1024)
def known_rank(name: str) -> int | None:
    """Place of a name among those that a time usually has, None if it is none of them.

    >>> known_rank("Time (s)"), known_rank("unix_ms"), known_rank("_time"), known_rank("cycle_time")
    (0, 7, 0, None)
    """
    words = _WORD.findall(_IN_BRACKETS.sub(" ", name.casefold()))
    rest = [word for word in words if word not in _UNITS]
    plain = " ".join(rest) or ("epoch" if {"unix", "epoch", "unixtime"} & set(words) else "")
    return TIME_NAMES.index(plain) if plain in TIME_NAMES else None


def time_name(names: Sequence[str]) -> str | None:
    """The name among some that most likely is the time's, None if none is.

    >>> time_name(["Date", "flow", "Time"])
    'Time'
    """
    ranked = [(rank, at) for at, name in enumerate(names) if (rank := known_rank(name)) is not None]
    return names[min(ranked)[1]] if ranked else None


def find_time(
    names: Sequence[str], rows: Sequence[Sequence[str]], wanted: str | None = None, taken: Collection[int] = ()
) -> tuple[int, ...]:
    """Positions of the column that holds the time, or of a date's and a clock's; empty where there is none.

    Args:
        names: Of the columns.
        rows: Cells of the first rows; one is enough.
        wanted: Name of the time column as the user says; None to look for one.
        taken: Positions that are something else.

    Raises:
        ConfigError: If there is no column `wanted`.

    >>> find_time(["Datum", "Uhrzeit", "P"], [["16.12.2006", "17:24", "4,2"]])
    (0, 1)
    >>> find_time(["P", "unix_ms"], [["4.2", "1705150800000"]])
    (1,)
    """
    columns = [[row[at].strip() if at < len(row) else "" for row in rows] for at in range(len(names))]
    kinds = [OTHER if at in taken else _kind(cells) for at, cells in enumerate(columns)]
    if wanted is not None:
        if wanted not in names:
            raise ConfigError(f"There is no time column {wanted!r} (columns: {', '.join(names[:12])}).")
        named = list(names).index(wanted)
        kinds[named] = _kind(columns[named])
        return _joined(named, names, columns, kinds)
    best = _best(names, columns, kinds, taken)
    return () if best is None else _joined(best, names, columns, kinds)


def _kind(cells: Sequence[str]) -> str:
    """Kind of a column by its first cells."""
    cells = [cell for cell in cells if cell.casefold() not in MISSING and cell.casefold() not in MISSING_WORDS][:CELLS]
    for kind, rule in ((DATE, is_date), (CLOCK, _is_clock), (MOMENT, is_time), (EPOCHS, _is_epoch), (NUMBER, _is_time)):
        if cells and sum(map(rule, cells)) >= SHARE * len(cells):
            return kind
    return OTHER


def _is_clock(cell: str) -> bool:
    """Tell whether a cell is a time of day and no number: 19.45 is a temperature."""
    return is_time_of_day(cell) and not is_number(cell)


def _is_time(cell: str) -> bool:
    try:
        parse_time(cell)
    except (ValueError, OverflowError):
        return False
    return True


def _is_epoch(cell: str) -> bool:
    """Tell whether a cell is a number that counts from 1970 and lies between 1990 and 2100."""
    try:
        return is_epoch(float(cell))
    except ValueError:
        return False


def _best(
    names: Sequence[str], columns: Sequence[Sequence[str]], kinds: Sequence[str], taken: Collection[int]
) -> int | None:
    """The column that most likely holds the time.

    Moments under a known name come first, then other moments, dates with a clock, known numbers, other dates, numbers
    since 1970 that never go back, and at last whatever has a known name. What never changes comes after what does.
    """
    has_clock, has_date = CLOCK in kinds, DATE in kinds
    ranked = []
    for at, (name, kind, cells) in enumerate(zip(names, kinds, columns, strict=True)):
        rank = None if at in taken else known_rank(name)
        known = rank is not None
        paired = (kind == DATE and has_clock) or (kind == CLOCK and has_date)
        if kind in (MOMENT, EPOCHS) and known:
            order = 0
        elif kind == MOMENT or paired:
            order = 1 - known
        elif kind in (NUMBER, DATE) and known:
            order = 2
        elif kind == DATE:
            order = 3
        elif kind == EPOCHS and (_rises(cells) or (len(cells) == at + 1 == 1)):
            order = 4
        elif known:
            order = 6
        else:
            continue
        constant = len(cells) > 1 and len(set(cells)) == 1
        ranked.append((order + 5 * constant, len(TIME_NAMES) if rank is None else rank, at))
    return min(ranked)[2] if ranked else None


def _rises(cells: Sequence[str]) -> bool:
    """Tell whether numbers never go back, and go on; of a single one nobody knows."""
    values = [float(cell) for cell in cells if _is_epoch(cell)]
    return values == sorted(values) and values[0] < values[-1]


def _joined(best: int, names: Sequence[str], columns: Sequence[Sequence[str]], kinds: Sequence[str]) -> tuple[int, ...]:
    """A date with the clock or the hour beside it, a clock with its date; any other column alone."""
    if kinds[best] == CLOCK:
        date = next((at for at, kind in enumerate(kinds) if kind == DATE), None)
        return (best,) if date is None else (date, best)
    if kinds[best] != DATE:
        return (best,)
    clock = next((at for at, kind in enumerate(kinds) if kind == CLOCK), None)
    if clock is None:
        hours = (
            at for at, kind in enumerate(kinds) if kind == NUMBER and _is_hour(columns[best], columns[at], names[at])
        )
        clock = next(hours, None)
    return (best,) if clock is None else (best, clock)


def _is_hour(dates: Sequence[str], cells: Sequence[str], name: str) -> bool:
    """Tell whether numbers are the hours of days that stand beside them: they rise within each date, which has several."""
    named = name.casefold().strip() in ("hour", "hr", "hh", "stunde", "heure", "hora", "ora", "uur")
    if not all(cell.isdigit() and int(cell[:3]) <= 24 for cell in cells) or len(set(dates)) == len(dates) > 1:
        return False
    pairs = list(zip(dates, map(int, cells), strict=True))
    rising = all(b[1] == a[1] + 1 if a[0] == b[0] else b[1] <= 1 for a, b in pairwise(pairs))
    return rising and (named or (len(pairs) >= 24 and len(set(dates)) > 1))


class TimeReader:
    """Reads the time of each row from one column, or from a date's and a clock's.

    Args:
        positions: Of the columns; empty for rows without a time.
        names: Of all columns.
        month_first: Whether dates have the month first; None to learn it from the rows.

    >>> TimeReader((0, 1), ["Datum", "Uhrzeit"]).read(["01.01.1970", "00:01"])
    (60.0, '01.01.1970 00:01')
    """

    def __init__(self, positions: Sequence[int], names: Sequence[str], month_first: bool | None = None) -> None:
        self.positions = tuple(positions)
        self.name = " and ".join(names[at] for at in positions)
        self._first = self.positions[0] if positions else 0
        self._order = DateOrder()
        self._order.month_first = month_first

    @property
    def month_first(self) -> bool | None:
        """True if dates have the month first; None where nothing tells."""
        return self._order.month_first

    def read(self, cells: Sequence[str]) -> tuple[float | None, str]:
        """Seconds and the time as written; None and empty text where a row has none.

        Raises:
            SeriesError: If a cell is no time.
        """
        if not self.positions:
            return None, ""
        if len(self.positions) == 1:
            label = cells[self._first].strip()
        else:
            date, clock = (cells[at].strip() for at in self.positions)
            label = f"{date} {clock}:00" if clock.isdigit() else f"{date} {clock}".strip()
        american = "/" in label or "-" in label[1:3]
        return read_time(label, self.name, bool(self._order.see(label)) if american else False), label


def read_time(text: str, name: str, month_first: bool = False) -> float | None:
    """A cell's seconds, None where it is empty or says so.

    Args:
        text: The cell.
        name: Its column, for errors.
        month_first: Whether dates with slashes have the month first.

    Raises:
        SeriesError: If it is no time.
    """
    word = text.casefold()
    if word in MISSING or word in MISSING_WORDS:
        return None
    try:
        return parse_time(text, month_first)
    except (ValueError, OverflowError) as error:
        hint = " without a date" if is_time_of_day(text) else ""
        raise SeriesError(f"column {name}: {text[:40]!r} is not a time{hint}") from error
