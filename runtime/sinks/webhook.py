"""Sink that posts each record as JSON to a web address."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Address, read_secret
from ..io.terminal import masked_url
from .delivery import LONGEST_WAIT, DeliveryError, Stream
from .jsonl import compact

REJECTED = frozenset({400, 413, 422})  # the receiver will never take this record: it must not block the others


@dataclass(frozen=True)
class WebhookOptions:
    """Settings of a call."""

    timeout: float = 10.0
    """Seconds for an answer."""
    token_file: str = ""
    """File whose first line is sent as a bearer token."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refusal of redirects: the token and the record are meant for the configured host alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        """Leave the answer a failure.

        Args:
            req: The request.
            fp: The answer's body.
            code: Its status.
            msg: Its reason.
            headers: Its headers.
            newurl: The address that it names.
        """


class WebhookDelivery:
    """Poster of records one by one; an answer of 2xx delivers one, 400, 413 and 422 refuse it for good.

    A redirect is not followed and delivers nothing. Each request has an `Idempotency-Key`, so that a receiver can tell
    a repetition.

    Args:
        address: The web address; user and password in it are sent as basic authentication.
        options: Timeout and token.
        stream: Unused.

    Raises:
        ConfigError: If the address names no host, or the token cannot be read.
    """

    Options = WebhookOptions
    longest_wait = LONGEST_WAIT

    def __init__(self, address: Address, options: WebhookOptions, stream: Stream) -> None:
        self.name, self.options = address.name, options
        self.refused = 0
        self._opener = urllib.request.build_opener(NoRedirects)
        try:
            parts = urllib.parse.urlsplit(address.target)
            host = parts.hostname
        except ValueError as error:
            raise ConfigError(f"{self.name!r} is not an address ({error}).") from error
        if not host:
            raise ConfigError(f"{self.name!r} names no host. Write {address.scheme}://HOST/…")
        self._url = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._headers = {"Content-Type": "application/json", "User-Agent": "edgelstm"}
        token = read_secret(options.token_file)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif parts.username:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        for count, record in enumerate(records):
            try:
                self._post(record)
            except (OSError, HTTPException, ValueError) as error:
                if count:
                    return count
                raise DeliveryError(failure(error)) from error
        return len(records)

    def _post(self, record: dict[str, Any]) -> None:
        headers = {**self._headers, "Idempotency-Key": f"{record['model']}-{record['seq']}"}
        request = urllib.request.Request(self._url, compact(record).encode(), headers, method="POST")
        try:
            self._opener.open(request, timeout=self.options.timeout).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in REJECTED:
                raise
            self.refused += 1

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: events about models come as records."""

    def stop_waiting(self) -> None:
        """Do nothing: each attempt ends by itself."""

    def close(self) -> None:
        """Do nothing: nothing stays open."""


def failure(error: Exception) -> str:
    """Return a failure's reason in words, without the address that some reasons repeat."""
    if isinstance(error, urllib.error.HTTPError) and 300 <= error.code < 400:
        target = masked_url(error.headers.get("Location", "") or "nowhere")
        return f"answer {error.code} redirects to {target}, which is not followed; write the final address"
    if isinstance(error, urllib.error.HTTPError):
        return f"answer {error.code} {error.reason}"
    if isinstance(error, OSError):
        return str(getattr(error, "reason", error)) or type(error).__name__
    return type(error).__name__
