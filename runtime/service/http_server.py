"""Small HTTP server in a thread of its own, which slow and many clients cannot hold up.

Every connection gets one request, one answer, and a deadline for both together. When too many are open, the oldest is
closed: a client that is quick is answered, however many are slow.
"""

from __future__ import annotations

import asyncio
import logging
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


class HttpServer:
    """Server of small requests.

    Args:
        host: Address to listen on.
        port: Port; 0 for a free one.
        answer: Function that answers a request, quickly.

    Raises:
        OSError: If the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
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
        server.close()
        for writer in self._open.values():
            writer.transport.abort()
        self._loop.run_until_complete(asyncio.gather(*self._open, *self._ending, return_exceptions=True))
        self._loop.close()

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
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = _parsed(head, str((writer.get_extra_info("peername") or ("",))[0]))
            if length := _content_length(request):
                request = request._replace(body=await reader.readexactly(length))
            response = self._safe_answer(request)
        except OverflowError:
            request, response = None, Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"Content too long\n")
        except asyncio.LimitOverrunError:
            request, response = None, Response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"Request too long\n")
        except ValueError:
            request, response = None, Response(HTTPStatus.BAD_REQUEST, b"Not a request\n")
        writer.transport.set_write_buffer_limits(0)  # drained means: handed to the kernel to the last byte
        writer.write(_written(response, with_body=request is None or request.method != "HEAD"))
        await writer.drain()

    def _safe_answer(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Exception:
            log.exception("Live page: %s %s failed", request.method, request.target)
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


def _content_length(request: Request) -> int:
    """Return the bytes of a POST's content.

    Raises:
        ValueError: If that is no number.
        OverflowError: If they are too many.
    """
    if request.method != "POST":
        return 0
    length = int(request.headers.get("content-length", "0"))
    if not 0 <= length <= LONGEST_BODY:
        raise OverflowError(length)
    return length


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
