"""A small live page, `/metrics` for Prometheus and `/healthz`: one self-contained page, nothing asked from outside."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import logging
import re
import secrets
import socket
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..errors import ConfigError, OutputError
from ..io.addresses import read_secret
from ..io.atomic_files import write_atomic
from ..io.state_folder import state_folder
from .config import Settings
from .prometheus import exposition
from .runner import Runner

log = logging.getLogger("edgelstm")
PAGE = Path(__file__).with_name("live.html")
CONNECTIONS = 16  # answered at once; more wait
PATIENCE = 10.0  # seconds a client may take for its request
SILENCE = 60.0  # seconds without a sample after which a stream with a short period counts as silent


class LivePage:
    """The server, in threads of its own.

    Args:
        runners: The streams to show.
        settings: Address and token file.

    Raises:
        ConfigError: If the address cannot be listened on.
    """

    def __init__(self, runners: Sequence[Runner], settings: Settings) -> None:
        host, port = _address(settings.listen)
        self.local = _is_loopback(host)
        self.token = "" if self.local and not settings.token_file else _token(settings)
        handler = type("Handler", (_Handler,), {"site": _Site(runners, self.token, self.local)})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise ConfigError(f"Cannot listen on {settings.listen}: {error.strerror or error}.") from error
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="page", daemon=True)
        self._thread.start()
        log.info("Live page: http://%s:%d/", f"[{host}]" if ":" in host else host, self.port)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Site:
    """What the pages hold."""

    def __init__(self, runners: Sequence[Runner], token: str, local: bool) -> None:
        self.runners, self.token, self.local = runners, token, local
        self.html = PAGE.read_bytes()
        inline = [_hash(self.html, tag) for tag in (b"style", b"script")]
        self.policy = (
            f"default-src 'none'; style-src {inline[0]}; script-src {inline[1]}; connect-src 'self'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def allowed(self, header: str) -> bool:
        """Whether a request carries the token."""
        given = header.removeprefix("Bearer ").strip()
        return not self.token or hmac.compare_digest(given.encode(), self.token.encode())

    def expected(self, host: str) -> bool:
        """Whether a request to loopback names loopback: a foreign page must not reach it by a name of its own."""
        name = urlsplit(f"//{host}").hostname or ""
        return not self.local or _is_loopback(name)

    def health(self) -> tuple[HTTPStatus, bytes]:
        """Whether every stream takes samples."""
        states = {runner.name: _health(runner) for runner in self.runners}
        well = all(state in ("ok", "ended") for state in states.values())
        body = json.dumps({"ok": well, "streams": states}).encode()
        return (HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE), body

    def live(self, since: dict[str, str]) -> bytes:
        """What the page shows, with the scores after the numbers that it has already, by stream."""
        numbers = {name: int(text) for name, text in since.items() if text.isdigit()}
        pages = [
            {**runner.status.page(numbers.get(runner.name, 0)), "sinks": _sinks(runner), "troubles": runner.troubles}
            for runner in self.runners
        ]
        return json.dumps({"streams": pages}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Wait for a free place, so that a crowd of clients costs a bounded number of threads."""
        if not self._free.acquire(timeout=PATIENCE):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    site: _Site
    timeout = PATIENCE
    server_version, sys_version = "edgelstm", ""

    def do_GET(self) -> None:
        """Answer one request."""
        parts = urlsplit(self.path)
        if not self.site.expected(self.headers.get("Host", "")):
            self._send(HTTPStatus.FORBIDDEN, b"Unknown host name\n", "text/plain")
        elif parts.path == "/":
            self._send(HTTPStatus.OK, self.site.html, "text/html; charset=utf-8")
        elif parts.path == "/healthz":
            self._send(*self.site.health(), "application/json")
        elif parts.path not in ("/metrics", "/api/live"):
            self._send(HTTPStatus.NOT_FOUND, b"Not found\n", "text/plain")
        elif not self.site.allowed(self.headers.get("Authorization", "")):
            self._send(HTTPStatus.UNAUTHORIZED, b"Token missing or wrong\n", "text/plain")
        elif parts.path == "/metrics":
            text = exposition(self.site.runners).encode()
            self._send(HTTPStatus.OK, text, "text/plain; version=0.0.4; charset=utf-8")
        else:
            self._send(HTTPStatus.OK, self.site.live(dict(parse_qsl(parts.query))), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", self.site.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: the page asks once a second."""


def _health(runner: Runner) -> str:
    status = runner.status
    if status.state != "running":
        return status.state
    limit = max(SILENCE, 10 * (status.period or 0.0))
    age = status.age if status.age is not None else status.uptime
    return "ok" if age < limit else "silent"


def _sinks(runner: Runner) -> list[dict[str, Any]]:
    return [
        {
            "name": sink.name,
            "delivered": sink.delivered,
            "dropped": sink.dropped,
            "waiting": sink.spool.backlog,
            "trouble": sink.trouble,
        }
        for sink in runner.forwarders
    ]


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--listen wants HOST:PORT, such as 127.0.0.1:8377; received {text!r}.")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(settings: Settings) -> str:
    """The token in the file, or a new one in the state folder that later starts find again."""
    if settings.token_file:
        token = read_secret(settings.token_file)
        if len(token) < 16:
            raise ConfigError(f"The token in {settings.token_file} is shorter than 16 characters.")
        return token
    path = state_folder(settings.state_dir) / "token"
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {path.parent}: {error.strerror}.") from error
        write_atomic(path, secrets.token_urlsafe(24).encode() + b"\n", mode=0o600)
    log.info("The live page asks for the token in %s", path)
    return read_secret(str(path))


def _hash(html: bytes, tag: bytes) -> str:
    """A content security policy source for the page's only element of a kind."""
    found = re.search(b"<" + tag + b">(.*?)</" + tag + b">", html, re.DOTALL)
    assert found is not None, "the page has one style and one script"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found.group(1)).digest()).decode()}'"
