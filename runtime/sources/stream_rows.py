"""Rows from the lines of a stream: what a line names as columns holds until another one names others."""

from __future__ import annotations

import logging
import math

from ..errors import SeriesError, ShapeError
from .column_mapping import Columns, Row, short
from .csv_rows import Layout, layout, named_cells, width

log = logging.getLogger("edgelstm")


class StreamRows:
    """Rows of the lines of CSV or JSON that come one by one, none of them read ahead.

    A line that holds the model's names is a header, wherever it stands: its order holds from there on.

    Args:
        columns: What the model wants.
        origin: Name of the source, for messages.

    >>> rows = StreamRows(Columns(("flow", "motor")), "x")
    >>> [rows.read(line) for line in ("flow,motor", "1,2")][1].values
    [1.0, 2.0]
    """

    def __init__(self, columns: Columns, origin: str) -> None:
        self.columns, self.origin = columns, origin
        self._told = False
        self.forget()

    def forget(self) -> None:
        """Settle the layout anew by the next line, as of another file."""
        self.header = ""
        """The line that names the columns; empty where none does."""
        self._layout: Layout | None = None
        self.refusal: ShapeError | None = None
        """Reason for which a line that should settle the layout could not; None once another one did."""
        self._width: int | None = 0  # of the refused rows; None for all: what could be read before must be named again

    def read(self, line: str) -> Row | None:
        """Return one line's row; None for a header or a blank.

        Raises:
            SeriesError: If it cannot be read.
            ShapeError: If it does not fit the model.
        """
        if not line or line.isspace() or line == self.header:
            return None
        settled = self._layout
        if settled is None:
            return self._settle(line)
        try:
            row = settled.parse(line)
        except SeriesError:
            if not self._names_columns(line, settled):
                raise
        else:  # a header that is shorter than its rows reads as a row of nothing
            if not math.isnan(row.values[0]) or not self._names_columns(line, settled):
                return row
        return self._settle(line)

    def _names_columns(self, line: str, settled: Layout) -> bool:
        """Tell a header by the names that it holds, without a single value beside them."""
        if not any(name in line for name in settled.sought):
            return False
        return bool(settled.sought.intersection(named_cells(line, self.columns)))

    def _settle(self, line: str) -> Row | None:
        """Settle the layout by a line; return its row, None when it is a header.

        Rows of a header that was refused are not taken by position.
        """
        before = self._layout
        try:
            settled = layout(line, self.columns, self.origin)
        except ShapeError as error:
            if (refusal := self._refusal_of(line)) is not None:
                raise refusal from error
            self.forget()
            self.refusal, self._width = error, None if before else width(line, self.columns)
            raise
        if settled.by_position and (refusal := self._refusal_of(line)) is not None:
            raise refusal
        if before is not None and before.names != settled.names and not self._told:
            self._told = True
            log.warning("%s: another header; its columns hold from here on: %s", self.origin, short(settled.names))
        self._layout, self.refusal, self.header = settled, None, line if settled.header else ""
        return None if settled.header else settled.parse(line)

    def _refusal_of(self, line: str) -> ShapeError | None:
        """The newest refusal, where a line is one of its rows; a single cell tells nothing."""
        return self.refusal if self._width is None or 1 < self._width == width(line, self.columns) else None
