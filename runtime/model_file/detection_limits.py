"""Detection limits that a model file carries, as a table for people: the smallest faults that it was seen to find."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECTION = "detection_limits"
"""Name of the section in the metadata."""
NONE = "-"


@dataclass(frozen=True)
class LimitTable:
    """Detection limits in sensor units, as text."""

    title: str
    """Conditions that they were measured under."""
    heads: tuple[str, ...]
    """Heads of the columns: the channel, then the kinds of faults."""
    rows: tuple[tuple[str, ...], ...]
    """One a channel."""

    def lines(self) -> list[str]:
        """Return the table as aligned lines of text."""
        width = max(len(row[0]) for row in (self.heads, *self.rows))
        cells = [
            f"  {first:{width}}  " + "  ".join(f"{cell:>10}" for cell in rest)
            for first, *rest in (self.heads, *self.rows)
        ]
        return [f"detection limits: {self.title}", *cells]


def limit_table(section: Any, period: float | None) -> LimitTable | None:
    """Return the table of detection limits.

    Args:
        section: The metadata's section `detection_limits`: `rows` within which a fault is found, the `share` of places, and
            `channels`, each with `channel`, `offset` and `drift` in sensor units and `stuck` in rows, None where none is found.
        period: Seconds between rows; None without time.

    Returns:
        The table; None where there is no such section, or it is damaged: nothing but this table needs it.

    >>> one = {"channel": "flow", "offset": 0.5, "drift": None, "stuck": 12}
    >>> limit_table({"rows": 60, "share": 0.9, "channels": [one]}, 2.0).rows
    (('flow', '0.5', '-', '24 s'),)
    """
    if not isinstance(section, Mapping):
        return None
    try:
        rows, share = float(section["rows"]), float(section["share"])
        title = f"smallest fault found in {share:.0%} of cases within {_span(rows, period)}"
        limits = tuple(
            (
                str(limit["channel"]),
                _amount(limit["offset"]),
                _amount(limit["drift"]),
                NONE if limit["stuck"] is None else _span(float(limit["stuck"]), period),
            )
            for limit in section["channels"]
        )
    except (KeyError, TypeError, ValueError):
        return None
    return LimitTable(title, ("channel", "offset", "drift", "stuck for"), limits) if limits else None


def _amount(value: Any) -> str:
    return NONE if value is None or not math.isfinite(float(value)) else f"{float(value):g}"


def _span(rows: float, period: float | None) -> str:
    return f"{rows * period:g} s" if period else f"{rows:g} rows"
