"""Sink that writes line protocol to InfluxDB 2 or 3, or to whatever else takes `/api/v2/write`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ..errors import ConfigError
from ..io.addresses import Address, read_secret
from .delivery import Stream
from .point_lines import points
from .posted import PostedDelivery, base_url

PORTS = {"influx": 8086, "influxs": 443}


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


class InfluxDelivery(PostedDelivery):
    """Writer of records as points; a repeated record writes the same point again.

    Args:
        address: Host, and the bucket as the path.
        options: Organization and token.
        stream: Unused.

    Raises:
        ConfigError: If the address names no bucket, or token or certificates cannot be read.
    """

    Options = InfluxOptions

    def __init__(self, address: Address, options: InfluxOptions, stream: Stream) -> None:
        if not address.host or not address.target:
            raise ConfigError(f"{address.name!r} names no bucket. Write {address.scheme}://HOST/BUCKET?org=…")
        query = {"bucket": address.target, "precision": "us", **({"org": options.org} if options.org else {})}
        base = base_url(address, address.scheme == "influxs", PORTS[address.scheme])
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        token = read_secret(options.token_file)
        if token:
            headers["Authorization"] = f"Token {token}"
        super().__init__(address.name, f"{base}/api/v2/write?{urlencode(query)}", headers, options.ca, options.timeout)

    def encode(self, records: Sequence[dict[str, Any]]) -> bytes:
        """See `PostedDelivery`."""
        return "\n".join(line for record in records for line in points(record)).encode()
