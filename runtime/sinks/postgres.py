"""Sink that fills tables of PostgreSQL or TimescaleDB (`pip install edgelstm[postgres]`)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Address
from ..io.extras import load_extra
from ..io.postgres import Database, DatabaseError, PostgresOptions
from ..io.timestamps import is_epoch, parse_time
from .delivery import LONGEST_WAIT, DeliveryError, Stream

EVENT_TABLE = """
CREATE TABLE {table} (
    model text NOT NULL, id text NOT NULL, kind text, state text, start timestamptz, "end" timestamptz,
    start_value double precision, end_value double precision, peak double precision, channels text[], reason text,
    text text, PRIMARY KEY (model, id)
)
"""
LATER_COLUMN = "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS text text"
"""Column of the events that tables of earlier versions lack."""
SCORE_TABLE = """
CREATE TABLE {table} (
    time timestamptz NOT NULL, model text NOT NULL, seq bigint NOT NULL, row bigint, label text, score double precision,
    threshold double precision, anomaly boolean, status text, contribution jsonb, PRIMARY KEY (model, time, seq)
)
"""
FORECAST_TABLE = """
CREATE TABLE {table} (
    time timestamptz NOT NULL, model text NOT NULL, target text NOT NULL, seq bigint NOT NULL, forecast double precision,
    lower double precision, upper double precision, interval_percent integer, reliable boolean,
    PRIMARY KEY (model, target, time)
)
"""
EVENT = """
INSERT INTO {table} AS kept VALUES (%(model)s, %(id)s, %(kind)s, %(state)s, to_timestamp(%(start_date)s),
    to_timestamp(%(end_date)s), %(start)s, %(end)s, %(peak)s, %(channels)s, %(reason)s, %(text)s)
ON CONFLICT (model, id) DO UPDATE SET state = excluded.state, "end" = excluded."end", end_value = excluded.end_value,
    peak = excluded.peak, channels = excluded.channels, reason = excluded.reason, text = excluded.text
    WHERE kept.state = 'open'
"""
SCORE = """
INSERT INTO {table} VALUES (to_timestamp(%(date)s), %(model)s, %(seq)s, %(row)s, %(time)s, %(score)s, %(threshold)s,
    %(anomaly)s, %(status)s, %(contribution)s) ON CONFLICT DO NOTHING
"""
FORECAST = """
INSERT INTO {table} AS kept VALUES (to_timestamp(%(date)s), %(model)s, %(target)s, %(seq)s, %(forecast)s, %(lower)s, %(upper)s,
    %(interval_percent)s, %(reliable)s)
ON CONFLICT (model, target, time) DO UPDATE SET seq = excluded.seq, forecast = excluded.forecast, lower = excluded.lower,
    upper = excluded.upper, interval_percent = excluded.interval_percent, reliable = excluded.reliable
    WHERE kept.seq <= excluded.seq
"""
_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,40}$")


@dataclass(frozen=True)
class PostgresSinkOptions(PostgresOptions):
    """Place of the tables."""

    schema: str = "public"
    """Schema of the tables."""
    prefix: str = "edgelstm_"
    """Beginning of their names: PREFIXevent, PREFIXscore and, of a forecaster, PREFIXforecast."""

    def __post_init__(self) -> None:
        """Check the names, too.

        Raises:
            ConfigError: As `PostgresOptions`, or if one is none.
        """
        super().__post_init__()
        if not _PREFIX.match(self.prefix) or not self.schema:
            raise ConfigError(f"prefix is small letters, digits and _, and schema a name; received {self.prefix!r}.")


class PostgresDelivery:
    """Writer of records in one transaction a batch; a repeated record changes nothing.

    Args:
        address: Server and database.
        options: Login, schema and names of the tables, which are made where they are missing.
        stream: Says whether there are forecasts.

    Raises:
        ConfigError: If psycopg is missing, or the address names no database.
    """

    Options = PostgresSinkOptions
    longest_wait = LONGEST_WAIT

    def __init__(self, address: Address, options: PostgresSinkOptions, stream: Stream) -> None:
        self._database, self.options, self.name = Database(address, options), options, address.name
        self._sql = load_extra("postgres", "psycopg.sql")
        self._ready = False
        self._tables = {"event": (EVENT_TABLE, EVENT, _event), "score": (SCORE_TABLE, SCORE, _score)}
        if stream.targets:
            self._tables["forecast"] = (FORECAST_TABLE, FORECAST, _forecast)

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        try:
            with self._database.cursor() as cursor:
                for name, (table, statement, rows_of) in self._tables.items():
                    if not self._ready:
                        self._make(cursor, name, table)
                    rows = [row for record in records if record["type"] == name for row in rows_of(record)]
                    if rows:
                        cursor.executemany(self._statement(statement, name), rows)
        except DatabaseError as error:
            self._ready = False
            raise DeliveryError(str(error)) from error
        self._ready = True
        return len(records)

    def _statement(self, text: str, name: str) -> Any:
        return self._sql.SQL(text).format(table=self._sql.Identifier(self.options.schema, self.options.prefix + name))

    def _make(self, cursor: Any, name: str, text: str) -> None:
        """Make a table, unless it is there: then no right to make any is needed."""
        cursor.execute(
            "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = %s",
            [self.options.schema, self.options.prefix + name],
        )
        if cursor.fetchone() is None:
            cursor.execute(self._statement(text, name))
        elif name == "event":
            self._complete(cursor)

    def _complete(self, cursor: Any) -> None:
        """Add the column that a table of an earlier version lacks."""
        cursor.execute(
            "SELECT 1 FROM information_schema.columns WHERE table_schema = %s AND table_name = %s AND column_name = 'text'",
            [self.options.schema, f"{self.options.prefix}event"],
        )
        if cursor.fetchone() is None:
            cursor.execute(self._statement(LATER_COLUMN, "event"))

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: events about models come as records."""

    def stop_waiting(self) -> None:
        """End a request that is under way."""
        self._database.stop()

    def close(self) -> None:
        """Disconnect."""
        self._database.close()


def _event(record: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("model", "id", "kind", "state", "start", "end", "peak", "channels", "reason", "text")
    row = {name: _clean(record.get(name)) for name in names}
    dates = {f"{name}_date": row[name] if _is_date(row[name]) else None for name in ("start", "end")}
    return [{**row, **dates}]


def _score(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A score as a row; one without a date stands at its number of seconds, or of its row, after 1970."""
    names = ("model", "seq", "row", "time", "score", "threshold", "anomaly", "status")
    row = {name: _clean(record.get(name)) for name in names}
    date = float(record.get("row") or 0)
    with suppress(ValueError, OverflowError, TypeError):
        date = parse_time(str(record["time"])) if record.get("time") else date
    contribution = record.get("contribution")
    text = None if contribution is None else json.dumps(_clean(contribution))
    return [{**row, "date": date if abs(date) < 2e11 else 0.0, "contribution": text}]


def _forecast(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A forecast as one row a moment and target; the newest forecast of a moment is kept."""
    common = {name: _clean(record[name]) for name in ("model", "seq", "interval_percent")}
    return [
        {"lower": None, "upper": None, **common, "target": _clean(target), "reliable": record["quality"]["reliable"]}
        | {"date": record["first"] + step * record["step"], **dict(zip(parts, values, strict=True))}
        for target, parts in record["targets"].items()
        for step, values in enumerate(zip(*parts.values(), strict=True))
    ]


def _is_date(value: Any) -> bool:
    return isinstance(value, float) and is_epoch(value)


def _clean(value: Any) -> Any:
    """A value without the characters that PostgreSQL's texts cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return value
