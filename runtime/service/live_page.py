"""Live page, `/metrics` for Prometheus and `/healthz`: one self-contained page that asks nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import logging
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..alarms.local_time import zone_name
from ..errors import ConfigError, OutputError
from ..io.http_server import HttpServer, Request, Response, is_loopback
from ..io.token_gate import TokenGate
from ..languages.catalogue import Catalogue, find_catalogue
from ..model_file.bounded_json import load_json
from ..model_file.detection_limits import SECTION, limit_table
from ..page import page_with
from .access_token import page_token
from .config import Settings
from .prometheus import exposition
from .runner import Runner

log = logging.getLogger("edgelstm")
ANSWER = "/api/answer"
SILENCE = 60.0  # seconds without a sample after which a stream with a short period counts as silent


class LivePage:
    """Server of the page, the metrics and the health.

    Args:
        runners: The streams to show.
        settings: Address, token file, trusted proxy, language and time zone.

    Raises:
        ConfigError: If the address cannot be listened on, the proxy's is none, or the language is not known.
        OutputError: If a token is needed and cannot be written.
    """

    def __init__(self, runners: Sequence[Runner], settings: Settings) -> None:
        host, port = _address(settings.listen)
        self.local = is_loopback(host)
        self.token = "" if self.local and not settings.token_file else page_token(settings)
        for runner in runners:
            runner.status.show_sensors()
        words, zone = find_catalogue(settings.language), zone_name(settings.timezone)
        site = _Site(runners, TokenGate(self.token), self.local, _proxy(settings.trusted_proxy), words, zone)
        try:
            self._server = HttpServer(host, port, site.answer)
        except OSError as error:
            raise ConfigError(f"Cannot listen on {settings.listen}: {error.strerror or error}.") from error
        self.port = self._server.port
        log.info("Live page: http://%s:%d/", f"[{host}]" if ":" in host else host, self.port)

    def close(self) -> None:
        """Stop serving."""
        self._server.close()


class _Site:
    """Answers to requests."""

    def __init__(
        self, runners: Sequence[Runner], gate: TokenGate, local: bool, proxy: str, words: Catalogue, zone: str
    ) -> None:
        self.runners, self.gate, self.local, self.proxy, self.words = runners, gate, local, proxy, words
        self.html = page_with("live", {**words.of_pages(), "zone": zone})
        inline = [_hash(self.html, tag) for tag in (b"style", b"script")]
        framing = "'self'" if proxy else "'none'"
        self.policy = (
            f"default-src 'none'; style-src {inline[0]}; script-src {inline[1]}; connect-src 'self'; img-src data:; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {framing}"
        )

    def answer(self, request: Request) -> Response:
        """Answer a request, with the headers that all answers share."""
        response = self._answer(request)
        return replace(response, headers={**response.headers, "Content-Security-Policy": self.policy})

    def _answer(self, request: Request) -> Response:
        parts = urlsplit(request.target)
        methods = ("POST",) if parts.path == ANSWER else ("GET", "HEAD")
        if request.method not in methods:
            allowed_methods = {"Allow": ", ".join(methods)}
            text = f"{' and '.join(methods)} only\n".encode()
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, text, headers=allowed_methods)
        if not self._expects(request.headers.get("host", "")):
            return Response(HTTPStatus.FORBIDDEN, b"Unknown host name\n")
        if parts.path == "/":
            return Response(HTTPStatus.OK, self.html, "text/html; charset=utf-8")
        if parts.path not in ("/healthz", "/metrics", "/api/live", ANSWER):
            return Response(HTTPStatus.NOT_FOUND, b"Not found\n")
        allowed = self._by_proxy(request) or self.gate.allows(request.peer, request.headers.get("authorization", ""))
        if parts.path == "/healthz":
            return self._health(named=allowed)
        if not allowed:
            return self._refusal(request.peer)
        if parts.path == ANSWER:
            return self._take_answer(request)
        if parts.path == "/metrics":
            text = exposition(self.runners).encode()
            return Response(HTTPStatus.OK, text, "text/plain; version=0.0.4; charset=utf-8")
        return Response(HTTPStatus.OK, self._live(dict(parse_qsl(parts.query))), "application/json")

    def _expects(self, host: str) -> bool:
        """Tell whether a request to loopback names loopback: a foreign page must not reach it by a name of its own."""
        try:
            return not self.local or is_loopback(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False

    def _by_proxy(self, request: Request) -> bool:
        """Tell whether a request comes from the trusted proxy, which has asked who the client is."""
        return bool(self.proxy) and request.peer == self.proxy

    def _hosts(self, request: Request) -> set[str]:
        """Return the names under which the client may have reached the page."""
        named = request.headers.get("x-forwarded-host", "") if self._by_proxy(request) else ""
        return {request.headers.get("host", ""), named} - {""}

    def _take_answer(self, request: Request) -> Response:
        """Take a person's answer to an alarm: stream, event and answer, as JSON.

        A page of another site cannot send JSON without asking first, and names its own origin.
        """
        headers = request.headers
        origin = urlsplit(headers.get("origin", "")).netloc
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return Response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, b"Send application/json\n")
        if origin and origin not in self._hosts(request):
            return Response(HTTPStatus.FORBIDDEN, b"Another origin\n")
        try:
            record = load_json(request.body)
            stream = str(record["stream"])
            runner = next(one for one in self.runners if one.name == stream)
            runner.answer(str(record["event"]), str(record["answer"]), "page")
        except StopIteration:
            return Response(HTTPStatus.NOT_FOUND, b"No such stream\n")
        except OutputError as error:
            return Response(HTTPStatus.INSUFFICIENT_STORAGE, f"{error}\n".encode())
        except (ConfigError, ValueError, KeyError, TypeError) as error:
            return Response(HTTPStatus.BAD_REQUEST, f"{error}\n".encode())
        return Response(HTTPStatus.OK, b"{}", "application/json")

    def _refusal(self, peer: str) -> Response:
        wait = self.gate.wait(peer)
        if wait:
            seconds = str(math.ceil(wait))
            return Response(HTTPStatus.TOO_MANY_REQUESTS, b"Too many wrong tokens\n", headers={"Retry-After": seconds})
        return Response(HTTPStatus.UNAUTHORIZED, b"Token missing or wrong\n", headers={"WWW-Authenticate": "Bearer"})

    def _health(self, named: bool) -> Response:
        """Tell whether every stream takes samples and scores them; strangers are not told the streams' names."""
        states = {runner.name: _health(runner) for runner in self.runners}
        well = all(state in ("ok", "ended") for state in states.values())
        body = json.dumps({"ok": well, **({"streams": states} if named else {})}).encode()
        return Response(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, body, "application/json")

    def _live(self, since: dict[str, str]) -> bytes:
        """Return the page's data, with the scores after the numbers that it has already, by stream."""
        numbers = {name: int(text) for name, text in since.items() if re.fullmatch("[0-9]{1,15}", text)}
        pages = [
            {
                **runner.status.page(numbers.get(runner.name, 0)),
                "model": runner.model,
                "limits": _limits(runner, self.words),
                "sinks": _sinks(runner),
                "troubles": runner.troubles,
            }
            for runner in self.runners
        ]
        return json.dumps({"streams": _finite(pages)}, allow_nan=False).encode()


def _finite(value: Any) -> Any:
    """Replace numbers that JSON does not know, such as an infinite score, by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, (list, tuple)) else value


def _health(runner: Runner) -> str:
    status = runner.status
    if status.state != "running":
        return status.state
    limit = max(SILENCE, 10 * (status.period or 0.0))
    age = status.age if status.age is not None else status.uptime
    if age >= limit:
        return "silent"
    return "unscored" if runner.detector.faults.unscored.open else "ok"


def _sinks(runner: Runner) -> list[dict[str, Any]]:
    return [
        {
            "name": sink.name,
            "delivered": sink.delivered,
            "dropped": sink.dropped,
            "waiting": sink.waiting,
            "failure": sink.failure,
        }
        for sink in runner.remote_sinks
    ]


def _limits(runner: Runner, words: Catalogue) -> dict[str, Any] | None:
    """Return the table of the smallest faults that the stream's model finds."""
    metadata = runner.detector.metadata
    table = limit_table(metadata.sections.get(SECTION), metadata.period, words)
    return asdict(table) if table else None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"--listen requires HOST:PORT, such as 127.0.0.1:8377; received {text!r}.")
    return host.strip("[]"), int(port)


def _proxy(text: str) -> str:
    """Return the address of a proxy as the operating system writes it, empty for none."""
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise ConfigError(f"--trusted-proxy requires an IP address, such as 172.30.32.2; received {text!r}.") from None


def _hash(html: bytes, tag: bytes) -> str:
    """Return a content security policy's source for the page's only element of a kind."""
    element = re.search(b"<" + tag + b">(.*?)</" + tag + b">", html, re.DOTALL)
    assert element is not None, "the page has one style and one script"
    return f"'sha256-{base64.b64encode(hashlib.sha256(element.group(1)).digest()).decode()}'"
