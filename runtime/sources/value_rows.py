"""Rows from devices that report single values when they change: what is not reported still holds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from ..io.timestamps import stamp
from .column_mapping import Columns, Row
from .live import Clock


class ValueRows:
    """Rows of values that come one by one, each with its moment.

    With an interval, a row of the latest values is due at each of its ends. Without one, each moment at which something
    changed makes a row of all values that hold then. For a model with a grid of its own such a row holds what changed alone:
    the grid knows how long a value lasts.

    Args:
        columns: Columns that feed the model.
        every: Seconds between rows; 0 for a row for each moment of change.
        clock: Clock that never jumps, seconds.

    >>> rows = ValueRows(Columns(("flow", "motor")), 0.0)
    >>> rows.put(0, 1.0, 10.0), rows.put(1, 2.0, 10.0), rows.put(0, 3.0, 11.0).values, rows.flush().values
    (None, None, [1.0, 2.0], [3.0, 2.0])
    """

    def __init__(self, columns: Columns, every: float, clock: Clock = time.monotonic) -> None:
        self.every = 0.0 if columns.resampling is not None else every
        self._changes_alone = columns.resampling is not None
        self._values = [math.nan] * len(columns.names)
        self._changed: set[int] = set()
        self._moment: float | None = None
        self._clock, self._due = clock, clock() + every

    def put(self, channel: int, value: float, moment: float) -> Row | None:
        """Take a value; return the row of the moment before, where this one ends it.

        Args:
            channel: Its position.
            value: Sensor units, NaN where the device says that it has none.
            moment: Seconds since 1970.
        """
        row = None
        if not self.every and self._moment is not None and (moment != self._moment or channel in self._changed):
            row = self.flush()
        self._values[channel], self._moment = value, moment
        self._changed.add(channel)
        return row

    def flush(self) -> Row | None:
        """Return the row of the moment that is not ended yet, None if nothing has changed."""
        if self.every or self._moment is None:
            return None
        values = self._values
        if self._changes_alone:
            values = [value if channel in self._changed else math.nan for channel, value in enumerate(values)]
        moment, self._moment = self._moment, None
        self._changed.clear()
        return Row(list(values), moment, stamp(moment))

    def forget(self, channels: Iterable[int] | None = None) -> None:
        """Take note that values are no longer known, of some channels or of all."""
        for channel in range(len(self._values)) if channels is None else channels:
            self._values[channel] = math.nan

    def wait(self, longest: float) -> float:
        """Seconds to wait for the next value: no longer than until a row is due."""
        return max(0.0, min(longest, self._due - self._clock())) if self.every else longest

    def due(self) -> Row | None:
        """Return the row that is due now, None if none is; after a standstill one row, not many."""
        now = self._clock()
        if not self.every or now < self._due:
            return None
        self._due += self.every * (1 + (now - self._due) // self.every)
        moment = time.time()
        return Row(list(self._values), moment, stamp(moment))
