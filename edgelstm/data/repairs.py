"""Repairs of a series, counted by kind, and how they are said."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Repairs:
    """Repairs made while reading, in rows unless said otherwise."""

    reordered: int = 0
    """Rows that came earlier in time than the row before them."""
    doubled: int = 0
    """Rows with a time that was there already; the first one is kept."""
    untimed: int = 0
    """Rows left out because they have no time."""
    labelled: int = 0
    """Rows left out because their label says that they are not normal."""
    filled: int = 0
    """Single values that a straight line over at most 3 samples replaced."""
    inserted: int = 0
    """Rows that were missing in time, and filled likewise."""
    dropped: int = 0
    """Rows left out because values are missing over more than 3 samples."""
    gaps: int = 0
    """Places where the series is cut, because more than 3 samples are missing; no window spans one."""
    constant: tuple[str, ...] = ()
    """Channels that never change."""
    ignored: tuple[str, ...] = ()
    """Columns left out: text, labels, empty, row counters."""
    notes: tuple[str, ...] = ()
    """Notes on the files' form where it is not a matter of course."""

    def sentences(self) -> list[str]:
        """One sentence for each kind of repair that was needed."""
        counts = {
            "reordered": "rows were out of order and have been sorted",
            "doubled": "rows had a time that was there already and were dropped",
            "untimed": "rows without a time were left out",
            "labelled": "rows labelled as anomalous were left out",
            "filled": "missing values were filled by a straight line",
            "inserted": "missing rows were filled by a straight line",
            "dropped": "rows with values missing for longer were left out",
            "gaps": "gaps cut the series: no window spans them",
        }
        lines = list(self.notes)
        lines += [f"{getattr(self, name)} {text}" for name, text in counts.items() if getattr(self, name)]
        if self.constant:
            lines.append(f"constant in these rows: {listed(self.constant)}")
        if self.ignored:
            lines.append(f"columns not used as inputs: {listed(self.ignored)}")
        return lines

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names for a sentence.

    Args:
        names: To list.
        most: Names shown; the others are counted.
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
