"""Alarm threshold of a model, and the rule that sets it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Threshold:
    """A sample is anomalous when its score is above the value."""

    value: float
    """Threshold on the score."""
    method: str = "quantile"
    """Name of the rule that set it."""
    samples: int = 0
    """Scores of normal operation that it was set on."""
    quantile: float | None = None
    """Number of the rule, for the rule quantile."""
    number: float | None = None
    """Number of the rule, for the others."""

    @property
    def judged(self) -> bool:
        """True if an alarm takes the judges' agreement, too: the other rules promise something of the score alone."""
        return self.method == "limits"


@dataclass(frozen=True)
class Rule:
    """A threshold rule and its number."""

    name: str
    """Name of the rule in the registry `threshold_rules.RULES`."""
    number: float
    """Deviations, quantile, alarms a day, chance a row, or beta."""

    def __str__(self) -> str:
        return f"{self.name}:{self.number:g}" if self.number else self.name


@dataclass(frozen=True)
class Setting:
    """Properties of a model that a rule may need beside the scores."""

    inputs: int = 0
    """Values that a forecast reads, or a window holds, W times F: what the model could fit noise with."""
    period: float | None = None
    """Seconds between rows."""
    apart: int = 10
    """Rows between two exceedances that count as one alarm."""
    minimum: int = 1
    """Exceedances that an alarm takes."""
    labels: npt.NDArray[np.bool_] | None = None
    """True if each score's row is anomalous."""


def few_rows(rows: int, inputs: int) -> float:
    """Return the factor by which errors are larger on new rows than on those that the model was fitted on.

    It is (N + P) / (N - P), Akaike's final prediction error (1969) for a variance, and taken whole since normal operation
    moves, too. At most 3.

    Args:
        rows: Rows that it was fitted on, N.
        inputs: Inputs that were fitted on them, P.

    >>> few_rows(400, 80), few_rows(20_000, 32) < 1.01
    (1.5, True)
    """
    known = min(inputs, rows // 2)
    return (rows + known) / (rows - known)
