"""Check of the sampling rate, once in a stretch of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOLERANCE = 0.2  # of the period; beyond it a look-back of W rows spans another time than the model was trained on
LEAST_ROWS = 32  # a stretch; shorter ones would take a burst for a rate
IN_A_ROW = 2  # stretches at a wrong rate before it counts


class SamplingRate:
    """Mean interval of stretch after stretch of rows, without gaps and jumps of the clock.

    Args:
        period: Seconds between rows in training; None for unknown, which is never wrong.
        window: The model's window, rows.

    >>> rate = SamplingRate(1.0, 32)
    >>> for row in range(100):
    ...     if rate.row():
    ...         rate.check(row * 2.0)
    >>> rate.wrong
    True
    """

    def __init__(self, period: float | None, window: int) -> None:
        self.period = period
        self.rows = max(LEAST_ROWS, window)
        """Rows of a stretch."""
        self.stretches = 0
        """Stretches at a wrong rate so far, without the first of each row of them."""
        self.wrong = False
        """True if the rate is wrong now."""
        self._in_a_row = 0
        self.restart()

    def restart(self) -> None:
        """Begin a new stretch, where times have no relation to those before."""
        self._left, self._gaps = 1, 0
        self._begin: float | None = None

    def row(self) -> bool:
        """Count a row; return whether a stretch ends with it."""
        self._left -= 1
        return not self._left

    def skip(self, seconds: float, gap: bool = False) -> None:
        """Leave out time in which no rows could come.

        Args:
            seconds: Length of that time.
            gap: Whether rows are missing there; a stretch of mostly gaps has a wrong rate, too.
        """
        self._gaps += gap
        if self._begin is not None:
            self._begin += seconds

    def check(self, time: float | None) -> None:
        """Judge the stretch that ends at a time, and begin the next."""
        begin, gaps = self._begin, self._gaps
        self._begin, self._left, self._gaps = time, self.rows, 0
        if time is None or begin is None or self.period is None:
            return
        mean = (time - begin) / self.rows
        off = 2 * gaps > self.rows or abs(mean / self.period - 1) > TOLERANCE
        self._in_a_row = self._in_a_row + 1 if off else 0
        self.wrong = self._in_a_row >= IN_A_ROW
        self.stretches += self.wrong

    def to_state(self) -> dict[str, Any]:
        """Return the stretch at hand and the judgement so far, as plain JSON types."""
        return {
            "begin": self._begin,
            "rows_left": self._left,
            "gaps": self._gaps,
            "wrong": self.wrong,
            "wrong_in_a_row": self._in_a_row,
            "wrong_stretches": self.stretches,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self._begin, self._left, self._gaps = state["begin"], int(state["rows_left"]), int(state["gaps"])
        self.wrong, self._in_a_row = bool(state["wrong"]), int(state["wrong_in_a_row"])
        self.stretches = int(state["wrong_stretches"])
