"""Measured and expected values of the channels that an alarm names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DIGITS = 6  # single precision holds no more


@dataclass(frozen=True)
class Reading:
    """One channel at the moment of an event at which it was furthest from what the model expected."""

    channel: str
    """Its name."""
    unit: str
    """Its physical unit, empty when unknown."""
    measured: float | None
    """Measured value, in its unit; None while the sensor was silent."""
    expected: float | None
    """Value that the model expected, in its unit; None where it gave no finite one."""
    within: float | None
    """Distance from the expectation within which about 95 % of normal values lie, in its unit: twice the usual error."""
    deviations: float | None
    """Distance of the measured from the expected value in usual errors, signed: above 0 is too high."""
    beyond: str = ""
    """`above` or `below` all values of training; empty within them."""

    def record(self) -> dict[str, Any]:
        """Return the reading as plain JSON types."""
        return dict(vars(self))


def rounded(value: float) -> float | None:
    """Round to the digits that single precision holds; None for a value that is no number.

    >>> rounded(71.00000127), rounded(float("nan")), rounded(float("inf"))
    (71.0, None, None)
    """
    return float(f"{value:.{DIGITS}g}") if value - value == 0 else None
