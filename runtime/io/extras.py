"""Extra packages of sources and sinks: loaded where they are used alone, and named with the remedy where they are missing."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any, NamedTuple

from ..errors import ConfigError


class Extra(NamedTuple):
    """One extra of this package."""

    what: str
    """Purpose, for messages."""
    package: str
    """The distribution that it installs."""
    least: tuple[int, ...]
    """Oldest version that works."""


EXTRAS = {
    "mqtt": Extra("MQTT", "paho-mqtt", (2,)),
    "serial": Extra("A serial source", "pyserial", (3, 5)),
    "modbus": Extra("Modbus", "pymodbus", (3, 10)),
    "opcua": Extra("OPC UA", "asyncua", (2, 1)),
    "parquet": Extra("A Parquet or Arrow file", "pyarrow", (17,)),
    "postgres": Extra("PostgreSQL", "psycopg", (3, 2)),
}
"""Extras of sources and sinks by name."""


def installed_version(package: str) -> tuple[int, ...]:
    """Version of a distribution, empty where it is missing; what is no number ends it."""
    try:
        parts = metadata.version(package).split(".")
    except metadata.PackageNotFoundError:
        return ()
    numbers: list[int] = []
    for part in parts:
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def is_ready(name: str) -> bool:
    """Tell whether an extra of `EXTRAS` is installed and new enough."""
    return installed_version(EXTRAS[name].package) >= EXTRAS[name].least


def load_extra(name: str, module: str) -> Any:
    """Import a module of an extra.

    Args:
        name: The extra, one of `EXTRAS`.
        module: The module.

    Raises:
        ConfigError: If the extra is missing or too old.
    """
    extra = EXTRAS[name]
    try:
        if is_ready(name):
            return import_module(module)
        reason = None
    except ImportError as error:
        reason = error
    least = ".".join(map(str, extra.least))
    raise ConfigError(
        f"{extra.what} needs {extra.package} {least} or newer. Install it: pip install 'edgelstm[{name}]'"
    ) from reason
