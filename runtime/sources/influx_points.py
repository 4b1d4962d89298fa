"""Answers of InfluxDB as points: JSON of InfluxQL, annotated CSV of Flux, and JSON of SQL."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..io.http_query import QueryError

MOST_VALUES = 1_000_000  # of one answer
TOO_MANY = f"an answer of more than {MOST_VALUES} values: choose a series with tags="
FARTHEST = 1 << 63  # nanoseconds from 1970 that InfluxDB can tell
LONGEST_TEXT = 64  # characters taken of a value that is a text
SYSTEM = frozenset({"", "result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement"})
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)?$")


class Point(NamedTuple):
    """Fields of one series at one time."""

    time: int
    """Nanoseconds since 1970."""
    tags: Mapping[str, str]
    """Tags that tell the series."""
    fields: Mapping[str, Any]
    """Numbers, texts and None by field."""


def nanoseconds(written: Any) -> int:
    """A time as InfluxDB writes it, in nanoseconds since 1970, exactly.

    Raises:
        QueryError: If it is none.

    >>> nanoseconds("2023-11-14T22:13:20.000000001Z"), nanoseconds(1700000000000000001), nanoseconds("2023-11-14T22:13:20")
    (1700000000000000001, 1700000000000000001, 1700000000000000000)
    """
    if isinstance(written, int) and not isinstance(written, bool) and -FARTHEST < written < FARTHEST:
        return written
    match = _TIME.match(written) if isinstance(written, str) else None
    try:
        if match:
            moment = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=timezone.utc)
            return int(moment.timestamp()) * 1_000_000_000 + int((match[3] or "0").ljust(9, "0"))
    except ValueError:
        pass
    raise QueryError(f"an answer with the time {str(written)[:40]!r}", lost=True)


def rfc3339(time: int) -> str:
    """A time for a question.

    Args:
        time: Nanoseconds since 1970.

    >>> rfc3339(1700000000000000001)
    '2023-11-14T22:13:20.000000001Z'
    """
    seconds, rest = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def series_of_json(content: bytes) -> list[tuple[list[str], list[list[Any]]]]:
    """Columns and rows of each series in an answer to InfluxQL.

    Raises:
        QueryError: If it is no such answer, or tells an error.
    """
    results = _json(content)
    results = results.get("results") if isinstance(results, dict) else None
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise QueryError("an answer that is not InfluxDB's", lost=True)
    series_of = []
    for result in results:
        if "error" in result:
            raise QueryError(str(result["error"])[:300], lost=False)
        for series in result.get("series") or ():
            columns, rows = series.get("columns"), series.get("values") or []
            if not isinstance(columns, list) or not all(isinstance(r, list) and len(r) == len(columns) for r in rows):
                raise QueryError("an answer with damaged series", lost=True)
            series_of.append(([str(column) for column in columns], rows))
    return series_of


def points_of_rows(rows: Iterable[Mapping[str, Any]], fields: Sequence[str], tags: Sequence[str]) -> list[Point]:
    """Points of rows with a column a field and a tag, and the time in `time`.

    Args:
        rows: Cells by column.
        fields: Names of the fields.
        tags: Names of the tags.
    """
    return [
        Point(
            nanoseconds(row.get("time")),
            {name: str(row[name]) for name in tags if row.get(name) not in (None, "")},
            {name: _plain(row.get(name)) for name in fields},
        )
        for row in rows
    ]


def rows_of_json(content: bytes) -> list[Mapping[str, Any]]:
    """Rows of an answer to SQL: a list of objects.

    Raises:
        QueryError: If it is none.
    """
    rows = _json(content)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise QueryError("an answer that is no list of rows", lost=True)
    return rows


def _json(content: bytes) -> Any:
    _check_size(content)
    try:
        return json.loads(content or b"[]")
    except (ValueError, RecursionError) as error:
        raise QueryError("an answer that is no JSON", lost=True) from error


def tables_of_csv(content: bytes) -> Iterator[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    """Key and rows of each table in an answer to Flux; numbers by the column's data type, `_time` as it is written.

    Raises:
        QueryError: If it is no annotated CSV, or tells an error.
    """
    tables: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    kinds: list[str] = []
    defaults: list[str] = []
    header: list[str] | None = None
    count = 0
    _check_size(content)
    try:
        for cells in csv.reader(content.decode("utf-8").splitlines()):
            if not any(cells):
                header, kinds, defaults = None, [], []
            elif cells[0].startswith("#"):
                header = None
                kinds = cells if cells[0] == "#datatype" else kinds
                defaults = cells if cells[0] == "#default" else defaults
            elif header is None:
                header = cells
            else:
                row = _flux_row(header, cells, kinds, defaults)
                key = tuple(f"{name}={row[name]}" for name in row if name not in SYSTEM or name in ("table", "_field"))
                tables.setdefault(key, []).append(row)
                count += len(header)
                if count > MOST_VALUES:
                    raise QueryError(TOO_MANY, lost=False)
    except (csv.Error, UnicodeDecodeError, ValueError) as error:
        raise QueryError("an answer that is no annotated CSV", lost=True) from error
    yield from tables.items()


def _check_size(content: bytes) -> None:
    """Refuse an answer whose values would take much more memory than its text."""
    if sum(map(content.count, (b",", b"[", b"{", b"\n"))) > MOST_VALUES:
        raise QueryError(TOO_MANY, lost=False)


def _flux_row(header: list[str], cells: list[str], kinds: list[str], defaults: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for at, name in enumerate(header):
        cell = cells[at] if at < len(cells) else ""
        if not cell and at < len(defaults):
            cell = defaults[at]
        row[name] = _flux_cell(cell, kinds[at] if at < len(kinds) else "string")
    if row.get("error"):
        raise QueryError(str(row["error"])[:300], lost=False)
    return row


def _flux_cell(cell: str, kind: str) -> Any:
    if kind in ("double", "long", "unsignedLong"):
        return float(cell) if cell else None
    if kind == "boolean":
        return {"true": 1.0, "false": 0.0}.get(cell)
    return cell


def points_of_tables(tables: Iterable[list[dict[str, Any]]]) -> list[Point]:
    """Points of tables with a field each.

    Args:
        tables: Rows with `_time`, `_field`, `_value` and tags.
    """
    points: dict[tuple[int, tuple[tuple[str, str], ...]], dict[str, Any]] = {}
    for rows in tables:
        for row in rows:
            tags = tuple((name, str(cell)) for name, cell in sorted(row.items()) if name not in SYSTEM and cell)
            fields = points.setdefault((nanoseconds(row.get("_time")), tags), {})
            fields[str(row.get("_field"))] = _plain(row.get("_value"))
    return [Point(time, dict(tags), fields) for (time, tags), fields in points.items()]


def _plain(value: Any) -> Any:
    """A value as a reader of records takes it: numbers as floats, texts of bounded length."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, (bool, int)):
        return float(value)
    return str(value)[:LONGEST_TEXT]
