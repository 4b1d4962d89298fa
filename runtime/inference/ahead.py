"""A model's outputs for rows that are known beforehand: computed in batches, then looked up window by window.

A window that is not among the expected ones, such as one with a bridged gap, is simply not found: it is run as ever. So the
results are the same bits, whatever the input policies do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .windows import sliding_windows

Array = npt.NDArray[Any]
Run = Callable[[Array], Array]
BATCH = 4096  # windows computed at once; their outputs stay in memory
REACH = 8  # windows' lengths that are searched when the next window is not the one that was expected


class Ahead:
    """Outputs for the windows of coming rows.

    Args:
        run: Function from windows (N, W, F) to outputs (N, ...), both as the model has them.
        length: Rows of a window, W.
    """

    def __init__(self, run: Run, length: int) -> None:
        self._run, self._length = run, length
        self._rows: Array = np.empty((0, 0))
        self._bytes = b""
        self._width = 0
        self._next = self._misses = 0
        self._first, self._outputs = 0, np.empty(0)

    def expect(self, rows: Array) -> None:
        """Add coming rows; earlier ones are forgotten but for those that windows reach back to.

        Args:
            rows: Shape (T, F), as the model takes them.
        """
        kept = self._rows[max(0, len(self._rows) - (self._length - 1)) :]
        self._rows = np.concatenate([kept, rows]) if len(kept) else np.ascontiguousarray(rows)
        self._bytes, self._width = self._rows.tobytes(), self._rows.strides[0]
        self._next, self._misses, self._first, self._outputs = 0, 0, 0, np.empty(0)

    def output(self, window: Array) -> Array | None:
        """Return the output for a window with a batch axis of 1, None if the window is not expected.

        Args:
            window: Shape (W, F).
        """
        content = window.tobytes()
        at = self._next
        if not self._bytes.startswith(content, at * self._width):
            at = self._search(content)
            if at < 0:  # a row was dropped or changed
                self._next, self._misses = self._next + 1, self._misses + 1
                return None
        self._next, self._misses = at + 1, 0
        place = at - self._first
        if not 0 <= place < len(self._outputs):
            self._fill(at)
            place = 0
        return self._outputs[place : place + 1]

    def _search(self, content: bytes) -> int:
        """Return the number of the next equal window, -1 if there is none near."""
        start = self._next * self._width
        far = self._misses % self._length == self._length - 1  # now and then: a long gap may lie behind
        end = len(self._bytes) if far else start + REACH * len(content)
        while (place := self._bytes.find(content, start, end)) >= 0 and place % self._width:
            start = place + 1
        return place // self._width if place >= 0 else -1

    def _fill(self, first: int) -> None:
        rows = self._rows[first : first + BATCH + self._length - 1]
        self._outputs = self._run(sliding_windows(rows, self._length))
        self._first = first
