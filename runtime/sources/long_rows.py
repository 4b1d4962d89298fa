"""Rows of a long table, one value each, to samples that hold one channel: as home automation and historians export."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from ..errors import ConfigError, SeriesError
from .column_mapping import Columns, Row
from .csv_cells import CellReader
from .sample import Sample
from .time_columns import TimeReader, find_time


class LongRows:
    """Rows of a long table under known column names.

    Args:
        header: Column names.
        columns: What the model wants; its resampling names the columns of keys and values.
        cells: Reads numbers.
        time: Reads times; None to look for the time column in the first row.
    """

    sparse = True  # a row holds one channel, so that rows of one time belong together

    def __init__(
        self, header: Sequence[str], columns: Columns, cells: CellReader, time: TimeReader | None = None
    ) -> None:
        grid = columns.resampling
        if grid is None:
            raise ConfigError("A long table needs a model that was trained on one. Give a column for each channel.")
        self.header, self.cells, self.time, self._grid = tuple(header), cells, time, grid
        self._wanted = columns.time
        self._keys = [self.header.index(name) for name in grid.keys]
        self._values = [self.header.index(name) for name in grid.values]
        self._channels = {name: at for at, name in enumerate(columns.names)}

    def row(self, cells: list[str]) -> Row:
        """The row of some cells; values that are no channel's are passed over.

        Raises:
            SeriesError: If a channel's cell is no number, or the time no time.
        """
        cells = (cells + [""] * len(self.header))[: len(self.header)]
        if self.time is None:
            self.time = TimeReader(
                find_time(self.header, [cells], self._wanted, self._keys + self._values), self.header
            )
        keys = [cells[at].strip() for at in self._keys]
        values = [math.nan] * len(self._channels)
        for at in self._values:
            name = self._grid.channel(keys, self.header[at])
            channel = self._channels.get(name)
            if channel is not None:
                value = self.cells.read(cells[at], name)
                if value is None:
                    raise SeriesError(f"column {self.header[at]}: {cells[at][:40]!r} is not a number")
                values[channel] = value
        moment, label = self.time.read(cells)
        return Row(values, moment, label)


def in_time_order(rows: Iterable[Row]) -> Iterator[Sample]:
    """Samples of a whole long table sorted by time, those of one time together.

    Args:
        rows: In the file's order; they may be sorted by channel. Rows without a time are left out.
    """
    timed = sorted((row for row in rows if row.time is not None), key=lambda row: row.time or 0.0)
    number, last = 0, None
    for row in timed:
        if last is not None and last.time == row.time:
            last = last._replace(
                values=[b if math.isfinite(b) else a for a, b in zip(last.values, row.values, strict=True)]
            )
            continue
        if last is not None:
            yield Sample(last.values, last.time, number, last.label)
            number += 1
        last = row
    if last is not None:
        yield Sample(last.values, last.time, number, last.label)
