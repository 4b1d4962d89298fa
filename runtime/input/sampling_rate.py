"""Whether rows come at the rate of training: looked at once in a stretch of rows, not row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOLERANCE = 0.2  # of the period; beyond it a look-back of W rows spans another time than the model was trained on
LEAST_ROWS = 32  # a stretch; shorter ones would take a burst for a rate
IN_A_ROW = 2  # stretches at a wrong rate before it counts


class Pace:
    """The mean interval of stretch after stretch, without gaps and jumps of the clock.

    Args:
        period: Seconds between rows in training; None for unknown, which is never wrong.
        window: The model's window, rows.

    >>> pace = Pace(1.0, 32)
    >>> for row in range(100):
    ...     if pace.row():
    ...         pace.check(row * 2.0)
    >>> pace.wrong
    True
    """

    def __init__(self, period: float | None, window: int) -> None:
        self.period = period
        self.rows = max(LEAST_ROWS, window)
        self.stretches = 0
        """Stretches at a wrong rate so far, without the first of each row of them."""
        self.wrong = False
        """Whether the rate is wrong now."""
        self._in_a_row = 0
        self.restart()

    def restart(self) -> None:
        """Begin a new stretch, where times have no relation to those before."""
        self.left, self.gaps = 1, 0
        self.begin: float | None = None

    def row(self) -> bool:
        """Count a row; whether a stretch ends with it."""
        self.left -= 1
        return not self.left

    def skip(self, seconds: float, gap: bool = False) -> None:
        """Leave out time in which no rows could come."""
        self.gaps += gap
        if self.begin is not None:
            self.begin += seconds

    def check(self, time: float | None) -> None:
        """Judge the stretch that ends at a time, and begin the next."""
        begin, gaps = self.begin, self.gaps
        self.begin, self.left, self.gaps = time, self.rows, 0
        if time is None or begin is None or self.period is None:
            return
        mean = (time - begin) / self.rows
        off = 2 * gaps > self.rows or abs(mean / self.period - 1) > TOLERANCE
        self._in_a_row = self._in_a_row + 1 if off else 0
        self.wrong = self._in_a_row >= IN_A_ROW
        self.stretches += self.wrong

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON types."""
        return {name: value for name, value in vars(self).items() if name not in ("period", "rows")}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        vars(self).update({name: state[name] for name in self.state()})
