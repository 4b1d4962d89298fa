"""Samples as they come to rows as the model was trained on: counters as differences, channels on one grid and in their units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .column_mapping import Columns
from .counter_steps import Increments, Totals
from .resampler import Resampler
from .sample import Sample


class ModelRows:
    """The steps from a source's samples to the model's rows, on one stream.

    Args:
        columns: Columns that feed the model, with its counters, its grid and its signals.
    """

    def __init__(self, columns: Columns) -> None:
        grid, counters = columns.resampling, columns.counters
        self._resampler = (
            None if grid is None else Resampler(grid, len(columns.channels), columns.signals.ordered(columns.channels))
        )
        self._totals = Totals(counters, columns.channels) if counters.wraps else None
        self._increments = Increments(counters, columns.channels) if counters.wraps else None
        self._scaling = columns.signals.scaling(columns.channels, counters.wraps)

    @property
    def gathers(self) -> bool:
        """True if a row is made of several samples."""
        return self._resampler is not None

    @property
    def dropped(self) -> int:
        """Samples that came too late for their row."""
        return self._resampler.dropped if self._resampler else 0

    def samples(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Iterate the model's rows."""
        if self._totals is not None:
            samples = map(self._totals.sample, samples)
        if self._resampler is not None:
            samples = self._resampler.samples(samples)
        if self._increments is not None:
            samples = map(self._increments.sample, samples)
        return iter(samples if self._scaling is None else map(self._scaling.sample, samples))


class ModelRowsSource:
    """A source's samples as rows of the model.

    Args:
        source: Samples as they come, with NaN for channels that they do not hold.
        columns: Columns that feed the model.
    """

    def __init__(self, source: Any, columns: Columns) -> None:
        self.source, self.name, self.replayable = source, source.name, source.replayable
        self._rows = ModelRows(columns)
        self.position: Any = None
        """Position of the source before the row that is being made, see `Source`; None if it has none."""

    def resume(self, position: Any) -> None:
        """Go on where the source was at a position, with a grid and counters that begin anew."""
        self.source.resume(position)

    @property
    def skipped(self) -> int:
        """See `Source`; samples that came too late for their row count, too."""
        return int(self.source.skipped) + self._rows.dropped

    def __iter__(self) -> Iterator[Sample]:
        return self._rows.samples(self._noting())

    def _noting(self) -> Iterator[Sample]:
        """The source's samples; while rows that one of them completes on a grid are given out, `position` is the one before it."""
        reached = None
        for sample in self.source:
            before, reached = reached, getattr(self.source, "position", None)
            self.position = before if self._rows.gathers else reached
            yield sample

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        self.source.close()
