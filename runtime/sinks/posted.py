"""Common parts of sinks that post compressed batches over HTTP and are told which records are refused."""

from __future__ import annotations

import gzip
import logging
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Address
from .delivery import LONGEST_WAIT, DeliveryError
from .webhook import REJECTED, NoRedirects, failure

log = logging.getLogger("edgelstm")
LONGEST_ANSWER = 10_000  # bytes of an answer that are read
LONGEST_PAUSE = 600.0  # seconds that the other end may ask for


class PostedDelivery:
    """Poster of records, a batch a request.

    Of a batch that the other end refuses (400, 413, 422) each record is sent alone: those that it will never take are counted and said
    once, and do not block the others. Redirects are not followed; `Retry-After` is heeded.

    Args:
        name: Name for messages.
        url: Where to.
        headers: Of every request.
        ca: File with the certificates to trust; empty for those of the system.
        timeout: Seconds for an answer.

    Raises:
        ConfigError: If the certificates cannot be read.
    """

    longest_wait = LONGEST_WAIT

    def __init__(self, name: str, url: str, headers: Mapping[str, str], ca: str, timeout: float) -> None:
        self.name, self._url, self._timeout = name, url, timeout
        self._headers = {"Content-Encoding": "gzip", "User-Agent": "edgelstm", **headers}
        self.refused = 0
        """Records or values that the other end will never take."""
        self._not_before = 0.0
        try:
            context = ssl.create_default_context(cafile=ca or None)
        except OSError as error:
            raise ConfigError(f"Cannot read the certificates in {ca}: {error.strerror or error}.") from error
        self._opener = urllib.request.build_opener(NoRedirects, urllib.request.HTTPSHandler(context=context))

    def encode(self, records: Sequence[dict[str, Any]]) -> bytes:
        """The body of a request; empty where there is nothing to send."""
        raise NotImplementedError

    def accepted(self, answer: bytes) -> None:
        """Take note of the content of an answer of 2xx."""

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        if self._post(records):
            return len(records)
        for count, record in enumerate(records):
            try:
                if not self._post([record]):
                    self.refuse(self._answer or record["type"])
            except DeliveryError:
                if count:
                    return count
                raise
        return len(records)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count what the other end will never take; the first time is logged.

        Args:
            reason: What it says.
            count: Number of records or values.
        """
        if not self.refused:
            shown = "".join(filter(str.isprintable, reason))[:200]
            log.warning("%s: the other end refuses a record for good: %s", self.name, shown)
        self.refused += count

    def _post(self, records: Sequence[dict[str, Any]]) -> bool:
        """Post records; return False where they are refused for good.

        Raises:
            DeliveryError: If there is no such answer.
        """
        body = self.encode(records)
        if not body:
            return True
        if time.monotonic() < self._not_before:
            raise DeliveryError("the other end asks to wait")
        request = urllib.request.Request(self._url, gzip.compress(body, 5), self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                self.accepted(answer.read(LONGEST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                self._answer = error.read(1000).decode("utf-8", "replace")
            if error.code not in REJECTED:
                self._not_before = time.monotonic() + _pause(error.headers.get("Retry-After"))
                raise DeliveryError(failure(error)) from error
            return False
        except (OSError, HTTPException, ValueError) as error:
            raise DeliveryError(failure(error)) from error
        return True

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: events about models come as records."""

    def stop_waiting(self) -> None:
        """Do nothing: each attempt ends by itself."""

    def close(self) -> None:
        """Do nothing: nothing stays open."""


def base_url(address: Address, secure: bool, port: int) -> str:
    """Scheme, host and port of an address.

    Args:
        address: The address.
        secure: Whether to use TLS.
        port: Port where it names none.

    >>> base_url(Address("otlp", "", {}, "::1"), False, 4318)
    'http://[::1]:4318'
    """
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"http{'s' * secure}://{host}:{address.port or port}"


def _pause(text: str | None) -> float:
    """Seconds of a Retry-After header; 0 for a date, or none."""
    return min(float(text), LONGEST_PAUSE) if text and text.isascii() and text.isdigit() else 0.0
