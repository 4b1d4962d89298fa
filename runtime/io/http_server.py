"""Small HTTP server in a thread of its own, which slow and many clients cannot hold up.

Every connection gets one request, one answer, and a deadline for both together. When too many are open, the oldest is
closed: a client that is quick is answered, however many are slow. Content is read once the request's head has been admitted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

log = logging.getLogger("edgelstm")
CONNECTIONS = 64  # open at once
DEADLINE = 10.0  # seconds from the connection to the end of the answer
LONGEST_HEAD = 1 << 14  # bytes of a request's head
LONGEST_BODY = 1 << 12  # bytes of its content
LINGER, LINGER_BYTES = 1.0, 8 << 20  # seconds and bytes for which content is thrown away that nobody will read
MOST_TRAILERS = 20  # lines after chunked content
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}$")
_DIGITS = re.compile(r"[0-9]{1,15}$")


class Request(NamedTuple):
    """A request."""

    method: str
    """GET, HEAD and so on."""
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """Values by name in lower case."""
    peer: str
    """The client's address."""
    body: bytes = b""
    """Content of a POST."""


@dataclass(frozen=True)
class Response:
    """An answer."""

    status: HTTPStatus
    """Its status."""
    body: bytes
    """Its content."""
    kind: str = "text/plain; charset=utf-8"
    """Media type of the content."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""


def admit_all(request: Request) -> Response | None:
    """Admit any request."""
    return None


class HttpServer:
    """Server of requests, one at a time.

    Args:
        host: Address to listen on.
        port: Port; 0 for a free one.
        answer: Function that answers a request, quickly.
        admit: Function that is asked before content is read; its answer, where it gives one, ends the request.
        longest_body: Bytes of a request's content.
        name: Name in messages.

    Raises:
        OSError: If the address cannot be listened on.
    """

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[Request], Response],
        admit: Callable[[Request], Response | None] = admit_all,
        longest_body: int = LONGEST_BODY,
        name: str = "Live page",
    ) -> None:
        self._answer, self._admit, self._longest, self._name = answer, admit, longest_body, name
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, sock=self._socket, limit=LONGEST_HEAD)
        )
        self._loop.run_forever()
        self._loop.run_until_complete(self._shut(server))
        self._loop.close()

    async def _shut(self, server: asyncio.Server) -> None:
        server.close()
        await asyncio.sleep(0)  # connections that were accepted just now begin, or their clients would wait in vain
        while self._open or self._ending:
            for writer in self._open.values():
                writer.transport.abort()
            await asyncio.wait([*self._open, *self._ending])
            await asyncio.sleep(0)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS:
            oldest = next(iter(self._open))
            self._open.pop(oldest).transport.abort()
            self._ending.add(oldest)
        task = self._loop.create_task(self._exchange(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)
        self._ending.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # a client that leaves in the middle, or is too slow, is no news
            with suppress(OSError, asyncio.TimeoutError, asyncio.CancelledError, asyncio.IncompleteReadError):
                await asyncio.wait_for(self._one_request(reader, writer), DEADLINE)
        finally:
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            else:
                writer.close()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, left = None, True
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = _parsed(head, str((writer.get_extra_info("peername") or ("",))[0]))
            response = self._safely(self._admit, request)
            if response is None:
                body = await _body(request, reader, writer, self._longest)
                left, response = False, self._safely(self._answer, request._replace(body=body))
        except OverflowError:
            response = Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"Content too long\n")
        except asyncio.LimitOverrunError:
            response = Response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"Request too long\n")
        except ValueError:
            response = Response(HTTPStatus.BAD_REQUEST, b"Not a request\n")
        response = response or Response(HTTPStatus.INTERNAL_SERVER_ERROR, b"Failed\n")
        writer.transport.set_write_buffer_limits(0)  # drained means: handed to the kernel to the last byte
        writer.write(_written(response, with_body=request is None or request.method != "HEAD"))
        await writer.drain()
        if left:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_discard(reader, writer), LINGER)

    def _safely(self, function: Callable[[Request], Response | None], request: Request) -> Response | None:
        try:
            return function(request)
        except Exception:
            log.exception("%s: %s %s failed", self._name, request.method, request.target)
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, b"Failed\n")


def _parsed(head: bytes, peer: str) -> Request:
    """Take a request's head apart.

    Raises:
        ValueError: If it is none.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    pairs = [line.partition(":") for line in lines if line]
    return Request(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}, peer)


async def _body(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, longest: int) -> bytes:
    """Read a POST's content, of known length or in chunks.

    Raises:
        ValueError: If its length is no number, or a chunk is damaged.
        OverflowError: If it is too long.
    """
    if request.method != "POST":
        return b""
    length = request.headers.get("content-length", "0")
    chunked = request.headers.get("transfer-encoding", "").lower() == "chunked"
    if not _DIGITS.match(length) or ("transfer-encoding" in request.headers and not chunked):
        raise ValueError(length)
    if int(length) > longest:
        raise OverflowError(length)
    if request.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await _chunks(reader, longest) if chunked else await reader.readexactly(int(length))


async def _chunks(reader: asyncio.StreamReader, longest: int) -> bytes:
    """Read content that comes in chunks (RFC 9112, section 7.1).

    Raises:
        ValueError: If it is damaged.
        OverflowError: If it is too long.
    """
    body = bytearray()
    while True:
        size = (await reader.readuntil(b"\n")).partition(b";")[0].strip()
        if not _HEX.match(size):
            raise ValueError(size)
        length = int(size, 16)
        if not length:
            break
        if len(body) + length > longest:
            raise OverflowError(length)
        body += await reader.readexactly(length)
        if await reader.readexactly(2) != b"\r\n":
            raise ValueError(length)
    for _ in range(MOST_TRAILERS):
        if not (await reader.readuntil(b"\n")).strip():
            return bytes(body)
    raise ValueError("trailers")


async def _discard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Throw content away, or closing would reset the connection before the client has read its answer."""
    writer.write_eof()
    read = 0
    while read < LINGER_BYTES:
        block = await reader.read(1 << 16)
        if not block:
            return
        read += len(block)


def _written(response: Response, with_body: bool) -> bytes:
    """Return an answer's bytes."""
    headers = {
        "Content-Type": response.kind,
        "Content-Length": str(len(response.body)),
        "Connection": "close",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (response.body if with_body else b"")


def is_loopback(host: str) -> bool:
    """Tell an address that this machine alone can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
