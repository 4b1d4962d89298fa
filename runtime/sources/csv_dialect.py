"""Dialect of a CSV file: separator, decimal mark, and where its rows begin; for training and the device alike."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..errors import SeriesError
from ..io.timestamps import is_time
from .csv_cells import SWITCHES, is_number, number, unit_of

MOST_LINES = 200  # from which the dialect is guessed
SEPARATORS = "\t;|,"  # the comma last: in files with another separator it is a decimal mark
BLANK = " "  # any number of them, or of tabs
COMMENT = "#"
LOGGER = "TOA5"  # begins the first line of a Campbell logger's files, which may be as wide as its rows
_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d*)\.\d+([eE][+-]?\d+)?$")
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+([eE][+-]?\d+)?$")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,]\d{3})+(?:[.,]\d+)?$")
_MARKED = re.compile(r"[+-]?[\d.,]+$")
Numbered = tuple[int, list[str]]
"""Cells of a row, with the number of lines read until its end."""


@dataclass(frozen=True)
class Dialect:
    """Dialect and beginning of one file of text."""

    separator: str
    """One character; a blank stands for any number of them."""
    decimal: str
    """Point or comma."""
    thousands: str
    """Mark that groups thousands; empty where nothing does."""
    names: tuple[str, ...]
    """Name of each column, made up where there is no header."""
    first: tuple[str, ...]
    """Cells of the first row that could be a header."""
    header: bool
    """True if it is one."""
    skip: int
    """Lines before the first row of data: preamble, header, units."""
    comments: bool
    """True if lines that begin with # stand between the rows, as in annotated CSV; they are passed over."""
    rows: tuple[tuple[str, ...], ...]
    """Cells of the first rows of data."""


def sniff(lines: Sequence[str]) -> Dialect | None:
    """Find out how a file is written, from its first lines; None if they are blank.

    Raises:
        SeriesError: If a line of names stands over rows of more cells.

    >>> dialect = sniff(["# Logger 5", "Zeit;Druck", "0;1,5", "1;1.234,5"])
    >>> dialect.separator, dialect.decimal, dialect.thousands, dialect.names, dialect.skip
    (';', ',', '.', ('Zeit', 'Druck'), 2)
    """
    if not any(line.strip() for line in lines):
        return None
    separator = _separator(lines)
    written = _rows(lines, separator)
    if not written:
        return None
    rows = _without_comments(written)
    width = _width(rows)
    first, header = _header(rows, width, separator)
    begin = first + header
    if header:  # up to 3 rows of units and the like below it
        begin = next((at for at in range(begin, min(begin + 4, len(rows))) if _has_values(rows[at])), begin)
    data = [cells for _, cells in rows[begin:]]
    decimal, thousands = _marks([cell for cells in data for cell in cells], separator)
    names = column_names(rows[first][1] if header else [], max(width, len(rows[first][1]) if header else 0))
    lacking = ("",) * (len(names) - width)
    data = [[*cells, *lacking] if len(cells) == width else cells for cells in data]
    return Dialect(
        separator, decimal, thousands, names, tuple(rows[first][1]), header, rows[begin - 1][0] if begin else 0,
        len(rows) < len(written), tuple(map(tuple, data)),
    )  # fmt: skip


def _without_comments(rows: list[Numbered]) -> list[Numbered]:
    """Rows without those that begin with #, unless the last of these is the header: then values follow it at once."""
    plain = [row for row in rows if not row[1][0].startswith(COMMENT)]
    if plain and plain[0][1][0] == LOGGER:
        return plain[1:]
    return plain if plain and not any(map(_is_value, plain[0][1])) else rows


def _is_header(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Tell whether a row holds names: no value at all, or text above a column of values (names may be numbers)."""
    if not any(map(_is_value, cells)):
        return True
    texts = [at for at, cell in enumerate(cells) if cell and number(cell, True) is None and not _is_data(cell)]
    return any(below and all(at < len(row) and _is_value(row[at]) for row in below) for at in texts)


def _header(rows: Sequence[Numbered], width: int, separator: str) -> tuple[int, bool]:
    """Place of the header, and True; of the first row that could be one, and False, where there is none."""
    first = _first(rows, width)
    header = _is_header(rows[first][1], [cells for _, cells in rows[first + 1 : first + 11]])
    if width == 1 or separator == BLANK:  # there prose has as many cells as words
        return first, header
    if header:
        return first - _are_units(rows, first, width), True
    above = _names_above(rows[:first], [cells for _, cells in rows[first:] if len(cells) == width])
    return (first, False) if above is None else (above, True)


def _are_units(rows: Sequence[Numbered], first: int, width: int) -> bool:
    """Tell units that end in empty cells, below more names: both lines are wider than the rows."""
    cells, above = rows[first][1], rows[first - 1][1] if first else []
    return len(above) == len(cells) > width and _are_names(above) and _filled(above) > _filled(cells)


def _names_above(above: Sequence[Numbered], rows: Sequence[Sequence[str]]) -> int | None:
    """The line of names that is not as wide as the rows of data below it; None where there is none.

    Names too many are columns at the end in which nothing was written. With names too few nobody knows which column lacks one.
    """
    block = [at for at, (_, cells) in enumerate(above) if len(cells) == len(above[-1][1])]
    at = next((at for at in block if _are_names(above[at][1])), None)
    if at is None:
        return None
    line, names, cells = above[at][0], _filled(above[at][1]), max(map(_filled, rows))
    if names >= cells:
        return at
    if 2 * names <= cells:  # a title
        return None
    raise SeriesError(
        f"line {line} has {names} names, the rows {cells} cells. Give each column a name, or leave that line out."
    )


def _are_names(cells: Sequence[str]) -> bool:
    """Tell several names side by side, maybe without one for the first column."""
    return _filled(cells) > 1 and all(cells[1 : _filled(cells)]) and not any(map(_is_value, cells))


def _rows(lines: Sequence[str], separator: str) -> list[Numbered]:
    """Cells of each row that is not blank, with the number of lines read until its end."""
    if separator == BLANK:
        rows = [(at, line.split()) for at, line in enumerate(lines, 1)]
    else:
        reader = csv.reader((line + "\n" for line in lines), delimiter=separator, skipinitialspace=True)
        rows = []
        with suppress(csv.Error):
            for cells in reader:
                rows.append((reader.line_num, cells))
    return [(at, [cell.strip() for cell in cells]) for at, cells in rows if any(cell.strip() for cell in cells)]


def _separator(lines: Sequence[str]) -> str:
    """The separator that splits most rows into the same number of cells, two at least."""
    for mark in SEPARATORS:
        rows = _rows(lines, mark)
        if rows and _width(rows) > 1:
            return mark
    last = [line for line in lines if line.strip()][-1]
    return BLANK if len(last.split()) > 1 and not is_time(last) and any(map(_is_value, last.split())) else ","


def _width(rows: Sequence[Numbered]) -> int:
    """Cells that most rows have; 1 when fewer than half of them agree."""
    later = rows[len(rows) // 4 :]
    width, count = Counter(len(cells) for _, cells in later).most_common(1)[0]
    return width if 2 * count > len(later) else 1


def _first(rows: Sequence[Numbered], width: int) -> int:
    """The first row as wide as most: the header, or data. A separator too many at the end of rows widens none."""
    ended = all(cells[-1] == "" for _, cells in rows if len(cells) == width)
    widths = {width, width - ended}
    return next((at for at, (_, cells) in enumerate(rows) if {len(cells), _filled(cells)} & widths), 0)


def _filled(cells: Sequence[str]) -> int:
    """Cells up to the last one that is not empty."""
    return max((at for at, cell in enumerate(cells, 1) if cell), default=0)


def column_names(header: Sequence[str], width: int) -> tuple[str, ...]:
    """Unique names, `column_3` where there is none.

    Args:
        header: Cells of the header, maybe fewer than columns.
        width: Number of columns.
    """
    seen: Counter[str] = Counter()
    names = []
    for at in range(width):
        name = (header[at].lstrip("#").strip() if at < len(header) else "") or f"column_{at + 1}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return tuple(names)


def doubled(header: Sequence[str], wanted: Collection[str]) -> str | None:
    """A wanted name that several columns have, of which not all are wanted as `name`, `name.1` and so on; None if none is.

    Args:
        header: Cells of the header.
        wanted: Names of the columns to take.

    >>> doubled(["time", "flow", "flow"], ["flow"]), doubled(["flow", "flow"], ["flow", "flow.1"])
    ('flow', None)
    """
    counts = Counter(cell.lstrip("#").strip() for cell in header)
    return next((name for name in wanted if not all(f"{name}.{at}" in wanted for at in range(1, counts[name]))), None)


def _marks(cells: Sequence[str], separator: str) -> tuple[str, str]:
    """Decimal mark, and what groups thousands; times and units do not count."""
    cells = [parts[0] if (parts := unit_of(cell)) else cell for cell in cells if not is_time(cell)]
    points = sum(bool(_POINT.match(cell)) for cell in cells)
    commas = [cell for cell in cells if _COMMA.match(cell)]
    if separator == "," and not points and commas and all(map(_THOUSANDS.match, commas)):
        return ".", ","  # "1,234" in an English file
    decimal = "," if len(commas) > points else "."
    other = "." if decimal == "," else ","
    grouped = any(other in cell and _THOUSANDS.match(cell) for cell in cells)
    return decimal, other if grouped and not _contradicts(cells, other) else ""


def _contradicts(cells: Sequence[str], other: str) -> bool:
    """Tell whether the supposed thousands mark stands where it groups nothing."""
    marked = [cell for cell in cells if other in cell and _MARKED.match(cell)]
    return not all(_THOUSANDS.match(cell) for cell in marked)


def _is_value(cell: str) -> bool:
    """Tell whether a cell is a number or a date, as a header's is not."""
    return bool(cell) and (is_number(cell) or is_time(cell) or bool(_COMMA.match(cell)))


def _has_values(row: Numbered) -> bool:
    """Tell whether a row is one of data: a value in it, be it with a unit or a switch's word."""
    return any(map(_is_data, row[1]))


def _is_data(cell: str) -> bool:
    return _is_value(cell) or unit_of(cell) is not None or cell.casefold() in SWITCHES
