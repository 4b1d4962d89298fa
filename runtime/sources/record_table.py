"""Files of records as tables: JSON lines and InfluxDB line protocol, read by training as CSV files are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import SeriesError
from .csv_dialect import Dialect
from .csv_table import CsvTable
from .file_head import begun, holds_records
from .line_reader import file_magic, read_lines
from .records import as_text, flatten, is_json, parse_json, parse_line_protocol


class RecordTable(CsvTable):
    """A file with a record a line; each value inside a record is a column, called by its path.

    Args:
        lines: Of the file.
        origin: Name of the file, for errors.
        head: Lines before those, read already; one of them is not blank. Columns are what their records hold.

    >>> table = RecordTable([], "a.jsonl", ['{"t": 1, "BME": {"temp": 19.5}}'])
    >>> table.names, list(table.rows())
    (('t', 'BME.temp'), [(1, ['1.0', '19.5'])])
    """

    def __init__(self, lines: Iterable[str], origin: str, head: list[str]) -> None:
        self.origin, self._lines, self._head, self.skip = origin, iter(lines), head, 0
        first = next(line for line in head if line.strip())
        self._parse = parse_json if is_json(first) else _without_measurement
        records = [self._record(at, line) for at, line in enumerate(head, 1) if line.strip()]
        self.names = tuple(dict.fromkeys(name for record in records for name in record))
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
            record: Any = self._parse(line)
        except SeriesError as error:
            raise self.error(at, str(error)) from error
        if isinstance(record, list):
            record = {f"column_{place}": value for place, value in enumerate(record, 1)}
        if not isinstance(record, dict):
            raise self.error(at, f"expected a JSON object or array; received {line[:40]!r}")
        return {path: as_text(leaf) for path, leaf in flatten(record)}


def _without_measurement(line: str) -> dict[str, Any]:
    return {name: value for name, value in parse_line_protocol(line).items() if not isinstance(value, dict)}


def open_path(path: Path) -> CsvTable:
    """Open a file as a table, be it text or a Parquet or Arrow file, by its first bytes.

    Raises:
        SeriesError: If it cannot be read, holds nothing, or is of another kind.
        ConfigError: If it needs an extra that is missing.
    """
    if not file_magic(path):
        return open_table(read_lines(path), path.name)
    from .arrow_table import ArrowTable

    return ArrowTable(path, path.name)


def open_table(lines: Iterable[str], origin: str) -> CsvTable:
    """Open a file's lines as a table, be they cells or records.

    Args:
        lines: Of the file.
        origin: Name of the file, for errors.

    Raises:
        SeriesError: If there is no line that is not blank, or the file is no text.
    """
    head, lines = begun(lines, origin)
    if holds_records(head):
        return RecordTable(lines, origin, head)
    return CsvTable(lines, origin, head)
