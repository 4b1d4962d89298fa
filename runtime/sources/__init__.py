"""Where samples come from: anything that iterates `Sample`, has a `name`, and ends soon after `close()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..errors import ConfigError
from ..io.addresses import Address, build_options
from .column_mapping import Columns
from .csv_file import PipeSource, TextSource, is_regular, parse_file, parse_lines
from .iterable import IterableSource
from .sample import Sample
from .tail import FollowSource

__all__ = [
    "Columns",
    "FollowSource",
    "IterableSource",
    "PipeSource",
    "Sample",
    "Source",
    "TextSource",
    "open_source",
    "parse_file",
    "parse_lines",
]
SCHEMES = ("mqtt", "mqtts", "serial", "iio")


class Source(Protocol):
    """A stream of samples."""

    name: str
    """What to call it in messages."""

    @property
    def skipped(self) -> int:
        """Lines or messages so far that gave no sample."""

    def __iter__(self) -> Iterator[Sample]:
        """The samples, oldest first."""

    def close(self) -> None:
        """End the iteration soon; may be called from a signal handler or another thread."""


def open_source(spec: Address, columns: Columns, follow: bool = False, period: float | None = None) -> Source:
    """The source that an address names; nothing is read or connected before it is iterated.

    Args:
        spec: A file, `-`, mqtt, mqtts, serial or iio.
        columns: Which columns feed the model.
        follow: Whether a file is read on as it grows.
        period: The model's seconds between samples.

    Raises:
        ConfigError: If there is no such kind of source, an option is unknown, or an extra is missing.
    """
    where = f"The source {spec.name}"
    if follow and (spec.scheme or spec.target == "-"):
        raise ConfigError(f"--follow is for files; the source is {spec.name}.")
    if spec.scheme in ("mqtt", "mqtts"):
        from .mqtt import MqttSource, MqttSourceOptions

        return MqttSource(spec, build_options(MqttSourceOptions, spec.options, where), columns)
    if spec.scheme == "serial":
        from .serial import SerialOptions, SerialSource

        return SerialSource(spec.target, build_options(SerialOptions, spec.options, where), columns)
    if spec.scheme == "iio":
        from .iio import IioOptions, IioSource

        return IioSource(spec.target, build_options(IioOptions, spec.options, where), columns, period)
    if spec.scheme:
        raise ConfigError(f"{where} is of an unknown kind. A source is a file, -, or one of {', '.join(SCHEMES)}.")
    if spec.target == "-":
        return TextSource("-", columns) if is_regular("-") else PipeSource(columns)
    return FollowSource(spec.target, columns) if follow else TextSource(spec.target, columns)
