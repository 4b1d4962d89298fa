"""Questions to a database over HTTP: one connection that is kept, with bounds on the size and the time of an answer."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection

from ..errors import ConfigError, EdgelstmError
from .addresses import Address, read_secret
from .credentials import Login

LARGEST = 8 << 20  # bytes of an answer
CHUNK = 1 << 16  # bytes read at a time
LONGEST_PAUSE = 600.0  # seconds that the other end may ask for
REFUSALS = (400, 401, 403, 404, 405, 422)  # answers that the same question gets again


class QueryError(EdgelstmError):
    """A question without a usable answer.

    Args:
        text: Reason.
        lost: Whether it may be asked again as it is.
        pause: Seconds that the other end asks to wait for.
    """

    def __init__(self, text: str, *, lost: bool, pause: float = 0.0) -> None:
        super().__init__(text)
        self.lost, self.pause = lost, pause


@dataclass(frozen=True)
class QueryOptions(Login):
    """Settings of a connection."""

    token_file: str = ""
    """File whose first line is the API token."""
    token_env: str = ""
    """Environment variable that holds the token instead."""
    ca: str = ""
    """File with the certificates to trust, for TLS; empty for those of the system."""
    timeout: float = 10.0
    """Seconds for a whole answer."""

    def __post_init__(self) -> None:
        """Find what is missing before anything is connected.

        Raises:
            ConfigError: If token, password or certificates cannot be read, or there is more than one.
        """
        super().__post_init__()
        if self.token_file and self.token_env:
            raise ConfigError("A token comes from token-file or token-env, not from both. Leave one out.")
        if self.token_env and self.token_env not in os.environ:
            raise ConfigError(f"The environment has no variable {self.token_env!r} with the token. Set it.")
        read_secret(self.token_file)
        if not 0.1 <= self.timeout <= 600:
            raise ConfigError(f"timeout is 0.1 to 600 seconds; received {self.timeout:g}.")
        context(self.ca)

    def authorization(self, address: Address) -> dict[str, str]:
        """The header that says who asks; none where nobody is named."""
        token = os.environ.get(self.token_env, "") if self.token_env else read_secret(self.token_file)
        user, password = self.of(address)
        if token:
            return {"Authorization": f"Token {token}"}
        if not user:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def context(ca: str) -> ssl.SSLContext:
    """TLS with certificates that are checked.

    Args:
        ca: File with those to trust; empty for those of the system.

    Raises:
        ConfigError: If the file cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        raise ConfigError(f"Cannot read the certificates in {ca}: {error.strerror or error}.") from error


class QueryLine:
    """A connection to a database, opened when it is first used and again after it was lost. Redirects are not followed.

    Args:
        host: Name or address.
        port: Port.
        secure: Whether to use TLS.
        options: Certificates and timeout.
        headers: Of every request.
    """

    def __init__(self, host: str, port: int, secure: bool, options: QueryOptions, headers: Mapping[str, str]) -> None:
        self._timeout, self._headers = options.timeout, {"User-Agent": "edgelstm", **headers}
        self._connection = (
            HTTPSConnection(host, port, timeout=options.timeout, context=context(options.ca))
            if secure
            else HTTPConnection(host, port, timeout=options.timeout)
        )
        self._stopped = self._late = False

    def ask(self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
        """Post a question; return the answer.

        Args:
            path: Path and query of the address.
            body: Content of the request.
            headers: Further headers.

        Raises:
            QueryError: If there is no answer of 200 within its bounds.
        """
        fresh, self._late = self._connection.sock is None, False
        timer = threading.Timer(self._timeout, self._cut)
        timer.daemon = True
        timer.start()
        try:
            try:
                return self._ask(path, body, headers or {})
            except (OSError, HTTPException):
                self._connection.close()
                if fresh or self._stopped or self._late:
                    raise
            return self._ask(path, body, headers or {})  # one that was kept may have been closed: that is no failure
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise QueryError("no whole answer in time" if self._late else _reason(error), lost=True) from error
        finally:
            timer.cancel()

    def _ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        self._connection.request("POST", path, body, {**self._headers, **headers})
        answer = self._connection.getresponse()
        content = self._content(answer)
        if answer.status == 200:
            return content
        text = content[:300].decode("utf-8", "replace").strip()
        pause = answer.headers.get("Retry-After") or ""
        raise QueryError(
            f"answer {answer.status}: {text or answer.reason}",
            lost=answer.status not in REFUSALS,
            pause=min(float(pause), LONGEST_PAUSE) if pause.isascii() and pause.isdigit() else 0.0,
        )

    def _content(self, answer: HTTPResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                self._connection.close()
                raise QueryError(f"an answer of more than {LARGEST >> 20} MiB", lost=True)
        answer.close()
        return b"".join(parts)

    def stop(self) -> None:
        """End a question that is under way; may be called from a signal handler or another thread."""
        self._stopped = True
        self._shut()

    def _cut(self) -> None:
        self._late = True
        self._shut()

    def _shut(self) -> None:
        """Hang up: whoever waits for an answer is told at once, in whichever thread."""
        line = self._connection.sock
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
