"""Grid that a model was trained on, as its metadata holds it; `resampler.py` brings samples to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import ModelError

SECTION = "resampling"  # of a model's metadata
MOST_HELD = 1000  # rows for which a value may be held, and so the most rows that one sample completes


@dataclass(frozen=True)
class Resampling:
    """A grid, and the columns of a long table that make its channels."""

    period: float
    """Seconds between rows."""
    hold: float
    """Seconds for which a channel's last value stands in for a missing one."""
    keys: tuple[str, ...] = ()
    """Columns that say which channel a row belongs to; empty for a table with a column a channel."""
    values: tuple[str, ...] = ()
    """Columns with the values of a long table."""

    def __post_init__(self) -> None:
        if not (0 < self.period < math.inf and self.period <= self.hold <= MOST_HELD * self.period):
            raise ModelError(
                f"A grid's interval is positive, and values are held for one to {MOST_HELD} of them; received "
                f"{self.period:g} s and {self.hold:g} s. Train the model again."
            )

    @classmethod
    def of(cls, sections: Mapping[str, Any]) -> Resampling | None:
        """Read a model's resampling; None where it was trained on rows as they come.

        Args:
            sections: Of the model's metadata.

        Raises:
            ModelError: If it is damaged.
        """
        record = sections.get(SECTION)
        if record is None:
            return None
        try:
            keys, values = (tuple(map(str, record.get(name) or ())) for name in ("keys", "values"))
            return cls(float(record["period"]), float(record["hold"]), keys, values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"The model's section on resampling is damaged ({error}). Train it again.") from error

    def record(self) -> dict[str, Any]:
        """The grid as plain JSON types."""
        return {name: list(part) if isinstance(part, tuple) else part for name, part in asdict(self).items()}

    def channel(self, keys: Sequence[str], value: str) -> str:
        """Name of the channel that a cell of a long table belongs to.

        Args:
            keys: Cells of the key columns.
            value: Name of the value's column.

        >>> Resampling(60.0, 60.0, ("entity",), ("state",)).channel(["sensor.temp"], "state")
        'sensor.temp'
        """
        return ".".join([*keys, value] if len(self.values) > 1 else keys)
