"""The one front for CSV files: what training and the device read of a table is read here.

The beginning settles the dialect, the names and the time column; then come rows of cells, each with its line's number.
Training makes arrays of all columns, the device takes the model's channels row by row.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ..errors import SeriesError
from ..io.timestamps import SLASHED, DateOrder, parse_time
from .column_mapping import short
from .csv_cells import CellReader
from .csv_dialect import BLANK, COMMENT, MOST_LINES, Dialect, sniff
from .signals import Signal
from .time_columns import TimeReader, find_time

MOST_FOOTER = 20  # lines of words that may follow the last row
MOST_HEAD = 1 << 16  # characters of the first lines that the dialect is guessed from
MOST_DATES, MOST_AHEAD = 100_000, 64 << 20  # rows, and characters, that may be read ahead to tell American dates
CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\v\f\r\x1a\x1b")


class CsvTable:
    """A CSV file: its dialect, its column names, and its rows of cells.

    Args:
        lines: Of the file, without their ends.
        origin: Name of the file, for errors.
        head: Lines before those, read already.

    Raises:
        SeriesError: If there is no line that is not blank, the file is no text, or its rows have more cells than names.

    >>> table = CsvTable(["Logger 5", "Zeit;Druck", "0;1,5"], "a.csv")
    >>> table.names, list(table.rows())
    (('Zeit', 'Druck'), [(3, ['0', '1,5'])])
    """

    def __init__(self, lines: Iterable[str], origin: str, head: Sequence[str] = ()) -> None:
        self.origin = origin
        self._lines = iter(lines)
        self._head = list(head) or read_head(self._lines)
        if any(not CONTROLS.isdisjoint(line) for line in self._head):
            raise SeriesError(f"{origin} is no text file. Give a CSV file with one row a sample.")
        try:
            dialect = sniff(_bounded(self._head))
        except SeriesError as error:
            raise SeriesError(f"{origin}, {error}") from error
        if dialect is None:
            raise SeriesError(f"{origin} is empty, it holds no rows. Give a CSV file with one row a sample.")
        self.dialect: Dialect = dialect
        self.names = dialect.names
        self.header = dialect.first if dialect.header else ()
        self.skip = dialect.skip
        """Lines before the first row."""

    header: Sequence[str] = ()
    """Cells of the header as they are written; empty where there is none."""
    footer: Sequence[str] = ()
    """Lines of words after the last row, known once all rows were taken."""

    def take_header(self, names: Sequence[str]) -> None:
        """Take the first row, of numbers, as the header that it is."""
        self.names, self.header, self.skip = tuple(names), self.dialect.first, self.skip + 1

    def cells(self, missing: Iterable[str] = (), signals: Mapping[str, Signal] | None = None) -> CellReader:
        """A reader of this table's numbers.

        Args:
            missing: Further words for a missing value.
            signals: What is known of columns, by name.
        """
        dialect = self.dialect
        return CellReader(dialect.thousands != ",", dialect.thousands, missing, signals=signals)

    def time(self, wanted: str | None = None, taken: Collection[str] = ()) -> TimeReader:
        """A reader of this table's times.

        Args:
            wanted: Name of the time column as the user says; None to look for one.
            taken: Names of columns that are something else.

        Raises:
            ConfigError: If there is no column `wanted`.
        """
        busy = {at for at, name in enumerate(self.names) if name in taken}
        positions = find_time(self.names, self.dialect.rows, wanted, busy)
        return TimeReader(positions, self.names, self._month_first() if positions else None)

    def _month_first(self) -> bool | None:
        """Find out whether dates have the month first; where the first ones do not tell, read lines until one does."""
        order = DateOrder()
        for line in self._head:
            order.see(line)
        head, left = self._head, MOST_AHEAD
        while order.month_first is None and left > 0 and len(head) < MOST_DATES and head and SLASHED.search(head[-1]):
            later = next(self._lines, None)
            if later is None:
                break
            head.append(later)
            left -= len(later)
            order.see(later)
        return order.month_first

    def read_only(self, positions: Collection[int]) -> None:
        """Name the columns that are read, so that making cells of the others can be saved: they may come empty.

        Cells of a text file are there in any case.
        """

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Cells of each row, as many as there are names, with the number of its last line; to be taken once.

        Blank rows, comments between rows, a repeated header and a footer are passed over.

        Raises:
            SeriesError: With the line, if a row has too many cells or is none.
        """
        width, header = len(self.names), list(self.dialect.first)
        for line, cells in self._without_footer(width):
            if len(cells) != width:
                cells = self._padded(cells, width, line)
            if self.dialect.comments and cells[0].startswith(COMMENT):
                continue
            if cells[-1].strip() == header[-1] and [cell.strip() for cell in cells] == header and self.dialect.header:
                continue
            yield line, cells

    def _written(self) -> Iterator[tuple[int, list[str]]]:
        lines = itertools.islice(itertools.chain(self._head, self._lines), self.skip, None)
        if self.dialect.separator == BLANK:
            yield from ((at, line.split()) for at, line in enumerate(lines, self.skip + 1) if line.strip())
            return
        reader = csv.reader(lines, delimiter=self.dialect.separator, skipinitialspace=True)
        try:
            for cells in reader:
                if any(cells) and not "".join(cells).isspace():
                    yield self.skip + reader.line_num, cells
        except csv.Error as error:
            raise self.error(self.skip + reader.line_num, f"not a row of cells ({error})") from error

    def _without_footer(self, width: int) -> Iterator[tuple[int, list[str]]]:
        """The rows but the words after the last of them, each alone on its line, such as `End of export`."""
        held: list[tuple[int, list[str]]] = []
        for line, cells in self._written():
            if len(cells) == 1 < width and len(held) < MOST_FOOTER and _is_words(cells[0]):
                held.append((line, cells))
                continue
            yield from held
            held.clear()
            yield line, cells
        self.footer = [cells[0].strip() for _, cells in held]

    def notes(self) -> list[str]:
        """Sentences about what was passed over, once all rows were taken."""
        more = f" and {len(self.footer) - 1} more" if len(self.footer) > 1 else ""
        return [f"the line after the last row was passed over: {self.footer[0][:60]!r}{more}"] if self.footer else []

    def _padded(self, cells: list[str], width: int, line: int) -> list[str]:
        if len(cells) > width and any(cells[width:]):
            raise self.error(line, f"{len(cells)} cells under {width} columns ({short(self.names)})")
        return (cells + [""] * width)[:width]

    def error(self, line: int, reason: str, remedy: str = "") -> SeriesError:
        """The error for a line of this file.

        Args:
            line: Its number, from 1.
            reason: What is wrong with it.
            remedy: What to do about it, a sentence.
        """
        return SeriesError(f"{self.origin}, line {line}: {reason}.{' ' * bool(remedy)}{remedy}")


def _is_words(cell: str) -> bool:
    """Tell words from a number or a time.

    >>> [_is_words(cell) for cell in ("End of export", "(6000 rows affected)", "1,5", "2026-03-01 06:00", "")]
    [True, True, False, False, False]
    """
    if not any(map(str.isalpha, cell)):
        return False
    try:
        parse_time(cell)
    except ValueError:
        return True
    return False


def read_head(lines: Iterator[str]) -> list[str]:
    """The first lines, as many as settle how a file is written."""
    head: list[str] = []
    size = 0
    for line in itertools.islice(lines, MOST_LINES):
        head.append(line)
        size += len(line)
        if size > MOST_HEAD:
            break
    return head


def _bounded(head: Sequence[str]) -> list[str]:
    """Lines cut where one alone is longer than all that is looked at."""
    return [line[: 16 * MOST_HEAD] for line in head]
