"""Questions to InfluxDB in its three languages: InfluxQL (1, 2 and 3), Flux (2) and SQL (3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from ..io.http_query import QueryError, QueryLine
from .influx_points import (  # fmt: skip
    Point,
    nanoseconds,
    points_of_rows,
    points_of_tables,
    rfc3339,
    rows_of_json,
    series_of_json,
    tables_of_csv,
)
from .polled import MOST_ALIKE, whole_groups

BATCH = 1000  # rows asked for at once
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True)
class Target:
    """Points that are wanted of a database."""

    bucket: str
    """Bucket or database, with its retention policy behind a slash where there is one."""
    org: str
    """Organization; empty for none."""
    measurement: str
    """Name of the measurement, or table."""
    tags: Mapping[str, str]
    """Tags that a point must carry."""
    settle: float
    """Seconds for which points are left alone."""


class Language(Protocol):
    """A way to ask for points; every method raises `QueryError` where there is no answer."""

    def schema(self) -> tuple[list[str], list[str]]:
        """Names of the fields and of the tags; both empty while there is no such measurement."""

    def newest(self, fields: Sequence[str]) -> int | None:
        """Time of the newest point that is due, in nanoseconds; None without one.

        Args:
            fields: Fields that are asked for.
        """

    def after(self, time: int, fields: Sequence[str], tags: Sequence[str]) -> tuple[list[Point], bool]:
        """Points after a time, whole moments in the order of time, and whether there may be more.

        Args:
            time: Nanoseconds since 1970.
            fields: Fields that are asked for.
            tags: Names of the tags.
        """


class _Rows:
    """Common part of InfluxQL and SQL, whose answers have a row a point, ordered by time."""

    def after(self, time: int, fields: Sequence[str], tags: Sequence[str]) -> tuple[list[Point], bool]:
        """See `Language`."""
        return whole_groups(
            lambda limit: sorted(self._ask(time, fields, tags, limit), key=lambda point: point.time),
            lambda point: point.time,
            lambda _: QueryError(
                f"more than {MOST_ALIKE} points share one time: choose a series with tags=", lost=False
            ),
            BATCH,
        )

    def _ask(self, time: int, fields: Sequence[str], tags: Sequence[str], limit: int) -> list[Point]:
        raise NotImplementedError


class InfluxQl(_Rows):
    """InfluxQL over `/query`.

    Args:
        line: Connection.
        target: Points that are wanted.
    """

    def __init__(self, line: QueryLine, target: Target) -> None:
        self._line, self._target = line, target
        database, _, policy = target.bucket.partition("/")
        self._query = {"db": database, "epoch": "ns", **({"rp": policy} if policy else {})}
        self._from = _quoted(target.measurement)

    def _series(self, question: str) -> list[tuple[list[str], list[list[object]]]]:
        body = urlencode({**self._query, "q": question}).encode()
        return series_of_json(self._line.ask("/query", body, FORM))

    def schema(self) -> tuple[list[str], list[str]]:
        """See `Language`."""
        fields, tags = (
            [str(row[0]) for _, rows in self._series(f"SHOW {kind} KEYS FROM {self._from}") for row in rows if row]
            for kind in ("FIELD", "TAG")
        )
        return fields, tags

    def newest(self, fields: Sequence[str]) -> int | None:
        """See `Language`."""
        names = ", ".join(map(_quoted, fields))
        question = f"SELECT {names} FROM {self._from} WHERE {self._where(None)} ORDER BY time DESC LIMIT 1"
        times = [nanoseconds(row[columns.index("time")]) for columns, rows in self._series(question) for row in rows
                 if "time" in columns]  # fmt: skip
        return max(times, default=None)

    def _ask(self, time: int, fields: Sequence[str], tags: Sequence[str], limit: int) -> list[Point]:
        names = ", ".join(
            [*(f"{_quoted(name)}::field" for name in fields), *(f"{_quoted(name)}::tag" for name in tags)]
        )
        question = f"SELECT {names} FROM {self._from} WHERE {self._where(time)} ORDER BY time ASC LIMIT {limit}"
        wanted = ["time", *fields, *tags]  # the columns' own names differ where a field and a tag are called alike
        points: list[Point] = []
        for columns, rows in self._series(question):
            if len(columns) != len(wanted):
                raise QueryError("an answer with other columns than asked for", lost=True)
            points += points_of_rows((dict(zip(wanted, row, strict=True)) for row in rows), fields, tags)
        return points

    def _where(self, time: int | None) -> str:
        parts = [] if time is None else [f"time > {time}"]
        parts.append(f"time <= now() - {round(1000 * self._target.settle)}ms")
        return " AND ".join([*parts, *(f"{_quoted(k)} = {_text(v)}" for k, v in self._target.tags.items())])


class Sql(_Rows):
    """SQL over `/api/v3/query_sql`.

    Args:
        line: Connection.
        target: Points that are wanted.
    """

    def __init__(self, line: QueryLine, target: Target) -> None:
        self._line, self._target = line, target
        self._from = _doubled(target.measurement)

    def _rows(self, question: str) -> list[Mapping[str, object]]:
        body = json.dumps({"db": self._target.bucket, "q": question, "format": "json"}).encode()
        return rows_of_json(self._line.ask("/api/v3/query_sql", body, JSON))

    def schema(self) -> tuple[list[str], list[str]]:
        """See `Language`."""
        rows = self._rows(
            "SELECT column_name, data_type FROM information_schema.columns "
            f"WHERE table_schema = 'iox' AND table_name = {_single(self._target.measurement)}"
        )
        kinds = {str(row.get("column_name")): str(row.get("data_type")) for row in rows}
        tags = [name for name, kind in kinds.items() if kind.startswith("Dictionary")]
        return [name for name in kinds if name not in (*tags, "time")], tags

    def newest(self, fields: Sequence[str]) -> int | None:
        """See `Language`."""
        some = " OR ".join(f"{_doubled(name)} IS NOT NULL" for name in fields)
        rows = self._rows(f"SELECT max(time) AS time FROM {self._from} WHERE {self._where(None)} AND ({some})")
        times = [nanoseconds(row["time"]) for row in rows if row.get("time") is not None]
        return max(times, default=None)

    def _ask(self, time: int, fields: Sequence[str], tags: Sequence[str], limit: int) -> list[Point]:
        names = ", ".join(map(_doubled, dict.fromkeys(["time", *fields, *tags])))
        some = " OR ".join(f"{_doubled(name)} IS NOT NULL" for name in fields)
        where = f"{self._where(time)} AND ({some})"
        rows = self._rows(f"SELECT {names} FROM {self._from} WHERE {where} ORDER BY time ASC LIMIT {limit}")
        return points_of_rows(rows, fields, tags)

    def _where(self, time: int | None) -> str:
        parts = [] if time is None else [f"time > TIMESTAMP '{rfc3339(time)}'"]
        parts.append(f"time <= now() - INTERVAL '{round(1000 * self._target.settle)} milliseconds'")
        return " AND ".join([*parts, *(f"{_doubled(k)} = {_single(v)}" for k, v in self._target.tags.items())])


class Flux:
    """Flux over `/api/v2/query`.

    The first points of each series and field are asked for, which needs no sorting on the server; up to where the shortest of
    those reach that were cut off, nothing is lacking.

    Args:
        line: Connection.
        target: Points that are wanted.
    """

    def __init__(self, line: QueryLine, target: Target) -> None:
        self._line, self._target = line, target
        self._path = "/api/v2/query" + (f"?{urlencode({'org': target.org})}" if target.org else "")

    def _tables(self, question: str) -> list[list[dict[str, object]]]:
        dialect = {"annotations": ["datatype", "group", "default"], "header": True}
        body = json.dumps({"query": question, "type": "flux", "dialect": dialect}).encode()
        answer = self._line.ask(self._path, body, {**JSON, "Accept": "application/csv"})
        return [rows for _, rows in tables_of_csv(answer)]

    def schema(self) -> tuple[list[str], list[str]]:
        """See `Language`; tags come with the points."""
        question = f'{self._from(0)} |> last() |> keep(columns: ["_field"]) |> group() |> distinct(column: "_field")'
        names = [str(row.get("_value")) for rows in self._tables(question) for row in rows]
        return list(dict.fromkeys(names)), []

    def newest(self, fields: Sequence[str]) -> int | None:
        """See `Language`."""
        tables = self._tables(f"{self._from(0)}{self._only(fields)} |> last()")
        return max((nanoseconds(row.get("_time")) for rows in tables for row in rows), default=None)

    def after(self, time: int, fields: Sequence[str], tags: Sequence[str]) -> tuple[list[Point], bool]:
        """See `Language`."""
        tables = self._tables(f"{self._from(time + 1)}{self._only(fields)} |> limit(n: {BATCH})")
        full = [nanoseconds(rows[-1].get("_time")) for rows in tables if len(rows) >= BATCH]
        points = points_of_tables(tables)
        points.sort(key=lambda point: point.time)
        return [point for point in points if not full or point.time <= min(full)], bool(full)

    def _from(self, start: int) -> str:
        settle = round(1000 * self._target.settle)
        stop = f", stop: -{settle}ms" if settle else ""  # now, where there is none
        wanted = {"_measurement": self._target.measurement, **self._target.tags}
        where = " and ".join(f"r[{_flux(name)}] == {_flux(value)}" for name, value in wanted.items())
        return (
            f"from(bucket: {_flux(self._target.bucket)}) |> range(start: time(v: {start}){stop})"
            f" |> filter(fn: (r) => {where})"
        )

    @staticmethod
    def _only(fields: Sequence[str]) -> str:
        return f" |> filter(fn: (r) => {' or '.join(f'r._field == {_flux(name)}' for name in fields)})"


LANGUAGES: dict[str, type[InfluxQl] | type[Sql] | type[Flux]] = {"influxql": InfluxQl, "flux": Flux, "sql": Sql}


def _quoted(name: str) -> str:
    r"""A name in InfluxQL.

    >>> print(_quoted('a"b\\c'))
    "a\"b\\c"
    """
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _text(value: str) -> str:
    """A text in InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _flux(value: str) -> str:
    r"""A text in Flux.

    >>> print(_flux('a"${b}'))
    "a\"\${b}"
    """
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${").replace("\n", "\\n") + '"'


def _doubled(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _single(value: str) -> str:
    """A text in SQL."""
    return "'" + value.replace("'", "''") + "'"
