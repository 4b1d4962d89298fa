"""Connection to PostgreSQL, for sources and sinks (`pip install edgelstm[postgres]`)."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, EdgelstmError
from .addresses import Address, credential
from .credentials import Login
from .extras import load_extra

SCHEMES = ("postgresql", "postgres")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# One form of times and numbers, whatever the server's default is
SESSION = "-c DateStyle=ISO -c TimeZone=UTC -c extra_float_digits=3"


class DatabaseError(EdgelstmError):
    """A failed request.

    Args:
        text: The server's words.
        lost: Whether the connection is gone, too.
    """

    def __init__(self, text: str, *, lost: bool) -> None:
        super().__init__(text)
        self.lost = lost


@dataclass(frozen=True)
class PostgresOptions(Login):
    """Settings of a connection, beside the server's address; the names of TLS are libpq's."""

    sslmode: str = "prefer"
    """`verify-full` checks the server's certificate and its name; `require` encrypts; `prefer` does where the server can."""
    sslrootcert: str = ""
    """File with the certificate authority's certificate."""
    sslcert: str = ""
    """File with this device's certificate."""
    sslkey: str = ""
    """File with that certificate's private key."""
    timeout: float = 30.0
    """Seconds after which an answer counts as lost."""

    def __post_init__(self) -> None:
        """Find what is missing before anything is connected.

        Raises:
            ConfigError: If psycopg or the password is missing, or a setting is unknown.
        """
        super().__post_init__()
        load_extra("postgres", "psycopg")
        if self.sslmode not in SSL_MODES:
            raise ConfigError(f"sslmode is one of {', '.join(SSL_MODES)}; received {self.sslmode!r}.")
        if not 0 < self.timeout <= 3600:
            raise ConfigError(f"timeout is above 0 and at most 3600 seconds; received {self.timeout:g}.")


class Database:
    """A connection, opened when it is first used and again after it was lost.

    Args:
        address: The server's host, port and database.
        options: Login and TLS.

    Raises:
        ConfigError: If the address names no database.
    """

    def __init__(self, address: Address, options: PostgresOptions) -> None:
        if not address.host or not address.target or "/" in address.target:
            raise ConfigError(f"{address.name} names no database. Write postgresql://HOST/DATABASE?table=…")
        self.name, self._address, self._options = address.name, address, options
        self._library = load_extra("postgres", "psycopg")
        self._connection: Any = None

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Give a cursor within one transaction; after a silence of `timeout` the connection is cut.

        Raises:
            DatabaseError: If it cannot be reached, or refuses.
        """
        timer: threading.Timer | None = None
        try:
            connection = self._opened()
            timer = threading.Timer(self._options.timeout, self._cut)
            timer.daemon = True
            timer.start()
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except (self._library.Error, OSError) as error:
            connection = self._connection
            lost = connection is None or connection.closed
            if lost:
                self._drop()
            raise DatabaseError(_reason(error), lost=lost) from error
        finally:
            if timer is not None:
                timer.cancel()

    def _opened(self) -> Any:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        options, address = self._options, self._address
        user, password = options.of(address)
        files = {"sslrootcert": options.sslrootcert, "sslcert": options.sslcert}
        if options.sslkey:
            files["sslkey"] = str(credential(Path(options.sslkey)))
        self._connection = self._library.connect(
            host=address.host, port=address.port or 5432, dbname=address.target, user=user or None,
            password=password or None, sslmode=options.sslmode, connect_timeout=max(2, int(min(options.timeout, 10))),
            application_name="edgelstm", options=SESSION, autocommit=True,
            **{name: path for name, path in files.items() if path},
        )  # fmt: skip
        return self._connection

    def _cut(self) -> None:
        """Hang up: whoever waits for an answer is told at once, in whichever thread."""
        connection = self._connection
        with suppress(Exception), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)  # it may be closed already

    def stop(self) -> None:
        """End a request that is under way; may be called from a signal handler or another thread."""
        self._cut()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def close(self) -> None:
        """Disconnect."""
        self._drop()


def _reason(error: BaseException) -> str:
    """First line of what the server or libpq says, which may have several."""
    text = str(error).strip() or type(error).__name__
    lines = [line.strip() for line in text.splitlines()]
    return lines[0].removesuffix(":")
