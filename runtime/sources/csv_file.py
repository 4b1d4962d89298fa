"""A file or standard input as a source of samples."""

from __future__ import annotations

import csv
import itertools
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event as Flag

from ..errors import SeriesError, ShapeError
from ..io.timestamps import SLASHED, DateOrder
from .column_mapping import Columns, Parse
from .csv_dialect import BLANK, MOST_LINES, sniff
from .csv_rows import file_layout, layout
from .line_reader import read_lines
from .live import LiveSource
from .sample import Sample

MOST_DATES = 100_000  # rows that may be read to tell American dates; training looks as far


class PipeSource(LiveSource):
    """Standard input as it comes, for as long as it comes: a bad line is counted, said once and passed over.

    Args:
        columns: Which columns feed the model.

    Raises (while reading):
        SeriesError, ShapeError: If not one line fits the model.
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns, "standard input", clock=None)

    def __iter__(self) -> Iterator[Sample]:
        yield from self.rows.samples(read_lines("-", self._stop, self.rows.pass_over))
        if self.rows.error is not None and not self.rows.row:
            raise self.rows.error


class TextSource:
    """CSV or JSON lines, from a file (gzipped or not) or from standard input, one row at a time.

    Args:
        path: File name, `-` for standard input.
        columns: Which columns feed the model.

    Raises (while reading):
        SeriesError: With the number of the line, if the file or a row cannot be read.
        ShapeError: If channels are missing.
    """

    def __init__(self, path: Path | str, columns: Columns) -> None:
        self.name = "standard input" if str(path) == "-" else str(path)
        self.path, self.columns = path, columns
        self.replayable = str(path) != "-"
        self._stop = Flag()

    skipped = 0

    def __iter__(self) -> Iterator[Sample]:
        parse = parse_file if is_regular(self.path) else parse_lines
        return parse(read_lines(self.path, self._stop), self.columns, self.name)

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        self._stop.set()


def is_regular(path: Path | str) -> bool:
    """Whether lines can be read ahead without waiting for them: of a file, not of a pipe."""
    try:
        return stat.S_ISREG(os.stat(0 if str(path) == "-" else path).st_mode)
    except OSError:
        return False


def parse_lines(lines: Iterable[str], columns: Columns, origin: str) -> Iterator[Sample]:
    """Samples from lines of CSV or JSON as they come; blank lines are passed over.

    Raises:
        SeriesError: With the number of the line.
        ShapeError: If channels are missing.

    >>> [(sample.row, sample.values) for sample in parse_lines(["flow,motor", "1,2"], Columns(("motor",)), "x")]
    [(0, [2.0])]
    """
    parse: Parse | None = None
    row = 0
    for at, line in enumerate(lines, 1):
        if not line or line.isspace():
            continue
        try:
            if parse is None:
                parse, header = layout(line, columns, origin)
                if header:
                    continue
            values, time, label = parse(line)
        except (SeriesError, ShapeError) as error:
            raise located(error, origin, at) from error
        yield Sample(values, time, row, label)
        row += 1


def parse_file(lines: Iterable[str], columns: Columns, origin: str) -> Iterator[Sample]:
    """Samples of a whole file: what training reads of it, in whatever form, is read here too.

    Raises:
        SeriesError: With the number of the line.
        ShapeError: If channels are missing.

    >>> lines = ["Logger 5", "time;flow;motor", "1/13/2024 1:00 PM;1.234,5;2"]
    >>> [(sample.time, sample.values) for sample in parse_file(lines, Columns(("flow",)), "x")]
    [(1705150800.0, [1234.5])]
    """
    lines = iter(lines)
    head = list(itertools.islice(lines, MOST_LINES))
    dialect = None if _is_json(head) else sniff(head)
    if dialect is None:
        yield from parse_lines(itertools.chain(head, lines), columns, origin)
        return
    american = _american(head, lines)
    try:
        reader, skip = file_layout(dialect, columns, origin, american)
    except ShapeError as error:
        raise located(error, origin, dialect.skip) from error
    rows = _cells(itertools.chain(head, lines), skip, dialect.separator, origin)
    for row, (at, cells) in enumerate(rows):
        try:
            values, time, label = reader.row(cells)
        except SeriesError as error:
            raise located(error, origin, at) from error
        yield Sample(values, time, row, label)


def _is_json(head: Sequence[str]) -> bool:
    """Whether rows are JSON; a section's name in brackets is not."""
    first = next((line.strip() for line in head if line.strip()), "")
    if not first.startswith("["):
        return first.startswith("{")
    try:
        return isinstance(json.loads(first), list)
    except (ValueError, RecursionError):
        return False


def _american(head: list[str], lines: Iterator[str]) -> bool | None:
    """Whether dates have the month first; where the first ones do not tell, lines are read until one does.

    Args:
        head: The first lines, extended by those that are read.
        lines: The later ones.
    """
    order = DateOrder()
    for line in head:
        order.see(line)
    while order.month_first is None and len(head) < MOST_DATES and head and SLASHED.search(head[-1]):
        later = next(lines, None)
        if later is None:
            break
        head.append(later)
        order.see(later)
    return order.month_first


def _cells(lines: Iterator[str], skip: int, separator: str, origin: str) -> Iterator[tuple[int, list[str]]]:
    """Cells of each row that is not blank, with the number of its last line; a quoted cell may hold line ends."""
    rest = itertools.islice(lines, skip, None)
    if separator == BLANK:
        yield from ((at, line.split()) for at, line in enumerate(rest, skip + 1) if line.strip())
        return
    reader = csv.reader(rest, delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cells) and not "".join(cells).isspace():
                yield skip + reader.line_num, cells
    except csv.Error as error:
        raise located(SeriesError(f"not a row of cells ({error})"), origin, skip + reader.line_num) from error


def located(error: SeriesError | ShapeError, origin: str, line: int) -> SeriesError | ShapeError:
    """The error with the number of its line."""
    return (
        SeriesError(f"{origin}, line {line}: {error}.")
        if isinstance(error, SeriesError)
        else ShapeError(f"{error} (line {line})")
    )
