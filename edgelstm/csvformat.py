"""How a CSV file is written: encoding, separator, decimal mark, and where its rows begin."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.sources.rows import MISSING
from edgelstm.runtime.timeparse import is_time

PEEK = 1 << 16  # characters that the format is guessed from
MOST_LINES = 200
SEPARATORS = "\t;|,"  # the comma last: in files with another separator it is a decimal mark
BLANKS = r"\s+"
_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d*)\.\d+([eE][+-]?\d+)?$")
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+([eE][+-]?\d+)?$")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,]\d{3})+(?:[.,]\d+)?$")


@dataclass(frozen=True)
class Format:
    """What a reader has to know of one file."""

    encoding: str
    """utf-8-sig, utf-16 or cp1252."""
    separator: str
    """One character, or a pattern of blanks."""
    decimal: str
    """Point or comma."""
    thousands: str | None
    """What groups thousands; None where nothing does."""
    names: tuple[str, ...]
    """Name of each column, made up where there is no header."""
    skip: int
    """Lines before the first row of data: preamble, header, units."""
    preamble: int
    """Lines among them that are neither blank nor header."""


def open_text(path: Path, encoding: str, errors: str = "strict") -> IO[str]:
    """A CSV file as text, unpacked if it is gzipped.

    Raises:
        SeriesError: If it is missing or cannot be opened.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        if packed:
            return io.TextIOWrapper(gzip.open(path), encoding, errors, newline="")
        return path.open("r", encoding=encoding, errors=errors, newline="")
    except FileNotFoundError as error:
        raise SeriesError(f"There is no file {path}. Check the name.") from error
    except OSError as error:
        raise SeriesError(f"Cannot read {path}: {error.strerror or error}.") from error


def sniff(path: Path) -> Format:
    """Find out how a file is written, from its beginning.

    Raises:
        SeriesError: If the file cannot be read or is empty.
    """
    encoding, text = _decoded(path)
    lines = text.splitlines()[: MOST_LINES + 1]
    lines = lines if len(text) < PEEK else lines[:-1] or lines  # the last one may be cut off
    if not any(line.strip() for line in lines):
        raise SeriesError(f"{path} is empty. Give a CSV file with one row a sample.")
    separator = _separator(lines)
    rows = _rows(lines, separator)
    width = _width(rows)
    first = _first(rows, width)
    header = not any(map(_is_value, rows[first][1]))
    begin = first + header
    while header and begin + 1 < len(rows) and not any(map(_is_value, rows[begin][1])) and _has_values(rows[begin + 1]):
        begin += 1  # a row of units below the header
    decimal, thousands = _marks([cell for _, cells in rows[begin:] for cell in cells], separator)
    names = _names(rows[first][1] if header else [], max(width, len(rows[first][1]) if header else 0))
    skip = rows[begin - 1][0] if begin else 0
    preamble = begin - header
    return Format(encoding, separator, decimal, thousands, names, skip, preamble)


def _decoded(path: Path) -> tuple[str, str]:
    with open_text(path, "latin-1") as file:  # a byte a character, whatever they are
        try:
            head = file.read(PEEK).encode("latin-1")
        except (OSError, EOFError) as error:
            raise SeriesError(f"{path} is a truncated or damaged gzip file. Copy it again.") from error
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", head[: len(head) // 2 * 2].decode("utf-16", "replace")
    if b"\0" in head:
        raise SeriesError(f"{path} is no text file. Give a CSV file with one row a sample.")
    try:
        return "utf-8-sig", codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return "cp1252", head.decode("cp1252", "replace")


def _rows(lines: Sequence[str], separator: str) -> list[tuple[int, list[str]]]:
    """Cells of each row that is not blank, with the number of lines read until its end."""
    if separator == BLANKS:
        found = [(at, line.split()) for at, line in enumerate(lines, 1)]
    else:
        reader = csv.reader((line + "\n" for line in lines), delimiter=separator, skipinitialspace=True)
        found = []
        with suppress(csv.Error):
            found = [(reader.line_num, cells) for cells in reader]
    return [(at, [cell.strip() for cell in cells]) for at, cells in found if any(cell.strip() for cell in cells)]


def _separator(lines: Sequence[str]) -> str:
    """The separator that splits most rows into the same number of cells, two at least."""
    for mark in SEPARATORS:
        rows = _rows(lines, mark)
        if rows and _width(rows) > 1:
            return mark
    last = [line for line in lines if line.strip()][-1]
    return BLANKS if len(last.split()) > 1 and not is_time(last) and any(map(_is_value, last.split())) else ","


def _width(rows: Sequence[tuple[int, list[str]]]) -> int:
    """Cells that most rows have; 1 when fewer than half of them agree."""
    later = rows[len(rows) // 4 :]
    width, count = Counter(len(cells) for _, cells in later).most_common(1)[0]
    return width if 2 * count > len(later) else 1


def _first(rows: Sequence[tuple[int, list[str]]], width: int) -> int:
    """The first row as wide as most: the header, or data. A separator too many at the end of rows widens none."""
    ended = all(cells[-1] == "" for _, cells in rows if len(cells) == width)
    widths = {width, width - ended}
    return next(at for at, (_, cells) in enumerate(rows) if {len(cells), len(_stripped(cells))} & widths)


def _stripped(cells: list[str]) -> list[str]:
    """Without empty cells at the end."""
    return cells if not cells or cells[-1] else _stripped(cells[:-1])


def _names(header: Sequence[str], width: int) -> tuple[str, ...]:
    """Unique names, `column_3` where there is none."""
    seen: Counter[str] = Counter()
    names = []
    for at in range(width):
        name = (header[at].lstrip("#").strip() if at < len(header) else "") or f"column_{at + 1}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return tuple(names)


def _marks(cells: Sequence[str], separator: str) -> tuple[str, str | None]:
    """Decimal mark, and what groups thousands."""
    points = sum(bool(_POINT.match(cell)) for cell in cells)
    commas = [cell for cell in cells if _COMMA.match(cell)]
    if separator == "," and not points and commas and all(map(_THOUSANDS.match, commas)):
        return ".", ","  # "1,234" in an English file
    decimal = "," if len(commas) > points else "."
    other = "." if decimal == "," else ","
    grouped = any(other in cell and _THOUSANDS.match(cell) for cell in cells)
    return decimal, other if grouped and not _contradicts(cells, decimal, other) else None


def _contradicts(cells: Sequence[str], decimal: str, other: str) -> bool:
    """Whether the supposed thousands mark stands where it groups nothing."""
    marked = [cell for cell in cells if other in cell and re.match(r"[+-]?[\d.,]+$", cell)]
    return not all(_THOUSANDS.match(cell) for cell in marked)


def _is_value(cell: str) -> bool:
    """Whether a cell is a number or a date, as a header's is not."""
    return bool(cell) and (is_number(cell) or is_time(cell) or bool(_COMMA.match(cell)))


def _has_values(row: tuple[int, list[str]]) -> bool:
    return any(map(_is_value, row[1]))


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number; words for a missing one do not count."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.casefold() not in MISSING
