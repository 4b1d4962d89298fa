"""Detection limits that a model file carries, as a table for people: the smallest faults that it was seen to find."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..languages.catalogue import ENGLISH, Catalogue

SECTION = "detection_limits"
"""Name of the section in the metadata."""
NONE = "-"
UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))  # symbols of the SI, the same in every language


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


def limit_table(section: Any, period: float | None, words: Catalogue = ENGLISH) -> LimitTable | None:
    """Return the table of detection limits.

    Args:
        section: The metadata's section `detection_limits`: `rows` within which a fault is found, the `share` of places, and
            `channels`, each with `channel`, `offset` and `drift` in sensor units and `stuck` in rows, None where none is found.
        period: Seconds between rows; None without time.
        words: Words of the language.

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
        title = words.page["limits"].format(share=f"{100 * share:.0f}", within=_span(rows, period, words))
        limits = tuple(
            (
                str(limit["channel"]),
                _amount(limit["offset"], words),
                _amount(limit["drift"], words),
                NONE if limit["stuck"] is None else _span(float(limit["stuck"]), period, words),
            )
            for limit in section["channels"]
        )
    except (KeyError, TypeError, ValueError):
        return None
    heads = tuple(words.page[name] for name in ("channel", "offset", "drift_by", "stuck_for"))
    return LimitTable(title, heads, limits) if limits else None


def _amount(value: Any, words: Catalogue) -> str:
    return NONE if value is None or not math.isfinite(float(value)) else _number(float(value), words)


def _span(rows: float, period: float | None, words: Catalogue) -> str:
    """Return a number of rows as a time, in the largest unit that it has three of; rows where there is no time."""
    if not period:
        return words.page["rows_span"].format(count=f"{rows:g}")
    seconds = rows * period
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 3 * size), (1.0, "s"))
    return f"{_number(float(f'{seconds / size:.3g}'), words)} {unit}"


def _number(value: float, words: Catalogue) -> str:
    return f"{value:g}".replace(".", words.decimal)
