"""Parquet and Arrow files as tables, read in blocks of rows: a column keeps the name and the type that the file gives it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import SeriesError
from ..io.extras import load_extra
from .column_mapping import short
from .csv_dialect import MOST_LINES, Dialect, column_names
from .csv_table import CsvTable
from .line_reader import PARQUET, STREAM, file_magic

BLOCK = 10_000  # rows turned into cells at a time


class ArrowTable(CsvTable):
    """A Parquet file, or Arrow's file or stream format (Feather), as a table of cells.

    Members of a structure are columns called by their path, `bearing.temperature`. Lists, maps and bytes are text.

    Args:
        path: Of the file.
        origin: Its name, for errors.

    Raises:
        ConfigError: If the extra `parquet` is missing.
        SeriesError: If the file is damaged, or holds no rows.
    """

    def __init__(self, path: Path | str, origin: str) -> None:
        self.origin, self.skip = origin, 0
        self._head, self._lines = [], iter(())
        self._arrow = load_extra("parquet", "pyarrow")
        self._read_only: Collection[int] | None = None
        self._blocks = self._read(str(path))
        self._first = next(self._blocks, None)
        if self._first is None:
            raise SeriesError(f"{origin} holds no rows. Give a file with one row a sample.")
        names, rows = self._first
        self.header, self.names = tuple(names), column_names(names, len(names))
        self.dialect = Dialect("", ".", "", self.names, self.names, True, 0, False, tuple(rows[:MOST_LINES]))

    def read_only(self, positions: Collection[int]) -> None:
        """As `CsvTable.read_only`; columns that nobody reads are not turned into text, from the second block on."""
        self._read_only = positions

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Cells of each row with its number from 1, as `CsvTable.rows`; to be taken once."""
        count, first = 0, [] if self._first is None else [self._first]
        self._first = None
        for _, rows in chain(first, self._blocks):
            for count, cells in enumerate(rows, count + 1):  # noqa: B020
                yield count, list(cells)

    def _read(self, path: str) -> Iterator[tuple[list[str], list[tuple[str, ...]]]]:
        """Names and cells of each block of rows."""
        for block in read_blocks(path, self.origin):
            cells = [
                self._cells(column) if self._read_only is None or at in self._read_only else [""] * len(column)
                for at, column in enumerate(block.columns)
            ]
            yield block.column_names, list(zip(*cells, strict=True))

    def _cells(self, column: Any) -> list[str]:
        """A column as text that every reader of cells understands."""
        types = self._arrow.types
        if types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        if types.is_null(kind):
            return [""] * len(column)
        if types.is_timestamp(kind):
            zone = "Z" if kind.tz else ""  # with a zone, Arrow keeps UTC
            column = column.cast(self._arrow.timestamp("us", kind.tz), safe=False)  # finer ones are cut
            moments = column.cast(self._arrow.timestamp("us")).to_numpy().astype("datetime64[us]").astype(str)
            return ["" if moment == "NaT" else moment + zone for moment in moments.tolist()]
        if types.is_duration(kind):
            seconds = column.cast(self._arrow.duration("us"), safe=False).cast("int64").to_pylist()
            return ["" if value is None else repr(value / 1e6) for value in seconds]
        if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            return [str(kind)] * len(column)
        if types.is_boolean(kind):
            column = column.cast("int8")
        return ["" if value is None else str(value) for value in column.to_pylist()]

    def error(self, line: int, reason: str, remedy: str = "") -> SeriesError:
        """As `CsvTable.error`, for a row of this file."""
        return SeriesError(f"{self.origin}, row {line}: {reason}.{' ' * bool(remedy)}{remedy}")

    def __repr__(self) -> str:
        return f"ArrowTable({self.origin}: {short(self.names)})"


def read_blocks(path: str, origin: str, rows: int = BLOCK) -> Iterator[Any]:
    """Rows of a Parquet or Arrow file as Arrow tables, members of structures as columns of their own.

    Args:
        path: Of the file.
        origin: Its name, for errors.
        rows: Most rows of a table.

    Raises:
        ConfigError: If the extra `parquet` is missing.
        SeriesError: If the file is damaged.
    """
    arrow = load_extra("parquet", "pyarrow")
    try:
        for batch in _batches(path, arrow, rows):
            for at in range(0, batch.num_rows, rows):
                block = arrow.Table.from_batches([batch.slice(at, rows)])
                while any(arrow.types.is_struct(column.type) for column in block.schema):
                    block = block.flatten()
                yield block
    except (arrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SeriesError(f"{origin} cannot be read ({reason}). Write the file anew.") from error


def _batches(path: str, arrow: Any, rows: int) -> Iterator[Any]:
    magic = file_magic(path)
    if magic == PARQUET:
        with load_extra("parquet", "pyarrow.parquet").ParquetFile(path) as file:
            yield from file.iter_batches(rows)
        return
    ipc = load_extra("parquet", "pyarrow.ipc")
    with arrow.memory_map(path) as source:
        if magic == STREAM:
            yield from ipc.open_stream(source)
            return
        reader = ipc.open_file(source)
        yield from map(reader.get_batch, range(reader.num_record_batches))
