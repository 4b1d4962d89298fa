"""Options of the reading of a training's files, as data: those of `edgelstm train`, `search` and `fleet train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelstm.runtime.sources.counters import Counters
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.signals import Signals

from .series import Series, read_series, without_labelled


@dataclass(frozen=True)
class Reading:
    """Options of the reading; records of a fleet keep them as JSON."""

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

    def series(self, files: Sequence[Path]) -> Series:
        """Read all rows, with their labels.

        Args:
            files: Files of one series.

        Raises:
            SeriesError: As `read_series`.
        """
        return read_series(
            files,
            list(self.columns) or None,
            self.time_column,
            self.label_column,
            missing=self.missing,
            counters=Counters(self.counters),
            signals=Signals.read(self.signals),
            grid=Resampling(*self.grid) if self.grid else None,
        )

    def normal_rows(self, files: Sequence[Path]) -> Series:
        """Read the rows that no label marks.

        Args:
            files: Files of one series.

        Raises:
            SeriesError: As `read_series`.
        """
        return without_labelled(self.series(files))
