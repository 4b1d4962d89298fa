"""Sink that writes line protocol to InfluxDB 2 or 3, or to whatever else takes `/api/v2/write`."""

from __future__ import annotations

import gzip
import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode

from ..errors import ConfigError
from ..io.addresses import Address, read_secret
from .delivery import LONGEST_WAIT, DeliveryError, Stream
from .point_lines import point
from .webhook import REJECTED, NoRedirects, failure

log = logging.getLogger("edgelstm")
PORTS = {"influx": ("http", 8086), "influxs": ("https", 443)}


@dataclass(frozen=True)
class InfluxOptions:
    """Settings of a database."""

    org: str = ""
    """Organization, by name or id; InfluxDB 3 needs none."""
    token_file: str = ""
    """File whose first line is the API token."""
    ca: str = ""
    """File with the certificates to trust, for influxs; empty for those of the system."""
    timeout: float = 10.0
    """Seconds for an answer."""


class InfluxDelivery:
    """Writer of records as points, a batch a request; a repeated record writes the same point again.

    Of a batch that the database refuses, or takes in part, each record is sent alone: those that it will never take (400, 413, 422) are
    counted and said once, and do not block the others.

    Args:
        address: Host, and the bucket as the path.
        options: Organization and token.
        stream: Unused.

    Raises:
        ConfigError: If the address names no bucket, or token or certificates cannot be read.
    """

    Options = InfluxOptions
    longest_wait = LONGEST_WAIT

    def __init__(self, address: Address, options: InfluxOptions, stream: Stream) -> None:
        if not address.host or not address.target:
            raise ConfigError(f"{address.name!r} names no bucket. Write {address.scheme}://HOST/BUCKET?org=…")
        self.name, self.options = address.name, options
        self.refused = 0
        """Records that the database will never take."""
        scheme, port = PORTS[address.scheme]
        query = {"bucket": address.target, "precision": "us", **({"org": options.org} if options.org else {})}
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._url = f"{scheme}://{host}:{address.port or port}/api/v2/write?{urlencode(query)}"
        self._headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Encoding": "gzip",
            "User-Agent": "edgelstm",
        }
        token = read_secret(options.token_file)
        if token:
            self._headers["Authorization"] = f"Token {token}"
        try:
            context = ssl.create_default_context(cafile=options.ca or None)
        except OSError as error:
            raise ConfigError(f"Cannot read the certificates in {options.ca}: {error.strerror or error}.") from error
        self._opener = urllib.request.build_opener(NoRedirects, urllib.request.HTTPSHandler(context=context))

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        if self._post(records):
            return len(records)
        for count, record in enumerate(records):
            try:
                if not self._post([record]):
                    self._refuse(record)
            except DeliveryError:
                if count:
                    return count
                raise
        return len(records)

    def _post(self, records: Sequence[dict[str, Any]]) -> bool:
        """Write records; return whether the database took all of them.

        Raises:
            DeliveryError: If it gave no such answer.
        """
        body = gzip.compress("\n".join(map(point, records)).encode(), 5)
        try:
            self._opener.open(
                urllib.request.Request(self._url, body, self._headers, method="POST"), timeout=self.options.timeout
            ).close()
        except urllib.error.HTTPError as error:
            self._answer = error.read(1000).decode("utf-8", "replace")
            error.close()
            if error.code not in REJECTED:
                raise DeliveryError(failure(error)) from error
            return False
        except (OSError, HTTPException, ValueError) as error:
            raise DeliveryError(failure(error)) from error
        return True

    def _refuse(self, record: Mapping[str, Any]) -> None:
        self.refused += 1
        if self.refused == 1:
            answer = "".join(filter(str.isprintable, self._answer))[:200]
            log.warning("%s: the database refuses a record for good: %s", self.name, answer or record["type"])

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: events about models come as records."""

    def stop_waiting(self) -> None:
        """Do nothing: each attempt ends by itself."""

    def close(self) -> None:
        """Do nothing: nothing stays open."""
