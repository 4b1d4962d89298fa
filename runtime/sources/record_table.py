"""Files of records as tables: JSON lines and InfluxDB line protocol, read by training as CSV files are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import SeriesError
from .csv_dialect import Dialect
from .csv_table import CsvTable
from .file_head import begun, holds_records
from .line_reader import check_rereadable, file_magic, read_lines
from .records import as_text, flatten, is_json, lookup, parse_json, parse_line_protocol


class RecordTable(CsvTable):
    """A file with a record a line; each value inside a record is a column, called by its path.

    Args:
        lines: Of the file.
        origin: Name of the file, for errors.
        head: Lines before those, read already; one of them is not blank. Columns are what their records hold.
        wanted: Paths that are asked for; each that leads to a value in those records is a column, too.

    >>> table = RecordTable([], "a.jsonl", ['{"t": 1, "BME": {"temp": 19.5}}'])
    >>> table.names, list(table.rows())
    (('t', 'BME.temp'), [(1, ['1.0', '19.5'])])
    >>> RecordTable([], "a.jsonl", ['{"s": [{"type": "flow", "v": 2}]}'], ["s.0.v"]).names
    ('s[type=flow].type', 's[type=flow].v', 's.0.v')
    """

    def __init__(self, lines: Iterable[str], origin: str, head: list[str], wanted: Sequence[str] = ()) -> None:
        self.origin, self._lines, self._head, self.skip = origin, iter(lines), head, 0
        first = next(line for line in head if line.strip())
        self._points = not is_json(first)
        self._paths = tuple(wanted)
        records = [self._record(at, line) for at, line in enumerate(head, 1) if line.strip()]
        self.names = tuple(dict.fromkeys(name for record in records for name in record))
        self._paths = tuple(path for path in wanted if path in self.names)
        rows = tuple(tuple(record.get(name, "") for name in self.names) for record in records)
        self.dialect = Dialect("", ".", "", self.names, self.names, True, 0, False, rows)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Cells of each record, with the number of its line; to be taken once.

        Raises:
            SeriesError: With the line, if it is no record.
        """
        for at, line in enumerate(chain(self._head, self._lines), 1):
            if line.strip():
                record = self._record(at, line)
                yield at, [record.get(name, "") for name in self.names]

    def _record(self, at: int, line: str) -> dict[str, str]:
        """Cells by column."""
        try:
            record: Any = parse_line_protocol(line) if self._points else parse_json(line)
        except SeriesError as error:
            raise self.error(at, str(error)) from error
        if isinstance(record, list):
            record = {f"column_{place}": value for place, value in enumerate(record, 1)}
        if not isinstance(record, dict):
            raise self.error(at, f"expected a JSON object or array; received {line[:40]!r}")
        leaves = {name: leaf for name, leaf in record.items() if not isinstance(leaf, dict)} if self._points else record
        cells = {path: as_text(leaf) for path, leaf in flatten(leaves)}
        for path in self._paths:
            present, value = (False, None) if path in cells else lookup(record, path)
            if present and not isinstance(value, (dict, list)):
                cells[path] = as_text(value)
        return cells


def open_path(path: Path, wanted: Sequence[str] = ()) -> CsvTable:
    """Open a file as a table, be it text or a Parquet or Arrow file, by its first bytes.

    Args:
        path: Of the file.
        wanted: Columns that are asked for, where the file holds records: paths to values in them.

    Raises:
        SeriesError: If it cannot be read, or only once; holds nothing, or is of another kind.
        ConfigError: If it needs an extra that is missing.
    """
    check_rereadable(path)
    if not file_magic(path):
        return open_table(read_lines(path), path.name, wanted)
    from .arrow_table import ArrowTable

    return ArrowTable(path, path.name)


def open_table(lines: Iterable[str], origin: str, wanted: Sequence[str] = ()) -> CsvTable:
    """Open a file's lines as a table, be they cells or records.

    Args:
        lines: Of the file.
        origin: Name of the file, for errors.
        wanted: As of `open_path`.

    Raises:
        SeriesError: If there is no line that is not blank, or the file is no text.
    """
    head, lines = begun(lines, origin)
    if holds_records(head):
        return RecordTable(lines, origin, head, wanted)
    return CsvTable(lines, origin, head)
