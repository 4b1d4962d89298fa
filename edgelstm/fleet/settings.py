"""Settings of a fleet, kept beside its models: where the data are, and how they are trained."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from edgelstm.runtime.errors import ConfigError

from ..data.reading import Reading
from ..training.architectures import Architecture
from ..training.options import Options
from .places import Place
from .training import Training

FILE = ".fleet/fleet.json"


@dataclass(frozen=True)
class Settings:
    """Settings of the last `edgelstm fleet train`."""

    data: str
    """Folder, pattern or long table."""
    by: str
    """Name of the pattern's place, or of the asset column."""
    training: Training
    """The step that trains."""


def write_settings(home: Place, settings: Settings) -> None:
    """Store the settings.

    Args:
        home: The fleet's folder.
        settings: To be stored.
    """
    record = {"data": settings.data, "by": settings.by, "training": settings.training.options()}
    home.write(FILE, json.dumps(record, indent=1).encode() + b"\n")


def read_settings(home: Place) -> Settings:
    """Read the settings back.

    Raises:
        ConfigError: If the folder is none of a fleet.
    """
    content = home.read(FILE)
    if content is None:
        raise ConfigError(f"{home.url} holds no fleet. Make one: edgelstm fleet train DATA -o {home.url}.")
    try:
        record: dict[str, Any] = json.loads(content)
        training = dict(record["training"])
        options = dict(training.pop("settings"))
        shape = {**options.pop("architecture")}
        architecture = Architecture(**{**shape, "units": tuple(shape["units"])})
        reading = Reading(**{key: _frozen(value) for key, value in training.pop("reading").items()})
        step = replace(Training(Options(architecture, **options), reading), **training)
        return Settings(record["data"], record["by"], step)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{home.path(FILE)} cannot be read ({error}). Run edgelstm fleet train again.") from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
