"""Registry of sinks: a kind of sink is added by one entry here and the module that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import ConfigError
from ..io.access import Access
from ..io.addresses import Address, build_options
from .delivery import Delivery, Stream


@dataclass(frozen=True)
class SinkKind:
    """One kind of sink."""

    schemes: tuple[str, ...]
    """First words of its addresses."""
    example: str
    """Form of its addresses, for help and errors."""
    delivery: str
    """MODULE:CLASS of its `Delivery`, imported when a sink of this kind is used."""
    access: Access
    """Rights that it needs."""
    secrets: tuple[str, ...] = ()
    """Options that name files with secrets."""
    files: tuple[str, ...] = ()
    """Options that name other files that it reads."""

    def load(self) -> Any:
        """Import the class of its delivery."""
        module, _, name = self.delivery.partition(":")
        return getattr(import_module(module, __package__), name)


SINKS = [
    SinkKind(
        ("mqtt", "mqtts"),
        "mqtt[s]://HOST/TOPIC",
        ".mqtt:MqttDelivery",
        Access.NETWORK,
        ("password-file", "key"),
        ("ca", "cert"),
    ),
    SinkKind(("http", "https"), "http[s]://HOST/…", ".webhook:WebhookDelivery", Access.NETWORK, ("token-file",)),
    SinkKind(
        ("influx", "influxs"),
        "influx[s]://HOST/BUCKET",
        ".influx:InfluxDelivery",
        Access.NETWORK,
        ("token-file",),
        ("ca",),
    ),
    SinkKind(("otlp", "otlps"), "otlp[s]://COLLECTOR", ".otlp:OtlpDelivery", Access.NETWORK, ("token-file",), ("ca",)),
    SinkKind(("sqlite",), "sqlite:FILE", ".sqlite:SqliteDelivery", Access.FOLDER),
    SinkKind(("file",), "file:FILE", ".jsonl_file:FileDelivery", Access.FOLDER),
    SinkKind(("command",), "command:'CMD ARG …'", ".command:CommandDelivery", Access.PROGRAM),
    SinkKind(("modbus", "modbus+rtu"), "modbus://HOST/UNIT?coil=5", ".modbus:ModbusDelivery", Access.NETWORK),
    SinkKind(("modbus+serial",), "modbus+serial:DEVICE?coil=5", ".modbus:ModbusDelivery", Access.DEVICE),
    SinkKind(
        ("opc.tcp",),
        "opc.tcp://HOST:4840/…?node=NODE",
        ".opcua:OpcDelivery",
        Access.NETWORK,
        ("password-file", "key"),
        ("cert", "server-cert"),
    ),
    SinkKind(
        ("postgresql", "postgres"),
        "postgresql://HOST/DATABASE",
        ".postgres:PostgresDelivery",
        Access.NETWORK,
        ("password-file", "sslkey"),
        ("sslrootcert", "sslcert"),
    ),
]


def sink_kind(address: Address) -> SinkKind:
    """Look up the kind of an address.

    Raises:
        ConfigError: If there is none.
    """
    for kind in SINKS:
        if address.scheme in kind.schemes:
            return kind
    forms = ", ".join(kind.example for kind in SINKS)
    raise ConfigError(f"The sink {address.name} is of an unknown kind. Its address has one of the forms {forms}")


def plan_delivery(
    address: Address, model: str, scores: bool, targets: tuple[str, ...] = (), units: tuple[str, ...] = ()
) -> Callable[[], Delivery]:
    """Check a sink's address and options without opening it.

    Args:
        address: Its address.
        model: The model's name.
        scores: Whether samples are sent too.
        targets: Channels that it forecasts; none for a detector.
        units: Their physical units.

    Returns:
        A function that opens it.

    Raises:
        ConfigError: If there is no such kind of sink, an option is unknown, or an extra is missing.
    """
    delivery = sink_kind(address).load()
    options = build_options(delivery.Options, address.options, f"The sink {address.name}")
    return lambda: delivery(address, options, Stream(model, scores, targets, units))
