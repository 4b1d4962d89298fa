"""Configuration of `edgelstm run`: flags, or one TOML file whose keys are the flags' names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..io.addresses import build_options, refuse_unknown_keys
from ..io.toml_file import read_toml


@dataclass(frozen=True)
class StreamConfig:
    """Configuration of one model at work."""

    model: str = ""
    """The converted model's file."""
    source: str | Mapping[str, Any] = "-"
    """Source of its samples."""
    name: str = ""
    """Name in topics, metrics and records; empty for the file's name up to the first dot."""
    columns: str | tuple[str, ...] = ""
    """The source's columns in the model's order, where they are called differently."""
    channels: str | Mapping[str, Any] = ""
    """Place and form of each channel in the source: a table of paths, units, words, factors and offsets, or the name of a TOML file with a table `channels`."""
    time_column: str = ""
    """The source's time column; empty to look for one."""
    missing: tuple[str, ...] = ()
    """Words for a missing value, besides those that are known."""
    follow: bool = False
    """True to read a file on as it grows, through rotation."""
    to: tuple[str | Mapping[str, Any], ...] = ()
    """Sinks of events."""
    scores_to: tuple[str | Mapping[str, Any], ...] = ()
    """Sinks of events and of every sample's score."""
    state: str = ""
    """File that keeps the detector's state over restarts and power cuts; empty for none."""
    event_log: str = ""
    """File of events, one JSON line each; with `state`, no event is lost or doubled by a crash."""
    snapshot_every: float = 300.0
    """Seconds between snapshots of the state."""
    threshold: float | None = None
    """Score above which an alarm begins; None for the model's."""
    off: float | None = None
    """Fraction of it below which an alarm ends; None for the model's, as for the next two."""
    minimum: int | None = None
    """Samples above the threshold before an event opens."""
    cooldown: int | None = None
    """Quiet samples before an event closes."""
    adapt: float | None = None
    """Factor, up and down, within which the threshold may follow the scores; None leaves it alone."""
    limit: tuple[str, ...] = ()
    """Physical limits of channels, CHANNEL=LOW:HIGH."""
    bridge: int | None = None
    """Missing rows that are filled in; None for the default, as for the next three."""
    hold: int | None = None
    """Samples for which a channel may be missing or impossible before it is a fault."""
    stuck: int | None = None
    """Samples of one value before a channel is stuck."""
    recover: int | None = None
    """Good samples before a fault is over."""
    level: int | None = None
    """Percent that the interval of a forecast is meant to hold; None for the lowest that the model carries."""

    delegate: str | Mapping[str, Any] = ""
    """Library of an accelerator, LIBRARY?option=value, or a table with `library` and its options; empty for the CPU."""

    updates: str | Mapping[str, Any] = ""
    """Signed updates of the model: a table with `url`, `root`, `group`, `name`, `folder`, `every` and `trial`."""
    require_signed: bool = False
    """True if nothing but a signed model may run; requires `updates`."""

    @property
    def label(self) -> str:
        """Name of the stream."""
        return self.name or Path(self.model).name.partition(".")[0]

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The source's columns as names."""
        parts = self.columns.split(",") if isinstance(self.columns, str) else self.columns
        return tuple(part.strip() for part in parts if part.strip())


@dataclass(frozen=True)
class Settings:
    """Settings that all models of a process share."""

    scores: bool = False
    """True to write one line a sample to standard output, instead of one an event."""
    telegraf: bool = False
    """True to work as Telegraf's execd processor: points pass from standard input to standard output, scores and events beside them."""
    state_dir: str = ""
    """Folder for what must outlive the process; empty for systemd's, or the user's own."""
    spool_limit: int = 16 << 20
    """Bytes that may wait on disk for each sink."""
    listen: str = ""
    """Address of the live page, /metrics and /healthz, HOST:PORT; empty for none."""
    language: str = "en"
    """Language of the sentences about events: en or de."""
    timezone: str = ""
    """Time zone of these sentences, as in Europe/Berlin; empty for the system's."""
    token_file: str = ""
    """File with the page's token; without one it is made when the address is not loopback."""
    trusted_proxy: str = ""
    """IP address of a reverse proxy that has asked who comes: its requests need no token, and its site may frame the page."""


@dataclass(frozen=True)
class Config:
    """Settings and streams of a process."""

    settings: Settings
    """Settings that all streams share."""
    streams: tuple[StreamConfig, ...]
    """The models."""
    path: str = field(default="", compare=False)
    """TOML file that they were read from; empty for none."""


def load_config(path: Path | str, flags: Mapping[str, Any] | None = None) -> Config:
    """Read a TOML file.

    At its top level stand the settings and one model's keys; or several models in `[[stream]]` tables, for which the
    model keys at the top level are the defaults.

    Args:
        path: The file.
        flags: Values of the command line, by flag name, which override the file's.

    Raises:
        ConfigError: If the file cannot be read, or has an unknown key or a value of the wrong type.
    """
    return replace(make_config({**read_toml(path), **(flags or {})}, str(path)), path=str(path))


def make_config(record: Mapping[str, Any], where: str = "The command line") -> Config:
    """Check keys and values, and give every model its own configuration.

    Args:
        record: Values by key.
        where: Name of the file, for errors.

    Raises:
        ConfigError: As `load_config`.

    >>> config = make_config({"stream": [{"model": "a.tflite"}, {"model": "b.tflite"}], "source": "pump.csv"})
    >>> [(stream.label, stream.source) for stream in config.streams]
    [('a', 'pump.csv'), ('b', 'pump.csv')]
    """
    for_all, for_one = _keys(Settings), _keys(StreamConfig)
    refuse_unknown_keys(record, [*for_all, *for_one, "stream"], where)
    settings = build_options(Settings, {key: record[key] for key in for_all if key in record}, where)
    common = {key: record[key] for key in for_one if key in record}
    tables = record.get("stream", [{}])
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise ConfigError(f"{where}: several models are written as [[stream]] tables.")
    streams = tuple(build_options(StreamConfig, {**common, **table}, where) for table in tables)
    _check(streams, where)
    if settings.telegraf and "-" not in [stream.source for stream in streams]:
        raise ConfigError(f"{where}: telegraf requires a model that reads standard input. Leave its source out.")
    return Config(settings, _numbered(streams))


def _check(streams: tuple[StreamConfig, ...], where: str) -> None:
    if not streams or not all(stream.model or (stream.updates and stream.name) for stream in streams):
        raise ConfigError(f"{where} names no model. Give the .tflite file that `edgelstm convert` wrote.")
    if any(stream.require_signed and not stream.updates for stream in streams):
        raise ConfigError(f"{where}: require-signed requires updates, which name the keys. Write both, or neither.")
    if sum(stream.source == "-" for stream in streams) > 1:
        raise ConfigError(f"{where}: only one model can read standard input. Give each a source.")
    named = [stream.name for stream in streams if stream.name]
    if len(set(named)) < len(named):
        raise ConfigError(f"{where}: two models have the same name. Names must differ.")
    for key in ("state", "event_log"):
        paths = [Path(getattr(stream, key)).resolve() for stream in streams if getattr(stream, key)]
        if len(set(paths)) < len(paths):
            flag = key.replace("_", "-")
            raise ConfigError(f"{where}: two models share one {flag} file. Give each [[stream]] a {flag} of its own.")


def _numbered(streams: tuple[StreamConfig, ...]) -> tuple[StreamConfig, ...]:
    """Number models of equal file names, so that their names differ."""
    seen: dict[str, int] = {}
    numbered = []
    for stream in streams:
        count = seen[stream.label] = seen.get(stream.label, 0) + 1
        numbered.append(replace(stream, name=f"{stream.label}-{count}" if count > 1 else stream.label))
    return tuple(numbered)


def _keys(kind: type) -> list[str]:
    return [item.name.replace("_", "-") for item in fields(kind)]
