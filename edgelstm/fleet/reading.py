"""An asset's rows, read by the same front as those of `edgelstm train`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelstm.runtime.sources.counters import Counters
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.signals import Signals

from ..data.lost_rows import lost_rows
from ..data.series import Series, read_series, without_labelled
from .assets import Asset
from .places import fetch

BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Reading:
    """Options of the reading, the same for every asset."""

    columns: tuple[str, ...] = ()
    """Channels to take; empty for every number column."""
    time_column: str | None = None
    """Column with the time; None looks for one."""
    label_column: str | None = None
    """Column of labels; rows that it marks are left out."""
    missing: tuple[str, ...] = ()
    """Further words for a missing value."""
    counters: Mapping[str, float | None] = field(default_factory=dict)
    """Reading at which each counter begins at 0 again, as in `Counters`."""
    signals: Mapping[str, Any] = field(default_factory=dict)
    """Table of the channels, as `Signals` tells it."""
    grid: tuple[float, float] | None = None
    """Interval that rows are brought to, and the time for which values are held, seconds; None to choose one."""

    def rows(self, files: Sequence[Path]) -> Series:
        """Read rows of normal operation.

        Args:
            files: An asset's files.

        Raises:
            SeriesError: As `read_series`.
        """
        series = read_series(
            files,
            list(self.columns) or None,
            self.time_column,
            self.label_column,
            missing=self.missing,
            counters=Counters(self.counters),
            signals=Signals.read(self.signals),
            grid=Resampling(*self.grid) if self.grid else None,
        )
        return without_labelled(series)


def local_files(asset: Asset, folder: Path) -> list[Path]:
    """Local files of an asset: its own, or copies.

    Args:
        asset: The asset.
        folder: Folder for copies.

    Raises:
        SeriesError: If a file cannot be read.
    """
    paths = []
    for number, url in enumerate(asset.files):
        beside = folder / str(number)
        beside.mkdir()
        paths.append(fetch(url, beside))
    return paths


def digest_of(files: Sequence[Path]) -> str:
    """SHA-256 over the content of files, hex."""
    hashed = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                hashed.update(block)
        hashed.update(b"\0file\0")
    return hashed.hexdigest()


def remarks(series: Series) -> list[str]:
    """Sentences about repairs and lost rows, as `edgelstm train` prints them."""
    lost = lost_rows(series)
    return [*series.repairs.sentences(), *([f"Warning: {lost}"] if lost else [])]
