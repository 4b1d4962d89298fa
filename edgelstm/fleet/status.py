"""State of each asset of a fleet: done, stale, failed, running, or waiting."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgelstm.runtime.errors import EdgelstmError

from ..versions import tool_versions
from .assets import Asset, list_assets
from .claims import read_claim
from .converting import is_of_earlier_model
from .places import Place
from .settings import read_settings
from .stage import is_whole, key_of, read_record
from .training import Training


@dataclass(frozen=True)
class State:
    """State of one asset."""

    asset: str
    """Its name."""
    state: str
    """done, stale, failed, running or waiting."""
    reason: str = ""
    """Reason, where there is something to say."""


def states(home: Place) -> Iterator[State]:
    """Yield the state of each asset, by the data and options as they are now.

    Raises:
        ConfigError: If the folder is none of a fleet.
        SeriesError: If the data are gone.
    """
    settings = read_settings(home)
    for asset in list_assets(settings.data, settings.by, home):
        yield _state(settings.training, asset, home)


def _state(training: Training, asset: Asset, home: Place) -> State:
    holder = read_claim(home, f"{training.name}-{asset.stem}")
    if holder is not None and not holder.is_dead:
        return State(asset.name, "running", f"process {holder.process} of {holder.host}")
    record = read_record(home, training.name, asset)
    if record is None:
        return State(asset.name, "waiting")
    try:
        with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
            _, digest = training.gather(asset, home, Path(folder))
    except EdgelstmError as error:
        return State(asset.name, "failed", str(error))
    if (
        record["error"]
        and not record["files"]
        and (not record["refused"] or record["key"] == key_of(training, digest, tool_versions()))
    ):
        return State(asset.name, "failed", record["error"])
    if record["input"] != digest:
        return State(asset.name, "stale", "its data have changed")
    if record["versions"] != tool_versions():
        return State(asset.name, "stale", "other versions of the tools made it")
    if record["key"] != key_of(training, digest, tool_versions()):
        return State(asset.name, "stale", "other options made it")
    if not is_whole(home, record):
        return State(asset.name, "stale", "its file is missing or has changed")
    converted = read_record(home, "convert", asset)
    if is_of_earlier_model(converted, record["files"].get(f"{asset.stem}.keras", "")):
        return State(asset.name, "stale", "its conversions are of an earlier model")
    return State(asset.name, "done")
