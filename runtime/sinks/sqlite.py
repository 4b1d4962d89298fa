"""Sink that fills a SQLite database: a table of events, and one of scores."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import OutputError
from ..io.addresses import Address
from .delivery import LONGEST_WAIT, DeliveryError, Stream

TABLES = """
CREATE TABLE IF NOT EXISTS event (
    model TEXT NOT NULL, id TEXT NOT NULL, kind TEXT, state TEXT, start REAL, "end" REAL, peak REAL,
    channels TEXT, reason TEXT, text TEXT, readings TEXT, PRIMARY KEY (model, id)
);
CREATE TABLE IF NOT EXISTS score (
    model TEXT NOT NULL, seq INTEGER NOT NULL, time TEXT, score REAL, threshold REAL, anomaly INTEGER, status TEXT,
    PRIMARY KEY (model, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forecast (
    model TEXT NOT NULL, seq INTEGER NOT NULL, target TEXT NOT NULL, time TEXT, first REAL, step REAL,
    interval_percent INTEGER, forecast TEXT, lower TEXT, upper TEXT, reliable INTEGER, PRIMARY KEY (model, seq, target)
) WITHOUT ROWID;
"""
LATER_COLUMNS = ("text", "readings")
"""Columns of the events that databases of earlier versions lack."""
EVENT = 'INSERT INTO event (model, id, kind, state, start, "end", peak, channels, reason, text, readings)\
 VALUES (:model, :id, :kind, :state, :start, :end, :peak, :channels, :reason, :text, :readings)\
 ON CONFLICT (model, id) DO UPDATE SET state = :state, "end" = :end, peak = :peak, channels = :channels,\
 reason = :reason, text = :text, readings = :readings WHERE state = \'open\''
SCORE = "INSERT OR REPLACE INTO score VALUES (:model, :seq, :time, :score, :threshold, :anomaly, :status)"

FORECAST = "INSERT OR REPLACE INTO forecast VALUES (:model, :seq, :target, :time, :first, :step, :interval_percent,\
 :forecast, :lower, :upper, :reliable)"


@dataclass(frozen=True)
class SqliteOptions:
    """Limits of the database."""

    keep: int = 1_000_000
    """Newest scores or forecasts kept a model; 0 keeps all. Events are always kept."""


class SqliteDelivery:
    """Writer of records in one transaction a batch; a repeated record changes nothing.

    Args:
        address: Path of the database, made with mode 0600 where it is missing.
        options: Limits.
        stream: Unused.

    Raises:
        OutputError: If it cannot be made, or is no database.
    """

    Options = SqliteOptions
    longest_wait = LONGEST_WAIT

    def __init__(self, address: Address, options: SqliteOptions, stream: Stream) -> None:
        self.name, self.options = address.name, options
        try:
            os.close(os.open(address.target, os.O_RDWR | os.O_CREAT, 0o600))  # its journals take over the mode
            self._base = sqlite3.connect(address.target, timeout=5.0, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(address, error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            raise _unusable(address, error) from error

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        try:
            with self._base:
                for record in records:
                    if record["type"] == "event":
                        self._base.execute(EVENT, _as_row(record))
                    elif record["type"] == "forecast":
                        self._base.executemany(FORECAST, forecast_rows(record))
                    else:
                        self._base.execute(SCORE, record)
                self._forget_old(records[-1])
        except sqlite3.Error as error:
            raise DeliveryError(str(error)) from error
        return len(records)

    def _prepare(self) -> None:
        """Make the tables that are missing, and the columns that an earlier version did not have."""
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.executescript(TABLES)
        self._add_columns()

    def _add_columns(self) -> None:
        present = {row[1] for row in self._base.execute("PRAGMA table_info(event)")}
        for name in LATER_COLUMNS:
            if name not in present:
                self._base.execute(f"ALTER TABLE event ADD COLUMN {name} TEXT")

    def _forget_old(self, newest: dict[str, Any]) -> None:
        if self.options.keep:
            oldest = newest["seq"] - self.options.keep
            for table in ("score", "forecast"):
                self._base.execute(f"DELETE FROM {table} WHERE model = ? AND seq <= ?", (newest["model"], oldest))

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: events about models come as records."""

    def stop_waiting(self) -> None:
        """Do nothing: each attempt ends by itself."""

    def close(self) -> None:
        """Close the database."""
        self._base.close()


def forecast_rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a forecast as one row a target, its values as JSON arrays."""
    reliable = record["quality"]["reliable"]
    return [
        {**record, "target": target, "reliable": reliable}
        | {part: json.dumps(values.get(part)) for part in ("forecast", "lower", "upper")}
        for target, values in record["targets"].items()
    ]


def _unusable(address: Address, error: Exception) -> OutputError:
    return OutputError(f"Cannot use {address.target} as a database: {error}.")


def _as_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its lists as JSON; one that waited since an earlier version has no sentence."""
    lists = {name: json.dumps(record.get(name, []), ensure_ascii=False) for name in ("channels", "readings")}
    return {"text": "", **record, **lists}
