"""Source that listens for line protocol over HTTP, as InfluxDB does: Telegraf and others post to it."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from ..errors import ConfigError, SeriesError
from ..io.addresses import Address
from ..io.http_server import HttpServer, Request, Response, is_loopback
from ..io.timestamps import stamp
from ..io.token_gate import TokenGate, read_token
from .column_mapping import Columns, Row
from .live import LiveSource
from .points import MomentRows, PointOptions, PointReader, wanted_tags
from .sample import Sample

log = logging.getLogger("edgelstm")
PORT = 8086  # InfluxDB's own
WRITE = ("/api/v2/write", "/write", "/api/v3/write_lp", "/telegraf", "/")
ALIVE = ("/ping", "/health")  # asked by clients of InfluxDB before they write
LARGEST = 4 << 20  # bytes of a request's content, packed or unpacked
MOST_LINES = 10_000  # of one request: InfluxDB advises as many, Telegraf sends 1,000
WAITING = 10_000  # rows held while the model is busy; then requests are put off
WAIT = 0.1  # seconds between looks at what is due
RETRY = {"Retry-After": "1"}
UNITS = {
    "n": 1e-9, "ns": 1e-9, "nanosecond": 1e-9, "u": 1e-6, "us": 1e-6, "microsecond": 1e-6, "ms": 1e-3,
    "millisecond": 1e-3, "s": 1.0, "second": 1.0, "m": 60.0, "h": 3600.0, "auto": None,
}  # fmt: skip
"""Seconds of the `precision` that InfluxDB 1, 2 and 3 know."""


@dataclass(frozen=True)
class HttpListenerOptions(PointOptions):
    """Settings of a listener."""

    token_file: str = ""
    """File whose first line is the token that senders need; without one, this machine alone can send."""


class HttpListener(LiveSource):
    """Samples of points that others post.

    A request is taken whole before it is answered with 204, or not at all: while `WAITING` rows wait, with 503, and its sender
    keeps it. Lines that cannot be read are passed over; a request of nothing else is answered with 400.

    Args:
        address: Where to listen.
        options: Token, tags, patience.
        columns: Columns that feed the model.

    Raises:
        ConfigError: If the token is missing where others can reach the address, too short or unreadable; while reading, if the
            address cannot be listened on.
    """

    def __init__(self, address: Address, options: HttpListenerOptions, columns: Columns) -> None:
        super().__init__(columns, address.name)
        if not address.host or address.target:
            raise ConfigError(f"{address.name!r} is no place to listen at. Write listen://HOST:PORT")
        token = read_token(options.token_file)
        if not token and not is_loopback(address.host):
            raise ConfigError(f"{self.name} can be reached by other machines. Add token-file=FILE with a secret.")
        self._host, self.port = address.host, PORT if address.port is None else address.port
        self._gate = TokenGate(token, name=self.name)
        self._points = PointReader(columns, self.rows, wanted_tags(options.tags))
        self._moments = MomentRows(len(columns.names), options.wait)
        self._queue: queue.Queue[Row] = queue.Queue()
        self._server: HttpServer | None = None
        self.put_off = 0
        """Requests answered with 503 so far."""
        self.listening = threading.Event()
        """Set once requests are taken."""

    def __iter__(self) -> Iterator[Sample]:
        try:
            self._server = HttpServer(self._host, self.port, self._answer, self._admit, LARGEST, self.name)
        except OSError as error:
            raise ConfigError(f"Cannot listen on {self.name}: {error.strerror or error}.") from error
        self.port = self._server.port
        self.listening.set()
        try:
            while not self._stop.is_set():
                yield from self._next(WAIT)
        finally:
            self._server.close()
        while not self._queue.empty():  # it has been answered for
            yield from self._next(0.0)
        yield from map(self.rows.sample, self._moments.flush())

    def _next(self, timeout: float) -> Iterator[Sample]:
        try:
            finished = self._moments.put(self._queue.get(timeout=timeout))
        except queue.Empty:
            finished = self._moments.due()
        yield from map(self.rows.sample, finished)

    def _admit(self, request: Request) -> Response | None:
        """Refuse a request before its content is read."""
        path = urlsplit(request.target).path
        if path in ALIVE and request.method in ("GET", "HEAD"):
            return Response(HTTPStatus.NO_CONTENT, b"")
        if path not in WRITE:
            return _refusal(HTTPStatus.NOT_FOUND, "not found", f"post to {WRITE[0]}")
        if request.method != "POST":
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed", "POST only", {"Allow": "POST"})
        if "origin" in request.headers:  # a page in a browser of this machine
            return _refusal(HTTPStatus.FORBIDDEN, "forbidden", "web pages may not write")
        if not self._gate.allows(request.peer, request.headers.get("authorization", "")):
            return self._stranger(request.peer)
        if self._queue.qsize() >= WAITING:
            return self._put_off()
        return None

    def _stranger(self, peer: str) -> Response:
        wait = self._gate.wait(peer)
        if wait > 0:
            after = {"Retry-After": str(int(wait) + 1)}
            return _refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", "wrong tokens: wait", after)
        return _refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", "wrong token, or none", {"WWW-Authenticate": "Bearer"})

    def _put_off(self) -> Response:
        self.put_off += 1
        if self.put_off == 1:
            log.warning("%s: points come faster than they are scored; their senders have to wait", self.name)
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "busy: send it again", RETRY)

    def _answer(self, request: Request) -> Response:
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in ("gzip", "identity"):
            return _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "invalid", "gzip or plain content only")
        precision = dict(parse_qsl(urlsplit(request.target).query)).get("precision", "auto")
        if precision not in UNITS:
            return _refusal(HTTPStatus.BAD_REQUEST, "invalid", f"precision is one of {', '.join(UNITS)}")
        try:
            body = unpacked(request.body, LARGEST) if encoding == "gzip" else request.body
            lines = _lines(body.decode("utf-8"))
        except OverflowError:
            text = f"at most {LARGEST} bytes, unpacked, and {MOST_LINES} lines"
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request too large", text)
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, "invalid", f"the content is damaged: {error}")
        return self._take(lines, UNITS[precision])

    def _take(self, lines: list[str], unit: float | None) -> Response:
        """Read a request's lines, and let their rows wait."""
        now = time.time()
        rows: list[Row] = []
        first: SeriesError | None = None
        read = 0
        for line in lines:
            try:
                rows += self._points.read(line, unit)
                read += bool(line.strip())
            except SeriesError as error:
                first = first or error
                self.rows.count(error)  # whoever sends such lines does not end the watch
        if first is not None and not read:
            return _refusal(HTTPStatus.BAD_REQUEST, "invalid", str(first))
        for row in rows:
            self._queue.put(row if row.time is not None else Row(row.values, now, stamp(now)))
        return Response(HTTPStatus.NO_CONTENT, b"")


def unpacked(body: bytes, longest: int) -> bytes:
    """Unpack gzip.

    Args:
        body: Packed.
        longest: Bytes that it may have unpacked.

    Raises:
        ValueError: If it is damaged.
        OverflowError: If it is longer.
    """
    packer = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = packer.decompress(body, longest + 1)
    except zlib.error as error:
        raise ValueError("no gzip") from error
    if len(text) > longest or packer.unconsumed_tail:
        raise OverflowError(longest)
    if not packer.eof or packer.unused_data:
        raise ValueError("a truncated or longer gzip file")
    return text


def _lines(text: str) -> list[str]:
    """Lines of a request; one JSON document is one, however many lines it has.

    Raises:
        OverflowError: If they are too many.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            pass  # JSON lines, or damaged: each is read alone
        else:
            return [text]
    if text.count("\n") > MOST_LINES:
        raise OverflowError(MOST_LINES)
    return text.split("\n")


def _refusal(status: HTTPStatus, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """An answer with InfluxDB's form of an error."""
    body = json.dumps({"code": code, "message": message}).encode()
    return Response(status, body, "application/json", headers or {})
