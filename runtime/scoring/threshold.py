"""Alarm thresholds, fitted on scores of normal operation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Threshold:
    """A sample is anomalous when its score is above the value."""

    value: float
    """Threshold on the score."""
    method: str = "quantile"
    """Rule it was set by."""
    samples: int = 0
    """Scores of normal operation it was set on."""
    quantile: float | None = None
    """Quantile of those scores, for the quantile rule."""
    number: float | None = None
    """Number of another rule, see `rules`."""


def fit_threshold(scores: npt.ArrayLike, quantile: float = 0.995, margin: float | None = None) -> Threshold:
    """A quantile of the scores of normal operation, times a safety margin.

    Few scores tell little about the quantile, and a short stretch little about normal operation: so the margin is
    1 + 8 / sqrt(N), at most 2. Chosen on SKAB (N about 400, 1.4) and NAB's machine temperature (N about 2000, 1.2).

    Args:
        scores: Of normal operation, N of them.
        quantile: Between 0 and 1.
        margin: Factor; None for the rule above.

    >>> fit_threshold([1.0] * 400).value
    1.4
    """
    values = np.asarray(scores, np.float64)
    factor = min(2.0, 1 + 8 / math.sqrt(len(values))) if margin is None else margin
    return Threshold(float(np.quantile(values, quantile) * factor), "quantile", len(values), quantile)
