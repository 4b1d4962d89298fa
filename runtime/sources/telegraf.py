"""Standard input of Telegraf's `execd` processor: every line goes on to standard output, and feeds the model where it can."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TextIO

from ..errors import SeriesError
from .column_mapping import Columns
from .line_reader import read_lines
from .live import LiveSource
from .points import MomentRows, PointOptions, PointReader
from .sample import Sample

log = logging.getLogger("edgelstm")


class TelegrafSource(LiveSource):
    """Samples of the points that Telegraf hands over.

    Args:
        columns: Columns that feed the model.
        out: Stream on which the points go on, each before it is scored.
    """

    def __init__(self, columns: Columns, out: TextIO) -> None:
        super().__init__(columns, "standard input", clock=None)
        self._out = out
        self._points = PointReader(columns, self.rows, {})
        self._moments = MomentRows(len(columns.names), PointOptions().wait)

    def __iter__(self) -> Iterator[Sample]:
        for line in read_lines("-", self._stop, self._pass_over):
            self._out.write(line + "\n")
            self._out.flush()
            yield from map(self.rows.sample, self._moments.due())
            try:
                rows = self._points.read(line)
            except SeriesError as error:
                self._pass_over(error)
                continue
            for row in rows:
                yield from map(self.rows.sample, self._moments.put(row))
        yield from map(self.rows.sample, self._moments.flush())

    def _pass_over(self, error: SeriesError) -> None:
        self.rows.count(error)
