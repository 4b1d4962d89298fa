"""Source that polls a table of PostgreSQL or TimescaleDB by a key that grows (`pip install edgelstm[postgres]`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..errors import ConfigError, SeriesError, ShapeError
from ..io.addresses import Address
from ..io.extras import load_extra
from ..io.postgres import Database, DatabaseError, PostgresOptions
from .column_mapping import Columns
from .polled import MOST_ALIKE, PolledSource, whole_groups
from .record_rows import RecordRows
from .sample import Sample
from .time_columns import time_name

log = logging.getLogger("edgelstm")
BATCH = 1000  # rows asked for at once
STARTS = ("new", "all")
LONGEST_CELL = 64  # characters taken of a text
# The server refuses the whole question where one number has no place in a float8
NUMERIC = "CASE WHEN abs({0}) <= 1e308 THEN CASE WHEN abs({0}) < 1e-300 THEN 0 ELSE {0}::float8 END END"
COLUMNS = """
SELECT n.nspname, c.relname, a.attname, t.typcategory, format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 2000
"""
# Rows of one key in an order of their own, so that a resumed reading finds those that were handed out at the same places
QUESTION = """
SELECT {key}::text, {cells} FROM {table} AS t WHERE {key} IS NOT NULL AND {after} AND {due} ORDER BY {order} LIMIT %s OFFSET %s
"""
# A row from the future would hide all that come after it: it waits for its time.
DUE = {
    "timestamp with time zone": "now() - {settle}",
    "timestamp without time zone": "(now() AT TIME ZONE 'UTC') + interval '1 day'",
    "date": "current_date + 1",
}


@dataclass(frozen=True)
class PostgresSourceOptions(PostgresOptions):
    """Settings of a polled table."""

    table: str = ""
    """Name of the table or view, with its schema where need be."""
    key: str = ""
    """Column that grows from row to row: a time of insertion or a number, best with an index."""
    time: str = ""
    """Column with the time of the sample; empty for the key where that is a time, or the first column that is one."""
    every: float = 1.0
    """Seconds between looks for new rows."""
    start: str = "new"
    """Without a kept state: `new` for rows from now on, `all` for those that are there, too."""
    settle: float = 0.0
    """Seconds for which a row with a time as its key is left alone, so that slower writers may come before it."""

    def __post_init__(self) -> None:
        """Check the names, too.

        Raises:
            ConfigError: As `PostgresOptions`, or if one is missing.
        """
        super().__post_init__()
        if not self.table or not self.key:
            raise ConfigError(
                "A PostgreSQL source needs table=NAME and key=COLUMN, a column that grows from row to row."
            )
        if self.start not in STARTS:
            raise ConfigError(f"start is {' or '.join(STARTS)}; received {self.start!r}.")
        if self.every <= 0 or self.settle < 0:
            raise ConfigError(f"every is positive, settle not negative; received {self.every:g} and {self.settle:g}.")


class Position(NamedTuple):
    """Place in a table."""

    key: str | None
    """Greatest key of which all rows were handed out; None for the table's beginning."""
    handed: int
    """Rows handed out after those."""


class PostgresSource(PolledSource):
    """Samples of a table's new rows, in the order of the key.

    Args:
        address: Server and database.
        options: Login, table, key.
        columns: Columns that feed the model.

    Raises (while reading):
        SeriesError: If there is no such table or key at the start.
        ShapeError: If the table lacks a channel.
    """

    def __init__(self, address: Address, options: PostgresSourceOptions, columns: Columns) -> None:
        super().__init__(columns, f"{address.name}?table={options.table}", options.every, DatabaseError)
        self.columns, self.options = columns, options
        self.position: Position | None = None
        """Place of the reading; None before the first look at the table."""
        self._database = Database(address, options)
        self._query: _Query | None = None

    def resume(self, position: Any) -> None:
        """Go on where the reading was at a position, as it was or as JSON keeps it; passed over if it is none."""
        try:
            key, handed = position
        except (TypeError, ValueError):
            return
        if (key is None or isinstance(key, str)) and isinstance(handed, int) and handed >= 0:
            self.position = Position(key, handed)

    @property
    def skipped(self) -> int:
        """Rows that could not be read."""
        return self.rows.bad

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        super().close()
        self._database.stop()

    def _hang_up(self) -> None:
        self._database.close()

    def _failed(self, error: DatabaseError) -> None:
        if (
            not error.lost and self.position is None
        ):  # the first question already: a name is wrong, or a right is lacking
            raise SeriesError(f"{self.name}: {error}. Check table=, key= and the user's rights.")
        if not self._stop.is_set():
            self._stop.wait(self._attempts.failed(str(error)))
        if not error.lost:
            self._query = None  # the table may have changed

    def _next_page(self) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
        with self._database.cursor() as cursor:
            if self._query is None:
                self._query = _Query(cursor, self.options, self.columns, self.name)
            if self.position is None:
                self.position = Position(self._query.newest(cursor) if self.options.start == "new" else None, 0)
            return self._query.after(cursor, self.position)

    def _samples(self, records: list[tuple[str, dict[str, Any]]]) -> Iterator[Sample]:
        assert self._query is not None
        rows = self._query.rows
        for at, (key, record) in enumerate(records):
            if self._stop.is_set():
                return
            assert self.position is not None
            last = at + 1 == len(records) or records[at + 1][0] != key
            self.position = Position(key, 0) if last else Position(self.position.key, self.position.handed + 1)
            try:
                row = rows.parse(record)
            except (SeriesError, ShapeError) as error:
                self.rows.pass_over(error)
                continue
            yield self.rows.sample(row)


class _Query:
    """Questions to one table, made from its columns."""

    def __init__(self, cursor: Any, options: PostgresSourceOptions, columns: Columns, name: str) -> None:
        self.options, self._sql = options, load_extra("postgres", "psycopg.sql")
        cursor.execute(COLUMNS, [options.table])
        table = cursor.fetchall()
        kinds = {column: (category, kind) for _, _, column, category, kind in table}
        if not table:
            raise SeriesError(f"{name}: there is no such table, or no right to see it. Check table= and the database.")
        for wanted in filter(None, (options.key, options.time, columns.time)):
            if wanted not in kinds:
                raise SeriesError(f"{name} has no column {wanted} (its columns: {', '.join(kinds)[:200]}).")
        time = options.time or columns.time or _time_column(kinds, options.key)
        self.rows = RecordRows(replace(columns, time=time), name, lambda record: record)
        self._names = self._chosen(columns, list(kinds), time, name)
        self._table = self._sql.Identifier(*table[0][:2])
        # with the table's alias: a bare name in ORDER BY would be the text that is selected
        self._key, self._kind = self._sql.Identifier("t", options.key), kinds[options.key][1]
        self._cells = [self._cell(column, *kinds[column]) for column in self._names]

    def _chosen(self, columns: Columns, present: list[str], time: str | None, name: str) -> list[str]:
        """The table's columns that are read."""
        if columns.is_long(present):
            assert columns.resampling is not None
            names = [*columns.resampling.keys, *columns.resampling.values]
        elif set(columns.names) <= set(present):
            names = list(columns.names)
        else:
            raise columns.lacking(present, name)
        return list(dict.fromkeys([*names, *([time] if time else [])]))

    def _cell(self, column: str, category: str, kind: str) -> Any:
        """A column as a number, a time in ISO 8601, or the beginning of a text."""
        form = {
            "N": NUMERIC if kind.startswith("numeric") else "{}::float8",
            "B": "{}::int::float8",
            "D": """to_char({}, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
        }.get(category, f"left({{}}::text, {LONGEST_CELL})")
        if kind in ("date", "money") or kind.startswith(("time ", "interval")):
            form = f"left({{}}::text, {LONGEST_CELL})"
        return self._sql.SQL(form).format(self._sql.Identifier("t", column))

    def newest(self, cursor: Any) -> str | None:
        """The greatest key that is due, None for an empty table."""
        sql = self._sql
        question = "SELECT {key}::text FROM {table} AS t WHERE {due} ORDER BY {key} DESC LIMIT 1"
        cursor.execute(sql.SQL(question).format(key=self._key, table=self._table, due=self._due()))
        row = cursor.fetchone()
        return None if row is None else str(row[0])

    def after(self, cursor: Any, position: Position) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
        """The next rows, each with its key, and whether there may be more.

        Rows with the same key come together: the ones at the end of a full batch, which others may follow, wait.
        """
        return whole_groups(
            lambda limit: self._ask(cursor, position, limit),
            lambda row: row[0],
            lambda row: DatabaseError(
                f"more than {MOST_ALIKE} rows share the key {row[0]}: take another key", lost=False
            ),
            BATCH,
        )

    def _ask(self, cursor: Any, position: Position, limit: int) -> list[tuple[str, dict[str, Any]]]:
        sql = self._sql
        after = (
            sql.SQL("true") if position.key is None else sql.SQL("{} > {}").format(self._key, self._value(position.key))
        )
        names = {"key": self._key, "table": self._table, "after": after, "due": self._due()}
        cells = sql.SQL(", ").join(self._cells)
        order = sql.SQL(", ").join([self._key, *(sql.Literal(at + 2) for at in range(len(self._cells)))])
        question = sql.SQL(QUESTION).format(**names, cells=cells, order=order)
        cursor.execute(question, [limit, position.handed])
        return [(key, dict(zip(self._names, cells, strict=True))) for key, *cells in cursor]

    def _value(self, position: str) -> Any:
        return self._sql.SQL("{}::{}").format(self._sql.Literal(position), self._sql.SQL(self._kind))

    def _due(self) -> Any:
        form = DUE.get(self._kind)
        if form is None:
            return self._sql.SQL("true")
        settle = self._sql.SQL("make_interval(secs => {})").format(self._sql.Literal(self.options.settle))
        return self._sql.SQL("{} <= " + form).format(self._key, settle=settle)


def _time_column(kinds: dict[str, tuple[str, str]], key: str) -> str | None:
    """The key, or else the first column of a type that is a moment, or that is called like a time."""
    moments = [column for column, (_, kind) in kinds.items() if kind.startswith("timestamp")]
    return key if key in moments else moments[0] if moments else time_name(list(kinds))
