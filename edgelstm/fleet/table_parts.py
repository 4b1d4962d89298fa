"""Long tables with an asset column, split in one pass into a file an asset; a table is never held as a whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.sources.arrow_table import read_blocks
from edgelstm.runtime.sources.csv_dialect import BLANK
from edgelstm.runtime.sources.csv_table import CsvTable
from edgelstm.runtime.sources.line_reader import file_magic
from edgelstm.runtime.sources.record_table import open_path

from .places import Place, fetch

BLOCK, ARROW_BLOCK = 10_000, 65_536  # rows that are sorted by asset at a time
BUFFER = 32 << 20  # bytes of rows that wait to be written
MOST_ASSETS = 200_000
PARTS, INDEX = ".fleet/parts", "index.json"


def column_names(url: str) -> tuple[str, ...]:
    """Names of a file's columns.

    Raises:
        SeriesError: If it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
        path = fetch(url, Path(folder))
        return open_path(path).names


def split_table(files: Sequence[str], by: str, home: Place) -> list[tuple[str, list[str]]]:
    """Split a long table by asset; a table that has not changed is split once.

    Args:
        files: Addresses of the table's files, in order.
        by: Name of the asset column.
        home: The fleet's folder, which gets the parts.

    Returns:
        Name and files of each asset.

    Raises:
        SeriesError: If there is no such column.
    """
    folder = f"{PARTS}/{_fingerprint(files, by)}"
    index = home.read(f"{folder}/{INDEX}")
    if index is None:
        index = json.dumps(_split(files, by, home, folder)).encode()
        home.write(f"{folder}/{INDEX}", index)
    names: dict[str, str] = json.loads(index)
    return [(asset, [_address(home, f"{folder}/{name}")]) for asset, name in names.items()]


def _split(files: Sequence[str], by: str, home: Place, folder: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as temporary:
        parts = _Parts(Path(temporary))
        for url in files:
            for asset, head, rows in _rows_by_asset(url, by):
                parts.take(asset, head, rows)
        parts.flush()
        for asset, path in parts.paths.items():
            home.write(f"{folder}/{quote(asset, safe='')}.csv", path.read_bytes())
    return {asset: f"{quote(asset, safe='')}.csv" for asset in sorted(parts.paths)}


class _Parts:
    """Files of the assets, which grow together; few are open at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[str, Path] = {}
        self._heads: dict[str, bytes] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._size = 0

    def take(self, asset: str, head: bytes, rows: bytes) -> None:
        """Take some rows of an asset.

        Args:
            asset: Its name.
            head: The header, with its line's end.
            rows: Lines.
        """
        if asset not in self.paths:
            if len(self.paths) == MOST_ASSETS:
                raise SeriesError(f"A table holds at most {MOST_ASSETS:,} assets. Is --by the right column?")
            self.paths[asset] = self.folder / str(len(self.paths))
            self._heads[asset] = head
            rows = head + rows
        elif self._heads[asset] != head:
            raise SeriesError(
                f"The files of the table have different columns: {_shown(self._heads[asset])} and {_shown(head)}."
            )
        self._waiting.setdefault(asset, []).append(rows)
        self._size += len(rows)
        if self._size > BUFFER:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        for asset, blocks in self._waiting.items():
            with self.paths[asset].open("ab") as stream:
                stream.writelines(blocks)
        self._waiting, self._size = {}, 0


def _shown(head: bytes) -> str:
    return head.decode().strip()[:200]


def _rows_by_asset(url: str, by: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Asset, header and rows of each block of a table."""
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
        path = fetch(url, Path(folder))
        table = open_path(path)
        table.time()  # a header row is settled by then
        if by not in table.names:
            raise SeriesError(f"{url} has no column {by!r}; it has {', '.join(table.names)}. Name it with --by.")
        yield from _arrow_rows(path, url, by) if file_magic(path) else _text_rows(table, by)


def _text_rows(table: CsvTable, by: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Rows of a text table, their cells as they are written."""
    separator = table.dialect.separator
    separator = ";" if separator in ("", BLANK) else separator
    place = table.names.index(by)
    head = _lines([[name for name in table.names if name != by]], separator)
    rows = table.rows()
    while block := list(islice(rows, BLOCK)):
        grouped: dict[str, list[list[str]]] = {}
        for number, cells in block:
            asset = cells.pop(place).strip()
            if not asset:
                raise table.error(number, f"the asset column {by!r} is empty")
            grouped.setdefault(asset, []).append(cells)
        for asset, own in grouped.items():
            yield asset, head, _lines(own, separator)


def _arrow_rows(path: Path, url: str, by: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Rows of a Parquet or Arrow table, sorted by asset and written as text by Arrow: eight times as fast as cell by cell."""
    import numpy as np
    import pyarrow as pa

    for block in read_blocks(str(path), url, ARROW_BLOCK):
        names = block.column(by)
        if names.null_count:
            raise SeriesError(f"The asset column {by!r} of {url} has empty cells. Fill them, or leave the rows out.")
        codes = names.cast(pa.string()).combine_chunks().dictionary_encode()
        indices = codes.indices.to_numpy()
        flat = [
            field.name
            for field in block.schema
            if field.name != by and not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type)
        ]
        rest = block.select(flat).take(pa.array(np.argsort(indices, kind="stable")))
        counts = np.bincount(indices, minlength=len(codes.dictionary))
        head, first = _arrow_text(rest.slice(0, 0), header=True), 0
        for asset, count in zip(codes.dictionary.to_pylist(), counts.tolist(), strict=True):
            yield asset.strip(), head, _arrow_text(rest.slice(first, count), header=False)
            first += count


def _arrow_text(table: Any, header: bool) -> bytes:
    import pyarrow.csv as arrow_csv

    buffer = io.BytesIO()
    arrow_csv.write_csv(table, buffer, arrow_csv.WriteOptions(include_header=header, quoting_style="needed"))
    return buffer.getvalue()


def _lines(rows: Iterable[Sequence[str]], separator: str) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()


def _fingerprint(files: Sequence[str], by: str) -> str:
    """Hash of what a store says of the files: address, size, time or tag."""
    facts: list[Any] = [by]
    for url in files:
        place = Place(url)
        info = place.system.info(place.path())
        known = {
            key: str(info[key]) for key in ("size", "mtime", "ETag", "etag", "md5Hash", "LastModified") if key in info
        }
        facts.append([url, known])
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _address(home: Place, name: str) -> str:
    return home.path(name) if home.is_local else str(home.system.unstrip_protocol(home.path(name)))
