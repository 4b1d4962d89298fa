"""Registry of sources: a kind of source is added by one entry here and the module that it opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from ..errors import ConfigError
from ..io.access import Access
from ..io.addresses import Address, build_options
from .column_mapping import Columns
from .sample import Sample

T = TypeVar("T")


class Source(Protocol):
    """A stream of samples.

    One that can go on where it was has a `position` of plain JSON types, that of the sample given out last, and a method
    `resume(position)`, to be called before it is iterated.
    """

    name: str
    """Name of the source in messages."""
    replayable: bool
    """True if a second run gives the same samples again from the first on, as a file does."""

    @property
    def skipped(self) -> int:
        """Lines or messages so far that gave no sample."""

    def __iter__(self) -> Iterator[Sample]:
        """The samples, oldest first."""

    def close(self) -> None:
        """End the iteration soon; may be called from a signal handler or another thread."""


@dataclass(frozen=True)
class SourceRequest:
    """An address with all that a source may need beside it."""

    address: Address
    """The address, taken apart."""
    columns: Columns
    """Columns that feed the model."""
    follow: bool = False
    """True to read a file on as it grows."""
    period: float | None = None
    """The model's seconds between samples."""

    @property
    def where(self) -> str:
        """Beginning of a message about this source."""
        return f"The source {self.address.name}"

    def options(self, kind: type[T]) -> T:
        """The address's options as a dataclass.

        Raises:
            ConfigError: If one is unknown or of another type.
        """
        return build_options(kind, self.address.options, self.where)


@dataclass(frozen=True)
class SourceKind:
    """One kind of source."""

    schemes: tuple[str, ...]
    """First words of its addresses; empty text for none."""
    example: str
    """Form of its addresses, for help and errors."""
    open: Callable[[SourceRequest], Source]
    """Function that opens it; it imports the source's module, which may need an extra package."""
    access: Access = Access.NONE
    """Right that it needs of a service manager."""
    secrets: tuple[str, ...] = ()
    """Options that name files with secrets."""
    files: tuple[str, ...] = ()
    """Options that name other files that it reads."""


def open_source(address: Address, columns: Columns, follow: bool = False, period: float | None = None) -> Source:
    """Open the source that an address names; nothing is read or connected before it is iterated.

    Args:
        address: A file, `-`, or an address whose scheme one of `SOURCES` has.
        columns: Columns that feed the model.
        follow: Whether a file is read on as it grows.
        period: The model's seconds between samples.

    Raises:
        ConfigError: If there is no such kind of source, an option is unknown, or an extra is missing.
    """
    request = SourceRequest(address, columns, follow, period)
    if follow and (address.scheme or address.target == "-"):
        raise ConfigError(f"--follow is for files; the source is {address.name}.")
    return on_grid(source_kind(address).open(request), columns)


def source_kind(address: Address) -> SourceKind:
    """Look up the kind of an address.

    Raises:
        ConfigError: If there is none.
    """
    for kind in SOURCES:
        if address.scheme in kind.schemes:
            return kind
    forms = ", ".join(kind.example for kind in SOURCES)
    raise ConfigError(f"The source {address.name} is of an unknown kind. Its address has one of the forms {forms}")


def open_file(path: Path | str, columns: Columns) -> Source:
    """Open a file as a source.

    Args:
        path: File name, `-` for standard input.
        columns: Columns that feed the model.
    """
    from .csv_file import TextSource

    return on_grid(TextSource(path, columns), columns)


def on_grid(source: Source, columns: Columns) -> Source:
    """The source's samples as the model was trained on: on its grid, with counters as differences, in its units, or as they come.

    Args:
        source: To read from.
        columns: Columns that feed the model, with its grid, counters and signals.
    """
    if columns.resampling is None and not columns.counters.wraps and not columns.signals:
        return source
    from .model_rows import ModelRowsSource

    return ModelRowsSource(source, columns)


def _open_file(request: SourceRequest) -> Source:
    from .csv_file import TextSource, is_regular

    path, columns = request.address.target, request.columns
    if request.follow:
        from .tail import FollowSource

        return FollowSource(path, columns)
    if path == "-" and not is_regular(path):
        from .pipe import PipeSource

        return PipeSource(columns)
    return TextSource(path, columns)


def _open_mqtt(request: SourceRequest) -> Source:
    if "format" in request.address.options:
        from .sparkplug import SparkplugOptions, SparkplugSource

        return SparkplugSource(request.address, request.options(SparkplugOptions), request.columns, request.period)
    from .mqtt import MqttSource, MqttSourceOptions

    return MqttSource(request.address, request.options(MqttSourceOptions), request.columns, request.period)


def _open_serial(request: SourceRequest) -> Source:
    from .serial import SerialOptions, SerialSource

    return SerialSource(request.address.target, request.options(SerialOptions), request.columns)


def _open_iio(request: SourceRequest) -> Source:
    from .iio import IioOptions, IioSource

    return IioSource(request.address.target, request.options(IioOptions), request.columns, request.period)


def _open_modbus(request: SourceRequest) -> Source:
    from .modbus import ModbusSource, ModbusSourceOptions

    return ModbusSource(request.address, request.options(ModbusSourceOptions), request.columns, request.period)


def _open_postgres(request: SourceRequest) -> Source:
    from .postgres import PostgresSource, PostgresSourceOptions

    return PostgresSource(request.address, request.options(PostgresSourceOptions), request.columns)


def _open_influx(request: SourceRequest) -> Source:
    from .influx import InfluxSource, InfluxSourceOptions

    return InfluxSource(request.address, request.options(InfluxSourceOptions), request.columns)


def _open_opcua(request: SourceRequest) -> Source:
    from .opcua import OpcSource, OpcSourceOptions

    return OpcSource(request.address, request.options(OpcSourceOptions), request.columns, request.period)


def _open_listener(request: SourceRequest) -> Source:
    from .http_listener import HttpListener, HttpListenerOptions

    return HttpListener(request.address, request.options(HttpListenerOptions), request.columns)


SOURCES = [
    SourceKind(("",), "FILE, -", _open_file, Access.FILE),
    SourceKind(
        ("mqtt", "mqtts"),
        "mqtt[s]://HOST/TOPIC, mqtt[s]://HOST/?format=sparkplug&group=GROUP&node=NODE",
        _open_mqtt,
        Access.NETWORK,
        ("password-file", "key"),
        ("ca", "cert"),
    ),
    SourceKind(("serial",), "serial:DEVICE", _open_serial, Access.DEVICE),
    SourceKind(("iio",), "iio:DEVICE", _open_iio),
    SourceKind(
        ("modbus", "modbus+rtu"), "modbus[+rtu]://HOST/UNIT?map=FILE", _open_modbus, Access.NETWORK, files=("map",)
    ),
    SourceKind(("modbus+serial",), "modbus+serial:DEVICE?map=FILE", _open_modbus, Access.DEVICE, files=("map",)),
    SourceKind(
        ("opc.tcp",),
        "opc.tcp://HOST:4840/…?node=NODE",
        _open_opcua,
        Access.NETWORK,
        ("password-file", "key"),
        ("cert", "server-cert"),
    ),
    SourceKind(
        ("postgresql", "postgres"),
        "postgresql://HOST/DATABASE?table=NAME&key=COLUMN",
        _open_postgres,
        Access.NETWORK,
        ("password-file", "sslkey"),
        ("sslrootcert", "sslcert"),
    ),
    SourceKind(
        ("influx", "influxs"),
        "influx[s]://HOST/BUCKET?measurement=NAME",
        _open_influx,
        Access.NETWORK,
        ("token-file", "password-file"),
        ("ca",),
    ),
    SourceKind(("listen",), "listen://HOST:PORT?token-file=FILE", _open_listener, Access.NETWORK, ("token-file",)),
]
