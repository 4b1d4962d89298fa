"""Configuration of updates: the table `updates` of a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from ..io.addresses import build_options

UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d)")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class UpdateOptions:
    """Settings of one stream's updates."""

    url: str
    """Address of the repository: http, https or a folder."""
    root: str
    """File with the root metadata: the keys that this device trusts."""
    group: str = "all"
    """Group of devices; models for the group `all` are taken, too."""
    name: str = ""
    """Name of the model in the repository; empty for the stream's."""
    folder: str = ""
    """Folder that keeps models and history; empty for one in the state folder."""
    every: str = "1h"
    """Time between looks at the repository."""
    trial: str = "1h"
    """Time at work after which a new model is no longer undone by itself."""

    @property
    def interval(self) -> float:
        """Seconds between looks."""
        return parse_duration(self.every, "updates: every")

    @property
    def trial_seconds(self) -> float:
        """Seconds of the trial time."""
        return parse_duration(self.trial, "updates: trial")


def parse_updates(table: Mapping[str, Any] | str, where: str = "updates") -> UpdateOptions:
    """Check the table.

    Args:
        table: As the configuration has it.
        where: Name for errors.

    Raises:
        ConfigError: If a key is unknown or missing, or a value is not usable.

    >>> parse_updates({"url": "/media/usb", "root": "root.json", "trial": "30m"}).trial_seconds
    1800.0
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f'{where} is a table: {{ url = "https://…", root = "root.json", group = "all" }}.')
    options = build_options(UpdateOptions, table, where)
    for word in filter(None, (options.group, options.name)):
        check_word(word, where)
    if options.interval < 1:
        raise ConfigError(f"{where}: every is at least 1s; received {options.every}.")
    _ = options.trial_seconds
    return options


def check_word(word: str, where: str) -> str:
    """Refuse names of groups and models that are no plain words: they become parts of paths.

    Args:
        word: The name.
        where: Name for the error.

    Raises:
        ConfigError: If it has other characters than letters, digits, - and _.
    """
    if not _WORD.fullmatch(word):
        raise ConfigError(f"{where}: a group or a model is named with letters, digits, - and _; received {word!r}.")
    return word


def parse_duration(text: str, where: str = "A duration") -> float:
    """Return the seconds of a duration such as 30s, 10m, 1h or 2d.

    Args:
        text: The duration.
        where: Name for the error.

    Raises:
        ConfigError: If it is none.

    >>> parse_duration("1.5h")
    5400.0
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{where} is a number with s, m, h or d, such as 1h; received {text!r}.")
    return float(match[1]) * UNITS[match[2]]
