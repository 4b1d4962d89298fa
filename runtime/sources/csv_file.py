"""A file, or standard input that is one, as a source of samples."""

from __future__ import annotations

import itertools
import logging
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from threading import Event as Flag

from ..errors import SeriesError, ShapeError
from .column_mapping import Columns, Row
from .csv_rows import file_rows
from .csv_table import CsvTable
from .file_head import begun, holds_records
from .line_reader import file_magic, read_lines
from .sample import Sample
from .time_columns import TimeReader

log = logging.getLogger("edgelstm")
FALLING = 5  # rows from which times that fall from row to row count as an order, newest first


class TextSource:
    """CSV or JSON lines, from a file (gzipped or not) or from standard input, or a Parquet or Arrow file, row by row.

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
        if file_magic(self.path):
            from .arrow_table import ArrowTable

            return parse_table(ArrowTable(self.path, self.name), self.columns)
        parse = parse_file if is_regular(self.path) else parse_lines
        return parse(read_lines(self.path, self._stop), self.columns, self.name)

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        self._stop.set()


def is_regular(path: Path | str) -> bool:
    """Tell whether lines can be read ahead without waiting for them: of a file, not of a pipe."""
    try:
        return stat.S_ISREG(os.stat(0 if str(path) == "-" else path).st_mode)
    except OSError:
        return False


def parse_lines(lines: Iterable[str], columns: Columns, origin: str) -> Iterator[Sample]:
    """Samples from lines of CSV or JSON as they come; blank lines and repeated headers are passed over.

    Args:
        lines: Of the source.
        columns: What the model wants.
        origin: Name of the source, for messages.

    Raises:
        SeriesError: With the number of the line.
        ShapeError: If channels are missing.

    >>> [(sample.row, sample.values) for sample in parse_lines(["flow,motor", "1,2"], Columns(("motor",)), "x")]
    [(0, [2.0])]
    """
    from .stream_rows import StreamRows  # most files are tables

    rows, count = StreamRows(columns, origin), itertools.count()
    for at, line in enumerate(lines, 1):
        try:
            row = rows.read(line)
        except (SeriesError, ShapeError) as error:
            raise located(error, origin, at) from error
        if row is not None:
            yield Sample(row.values, row.time, next(count), row.label)


def parse_file(lines: Iterable[str], columns: Columns, origin: str) -> Iterator[Sample]:
    """Samples of a whole file: what training reads of it, in whatever form, is read here too.

    Args:
        lines: Of the file.
        columns: What the model wants.
        origin: Name of the file, for messages.

    Raises:
        SeriesError: With the number of the line, or if there is no row.
        ShapeError: If channels are missing.

    >>> lines = ["Logger 5", "time;flow;motor", "1/13/2024 1:00 PM;1.234,5;2"]
    >>> [(sample.time, sample.values) for sample in parse_file(lines, Columns(("flow",)), "x")]
    [(1705150800.0, [1234.5])]
    """
    head, lines = begun(lines, origin)
    if holds_records(head):
        yield from parse_lines(itertools.chain(head, lines), columns, origin)
        return
    yield from parse_table(CsvTable(lines, origin, head), columns)


def parse_table(table: CsvTable, columns: Columns) -> Iterator[Sample]:
    """As `parse_file`, from a table of cells."""
    origin = table.origin
    cells = table.cells(columns.missing, columns.by_path)
    try:
        reader = file_rows(table, columns, cells)
    except ShapeError as error:
        raise located(error, origin, table.skip) from error
    count = itertools.count()
    rows = _file_rows(table, reader.row, count)
    moments = _first_moments(table, reader.time)
    backwards = len(moments) >= FALLING and all(a >= b for a, b in pairwise(moments)) and moments[0] > moments[-1]
    if backwards:
        log.warning("%s: its rows stand newest first; they are read in the order of time", origin)
    if backwards or reader.sparse:
        from .long_rows import in_time_order

        yield from in_time_order(rows)
    else:
        untimed = math.nan if moments else None  # in a file with times, a row without one is not counted instead
        for row, (values, time, label) in enumerate(rows):
            yield Sample(values, untimed if time is None else time, row, label)
    if not next(count):
        raise SeriesError(f"{origin} holds no rows. Give one row a sample.")
    for note in (*table.notes(), *cells.notes()):
        log.warning("%s: %s", origin, note)


def _first_moments(table: CsvTable, time: TimeReader | None) -> list[float]:
    """The times of a file's first rows, without those that have none."""
    if time is None:
        return []
    try:
        moments = [time.read(cells)[0] for cells in table.dialect.rows if len(cells) == len(table.names)]
    except SeriesError:
        return []
    return [moment for moment in moments if moment is not None]


def _file_rows(table: CsvTable, read: Callable[[list[str]], Row], count: Iterator[int]) -> Iterator[Row]:
    """Rows of a file, each counted; errors name the line."""
    for line, cells in table.rows():
        next(count)
        try:
            yield read(cells)
        except SeriesError as error:
            raise located(error, table.origin, line) from error


def located(error: SeriesError | ShapeError, origin: str, line: int) -> SeriesError | ShapeError:
    """The error with the number of its line.

    Args:
        error: Without it.
        origin: Name of the file.
        line: From 1.
    """
    return (
        SeriesError(f"{origin}, line {line}: {error}.")
        if isinstance(error, SeriesError)
        else ShapeError(f"{error} (line {line})")
    )
