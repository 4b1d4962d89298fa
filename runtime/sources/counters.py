"""Counters of a model: channels that are the growth of readings that only go up, such as those of energy meters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ModelError

SECTION = "counters"  # of a model's metadata


@dataclass(frozen=True)
class Counters:
    """Channels that are counters."""

    wraps: Mapping[str, float | None] = field(default_factory=dict)
    """The reading at which each channel begins at 0 again, declared or seen in training; None where it is not known: 16 and 32 bits are
    tried."""
    period: float | None = None
    """Seconds over which growth is given; None for the step from row to row."""

    def __post_init__(self) -> None:
        for name, wrap in self.wraps.items():
            if wrap is not None and not 0 < wrap < math.inf:
                raise ModelError(f"The counter {name} wraps at a number above 0; received {wrap:g}.")
        if self.period is not None and not 0 < self.period < math.inf:
            raise ModelError(f"Growth is given over a time above 0; received {self.period:g} s. Train the model again.")

    @classmethod
    def of(cls, sections: Mapping[str, Any]) -> Counters:
        """Read a model's counters.

        Args:
            sections: Of the model's metadata.

        Raises:
            ModelError: If they are damaged.
        """
        record = sections.get(SECTION)
        if record is None:
            return cls()
        try:
            wraps = {str(name): None if wrap is None else float(wrap) for name, wrap in record["wraps"].items()}
            period = record.get("period")
            return cls(wraps, None if period is None else float(period))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"The model's section on counters is damaged ({error}). Train it again.") from error

    def record(self) -> dict[str, Any]:
        """The counters as plain JSON types."""
        return {"wraps": dict(self.wraps), "period": self.period}
