"""Alarm thresholds, fitted on scores of normal operation."""

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
    """Rule it was set by."""
    samples: int = 0
    """Scores of normal operation it was set on."""
    quantile: float | None = None
    """Quantile of those scores, for the quantile rule."""


def fit_threshold(scores: npt.ArrayLike, quantile: float = 0.995, margin: float = 1.4) -> Threshold:
    """A quantile of the scores of normal operation, times a safety margin.

    >>> fit_threshold([1.0, 1.0, 1.0]).value
    1.4
    """
    values = np.asarray(scores, np.float64)
    return Threshold(float(np.quantile(values, quantile) * margin), "quantile", len(values), quantile)
