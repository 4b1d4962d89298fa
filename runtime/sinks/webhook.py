"""A webhook: each record is one HTTP POST of JSON."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Spec, read_secret
from .jsonl import compact
from .store_and_forward import LONGEST_WAIT, DeliveryError

SENSELESS = frozenset({400, 413, 422})  # the receiver will never take this record: it must not block the others


@dataclass(frozen=True)
class WebhookOptions:
    """How a webhook is called."""

    timeout: float = 10.0
    """Seconds for an answer."""
    token_file: str = ""
    """File whose first line is sent as a bearer token."""


class WebhookDelivery:
    """Posts records one by one; an answer of 2xx delivers one, 400, 413 and 422 refuse it for good.

    Each request has an `Idempotency-Key`, so that a receiver can tell a repetition.
    """

    longest_wait = LONGEST_WAIT

    def __init__(self, spec: Spec, options: WebhookOptions) -> None:
        self.name, self.options = spec.name, options
        self.refused = 0
        parts = urllib.parse.urlsplit(spec.target)
        if not parts.hostname:
            raise ConfigError(f"{spec.name!r} names no host.")
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
            except OSError as error:
                if count:
                    return count
                raise DeliveryError(str(getattr(error, "reason", error)) or type(error).__name__) from error
        return len(records)

    def _post(self, record: dict[str, Any]) -> None:
        headers = {**self._headers, "Idempotency-Key": f"{record['model']}-{record['seq']}"}
        request = urllib.request.Request(self._url, compact(record).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self.options.timeout) as answer:
                answer.read(1 << 16)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in SENSELESS:
                raise
            self.refused += 1

    def hurry(self) -> None:
        """Each attempt ends by itself."""

    def close(self) -> None:
        """Nothing stays open."""
