"""Generalized Pareto tail: extrapolation from the highest scores to rarer ones (extreme value theory)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
EXPONENTIAL = 1e-9  # shapes below it are that of an exponential tail


@dataclass(frozen=True)
class ParetoTail:
    """Distribution of the excesses over a high level."""

    shape: float
    """Shape: 0 for an exponential tail, above 0 for a heavier one, below 0 for one with an end."""
    scale: float
    """Scale, in units of the score."""

    def excess(self, ratio: float) -> float:
        """Return the excess that a share of the excesses is above.

        Args:
            ratio: That share, 0 to 1.

        >>> round(ParetoTail(0.0, 2.0).excess(0.01), 3)
        9.21
        """
        if abs(self.shape) < EXPONENTIAL:
            return self.scale * math.log(1 / ratio)
        return self.scale / self.shape * (math.pow(ratio, -self.shape) - 1)


def fit_tail(excesses: npt.ArrayLike) -> ParetoTail:
    """Fit a tail by maximum likelihood on one axis (Grimshaw 1993).

    For a given theta = shape / scale the best shape is the mean of log(1 + theta x): the likelihood is searched over theta.
    Shapes are held within -0.5 and 0.5: outside, a few excesses would decide everything.

    Args:
        excesses: Excesses over the level, one at least, not negative.

    >>> fit_tail(np.random.default_rng(0).exponential(2.0, 20_000)).scale.__round__(1)
    2.0
    """
    peaks = np.asarray(excesses, np.float64)
    mean, most = float(peaks.mean()), float(peaks.max())
    if most <= 0:
        return ParetoTail(0.0, 1e-12)
    low = -1 / most * (1 - 1e-6)
    thetas = np.concatenate([np.linspace(low, -1e-6 / mean, 400), np.geomspace(1e-6 / mean, 100 / mean, 400)])
    shapes = np.log1p(thetas[:, None] * peaks).mean(axis=1)
    kept = (np.abs(shapes) <= 0.5) & (shapes * thetas > 0)
    likelihood = np.where(kept, -np.log(np.where(kept, shapes / thetas, 1.0)) - shapes - 1, -np.inf)
    best = int(np.argmax(likelihood))
    if likelihood[best] <= -math.log(mean) - 1 + 1e-12:  # the exponential tail, shape 0, is as likely
        return ParetoTail(0.0, mean)
    return ParetoTail(float(shapes[best]), float(shapes[best] / thetas[best]))
