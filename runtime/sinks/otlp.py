"""Sink that sends metrics to an OpenTelemetry collector: OTLP over HTTP, as JSON.

The JSON form of the protocol (OTLP 1.x, Protocol Buffers' JSON mapping) has gauges of five fields; writing them takes the standard library alone,
where the SDK with its exporter would take 10 MB and keep what waits in memory, not on disk.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Address, read_secret
from ..version import __version__
from .delivery import Stream
from .point_lines import moment_of
from .posted import PostedDelivery, base_url

PORTS = {"otlp": 4318, "otlps": 443}
GAUGES = {
    "edgelstm.score": "Anomaly score",
    "edgelstm.threshold": "Score above which an alarm begins",
    "edgelstm.anomaly": "1 for a sample above the threshold",
    "edgelstm.contribution": "Share of a channel in the score",
    "edgelstm.events.open": "Events open now, by kind",
    "edgelstm.forecast": "Forecast of the next row",
    "edgelstm.forecast.lower": "Lower end of its interval",
    "edgelstm.forecast.upper": "Upper end of its interval",
}
"""Metrics by name, with what they are."""
Point = tuple[str, float, float, Mapping[str, str]]


@dataclass(frozen=True)
class OtlpOptions:
    """Settings of a collector."""

    service: str = "edgelstm"
    """The resource's `service.name`."""
    token_file: str = ""
    """File whose first line is sent as a bearer token."""
    header: str = "Authorization"
    """Header that carries the token; any other than this one carries it as it is."""
    ca: str = ""
    """File with the certificates to trust, for otlps; empty for those of the system."""
    timeout: float = 10.0
    """Seconds for an answer."""

    def __post_init__(self) -> None:
        """Check the header's name.

        Raises:
            ConfigError: If it is none.
        """
        if not self.header.replace("-", "").isalnum() or not self.header.isascii():
            raise ConfigError(f"header is the name of an HTTP header; received {self.header!r}.")


class OpenEvents:
    """Ids of the events that are open, by kind.

    >>> events = OpenEvents()
    >>> events.take({"kind": "drift", "id": "a", "state": "open"}), events.take({"kind": "drift", "id": "a", "state": "closed"})
    (1, 0)
    """

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def take(self, record: Mapping[str, Any]) -> int:
        """Take note of an event; return how many of its kind are open. A repeated record changes nothing."""
        ids = self._ids.setdefault(str(record.get("kind")), set())
        (ids.add if record.get("state") == "open" else ids.discard)(str(record.get("id")))
        return len(ids)


class OtlpDelivery(PostedDelivery):
    """Sender of records as gauges; a repeated record sends the same points again, which a backend keeps once.

    Args:
        address: Host, and the path before `/v1/metrics`, if any.
        options: Names and token.
        stream: Its model names the instance of the service.

    Raises:
        ConfigError: If the address names no host, or token or certificates cannot be read.
    """

    Options = OtlpOptions

    def __init__(self, address: Address, options: OtlpOptions, stream: Stream) -> None:
        if not address.host:
            raise ConfigError(f"{address.name!r} names no host. Write {address.scheme}://HOST")
        base = base_url(address, address.scheme == "otlps", PORTS[address.scheme])
        path = "/".join(part for part in (address.target.strip("/"), "v1/metrics") if part)
        headers = {"Content-Type": "application/json"}
        token = read_secret(options.token_file)
        if token:
            headers[options.header] = f"Bearer {token}" if options.header.lower() == "authorization" else token
        super().__init__(address.name, f"{base}/{path}", headers, options.ca, options.timeout)
        self._events = OpenEvents()
        self._resource = {
            "attributes": _attributes(
                {
                    "service.name": options.service, "service.version": __version__,
                    "service.instance.id": f"{stream.model}@{socket.gethostname()}", "host.name": socket.gethostname(),
                }
            )
        }  # fmt: skip

    def encode(self, records: Sequence[dict[str, Any]]) -> bytes:
        """See `PostedDelivery`."""
        return request_of([point for record in records for point in points(record, self._events)], self._resource)

    def accepted(self, answer: bytes) -> None:
        """Count values that the collector rejects: it asks not to send them again."""
        with suppress(ValueError, TypeError, AttributeError):
            partial = json.loads(answer or b"{}").get("partialSuccess") or {}
            rejected = int(partial.get("rejectedDataPoints") or 0)
            if rejected > 0:
                self.refuse(str(partial.get("errorMessage") or "values"), rejected)


def points(record: Mapping[str, Any], events: OpenEvents) -> list[Point]:
    """Name, value, time and attributes of each point of a record; what is missing or no number has none.

    Args:
        record: Of an event or a score.
        events: The events that are open, which take note of it.

    >>> points({"type": "score", "model": "pump", "time": "2024-05-01T12:00:00Z", "score": 2.5, "anomaly": True}, OpenEvents())
    [('edgelstm.score', 2.5, 1714564800.0, {'edgelstm.model': 'pump'}), ('edgelstm.anomaly', True, 1714564800.0, {'edgelstm.model': 'pump'})]
    """
    common = {"edgelstm.model": str(record["model"])}
    if record["type"] == "event":
        moment = moment_of(record.get("end" if record.get("state") == "closed" else "start"))
        kind = {**common, "edgelstm.event.kind": str(record.get("kind"))}
        return [("edgelstm.events.open", events.take(record), moment, kind)]
    if record["type"] == "forecast":
        return _next_row(record, common)
    if record.get("score") is None:
        return []
    moment = moment_of(record.get("time"))
    values: list[tuple[str, Any, Mapping[str, str]]] = [
        (f"edgelstm.{name}", record.get(name), common) for name in ("score", "threshold", "anomaly")
    ]
    shares = record.get("contribution") or {}
    values += [("edgelstm.contribution", share, {**common, "edgelstm.channel": name}) for name, share in shares.items()]
    return [(name, value, moment, more) for name, value, more in values if _is_number(value)]


def _next_row(record: Mapping[str, Any], common: Mapping[str, str]) -> list[Point]:
    """Points of a forecast's first step, at the moment of the row that it was made at: gauges have no future."""
    moment = moment_of(record["first"] - record["step"])
    names = {
        part: "edgelstm.forecast" + (f".{part}" if part != "forecast" else "")
        for part in ("forecast", "lower", "upper")
    }
    return [
        (names[part], values[0], moment, {**common, "edgelstm.channel": target})
        for target, parts in record["targets"].items()
        for part, values in parts.items()
        if _is_number(values[0])
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) and math.isfinite(value)


def request_of(sent: Sequence[Point], resource: Mapping[str, Any]) -> bytes:
    """An ExportMetricsServiceRequest with one gauge a name; empty without points.

    Args:
        sent: The points, in any order of names.
        resource: The resource.
    """
    gauges: dict[str, list[dict[str, Any]]] = {}
    for name, value, moment, attributes in sent:
        gauges.setdefault(name, []).append(_data_point(value, moment, attributes))
    if not gauges:
        return b""
    metrics = [
        {"name": name, "description": GAUGES[name], "unit": "1", "gauge": {"dataPoints": data}}
        for name, data in gauges.items()
    ]
    scope = {"scope": {"name": "edgelstm", "version": __version__}, "metrics": metrics}
    return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [scope]}]}, allow_nan=False).encode()


def _data_point(value: float, moment: float, attributes: Mapping[str, str]) -> dict[str, Any]:
    """A NumberDataPoint; integers of 64 bits are texts in Protocol Buffers' JSON."""
    number = {"asInt": str(int(value))} if isinstance(value, (bool, int)) else {"asDouble": value}
    return {"attributes": _attributes(attributes), "timeUnixNano": f"{round(moment * 1e6)}000", **number}


def _attributes(named: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in named.items()]
