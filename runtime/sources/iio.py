"""Source that reads Linux Industrial I/O devices, such as accelerometers and ADCs, from sysfs.

Files and formulas as in the kernel's Documentation/ABI/testing/sysfs-bus-iio: value = (raw + offset) * scale.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, SeriesError
from .column_mapping import Columns, Row
from .live import LiveSource, ticks
from .sample import Sample

ROOT = "/sys/bus/iio/devices"
_VALUE = re.compile(r"in_(.+)_(raw|input)$")


@dataclass(frozen=True)
class IioOptions:
    """Settings of a device."""

    every: float = 0.0
    """Seconds between samples; 0 for the model's own period."""
    root: str = ROOT
    """Folder of the devices."""


@dataclass(frozen=True)
class _Reading:
    """One channel's files."""

    value: Path
    offset: float
    scale: float

    def read(self) -> float:
        """Read the value in the kernel's unit, NaN when the device does not answer."""
        try:
            return (float(self.value.read_text()) + self.offset) * self.scale
        except (OSError, ValueError):
            return math.nan


class IioSource(LiveSource):
    """Samples of one IIO device at a fixed interval.

    Args:
        device: Name of its folder (iio:device0), or content of its file `name` (bme280).
        options: Interval and root.
        columns: Channels that feed the model; called as in sysfs without `in_` and `_raw` (accel_x, voltage0).
        period: The model's seconds between samples.

    Raises:
        SeriesError: If there is no such device.
        ShapeError: If it lacks a channel.
        ConfigError: If no interval is known.
    """

    def __init__(self, device: str, options: IioOptions, columns: Columns, period: float | None) -> None:
        self.every = options.every or period or 0.0
        if self.every <= 0:
            raise ConfigError(
                "An IIO source requires an interval, and the model has none. Write iio:DEVICE?every=0.1 (seconds)"
            )
        folder = _find(Path(options.root), device)
        super().__init__(columns, f"iio:{folder.name}")
        readings = _readings(folder)
        if not set(columns.names) <= set(readings):
            raise columns.lacking(sorted(readings), self.name)
        self._readings = [readings[name] for name in columns.names]

    def __iter__(self) -> Iterator[Sample]:
        for _ in ticks(self.every, self._stop):
            yield self.rows.sample(Row([reading.read() for reading in self._readings], None, ""))


def _find(root: Path, device: str) -> Path:
    folders = sorted(root.glob("iio:device*")) if root.is_dir() else []
    names = {folder.name: folder for folder in folders}
    names |= {_text(folder / "name"): folder for folder in reversed(folders)}
    if device not in names:
        there = ", ".join(sorted(filter(None, names))) or "none"
        raise SeriesError(f"There is no IIO device {device!r} in {root} (there: {there}).")
    return names[device]


def _readings(folder: Path) -> dict[str, _Reading]:
    """Find channels by name; `input` is processed already, `raw` needs offset and scale, shared by kind where not its own."""
    readings: dict[str, _Reading] = {}
    for path in sorted(folder.glob("in_*")):
        match = _VALUE.match(path.name)
        if not match or match.group(1) in readings:
            continue
        name = match.group(1)
        if match.group(2) == "input":
            readings[name] = _Reading(path, 0.0, 1.0)
        else:
            readings[name] = _Reading(path, _setting(folder, name, "offset", 0.0), _setting(folder, name, "scale", 1.0))
    return readings


def _setting(folder: Path, name: str, what: str, default: float) -> float:
    shared = re.sub(r"(_[a-z]+|\d+)$", "", name)
    for candidate in (f"in_{name}_{what}", f"in_{shared}_{what}"):
        try:
            return float(_text(folder / candidate) or "x")
        except ValueError:
            continue
    return default


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
