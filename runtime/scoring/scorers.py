"""From a model's output to an anomaly score: the same code in training, calibration and on the device.

High always means anomalous. Scoring says how unusual a sample is; deciding (thresholds, events) is elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import mul, sub

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

Doubles = npt.NDArray[np.float64]
METHODS = ("mean", "max", "mahalanobis", "dual")


@dataclass(frozen=True)
class Scoring:
    """How an output becomes a score; fitted on errors of normal operation."""

    method: str = "mean"
    """mean, max or mahalanobis over the channels' standardized error sizes; dual: see `DualScorer`."""
    rows: int = 1
    """Newest rows of an autoencoder's window whose errors are averaged."""
    center: tuple[float, ...] = ()
    """Error a channel that counts as none, scaled units: 0, or the mean in normal operation for mahalanobis."""
    scale: tuple[float, ...] = ()
    """Usual error a channel (root mean square, or deviation for mahalanobis), scaled units."""
    precision: tuple[tuple[float, ...], ...] = ()
    """Inverse covariance (F, F) of the standardized errors, for mahalanobis (EncDec-AD, arXiv 1607.00148)."""
    smoothing: float = 1.0
    """Weight of the newest score in the exponential average; 1 is none. Not for dual."""
    quick: float = 1.0
    """Dual: weight of the newest in the average of error sizes."""
    slow: float = 1.0
    """Dual: weight of the newest in the average of signed errors."""
    memory: float = 1.0
    """Dual: samples over which what is usual is followed."""
    level: tuple[float, ...] = ()
    """Dual: usual size, then usual signed error a channel, standardized; 1 + F numbers."""
    spread: tuple[float, ...] = ()
    """Dual: their variances."""
    ratio: tuple[float, ...] = ()
    """Dual: deviation of the averages, as a share of that of the single values."""


class Scorer:
    """A `Scoring` with its arrays ready, and the smoothing's state.

    >>> scorer = Scorer(Scoring(center=(0.0,), scale=(1.0,)))
    >>> score, contribution = scorer.update(np.array([3.0]))
    >>> round(score, 3)
    3.0
    """

    def __init__(self, scoring: Scoring) -> None:
        if scoring.method not in METHODS:
            raise ConfigError(f"A scoring method is one of {', '.join(METHODS)}; received {scoring.method!r}.")
        self.scoring = scoring
        self._center = tuple(scoring.center)
        self._inverse = tuple(1.0 / scale for scale in scoring.scale)
        self._zeros = (0.0,) * len(scoring.center)
        self._share = 1.0 / math.sqrt(max(1, len(scoring.center)))
        self._centered = any(scoring.center)
        self._precision = np.asarray(scoring.precision, np.float64)
        self.smoothed: float | None = None

    def update(self, error: Iterable[float], masked: Collection[int] = ()) -> tuple[float, tuple[float, ...]]:
        """The newest sample's score and each channel's part in it.

        Plain floats, `math.hypot` and no BLAS: the same bits on every platform, and for a handful of channels several
        times faster than NumPy calls, whose code the model's call has just driven out of the processor's cache.

        Args:
            error: Error a channel, signed or absolute, shape (F,), scaled units.
            masked: Channels whose error is none; only `DualScorer` has to know.

        Returns:
            The smoothed score, and each channel's part in it, shape (F,): it grows with the square of that.
        """
        if self._centered:
            z = tuple(map(max, map(mul, map(sub, map(abs, error), self._center), self._inverse), self._zeros))
        else:  # the same numbers but for their signs, in a third of the time
            z = tuple(map(mul, error, self._inverse))
        if self.scoring.method == "mahalanobis":
            pulled = (self._precision * z).sum(axis=1).tolist()  # not @: BLAS rounds differently between platforms
            z = tuple(map(math.sqrt, map(max, map(mul, z, pulled), self._zeros)))
        raw = max(map(abs, z)) if self.scoring.method == "max" else math.hypot(*z) * self._share
        before = self.smoothed
        self.smoothed = smoothed = raw if before is None else before + self.scoring.smoothing * (raw - before)
        return smoothed, z

    def reset(self) -> None:
        """Forget the smoothing's state."""
        self.smoothed = None

    def to_state(self) -> float | None:
        """What `restore` needs."""
        return self.smoothed

    def restore(self, state: float | None) -> None:
        """Continue from what `to_state` returned."""
        self.smoothed = None if state is None else float(state)


def fit_scoring(errors: Doubles, method: str = "mean", rows: int = 1, smoothing: float = 1.0) -> Scoring:
    """Fit the per-channel scales on errors of normal operation.

    Args:
        errors: Errors a sample, signed or absolute, shape (N, F), scaled units.
        method: mean, max or mahalanobis.
        rows: See `Scoring`.
        smoothing: See `Scoring`.
    """
    errors = np.abs(errors)
    if method == "mahalanobis":
        center, spread = errors.mean(axis=0), errors.std(axis=0)
    else:  # the ratio to the usual error: a channel the model cannot explain anyway stays quiet by itself
        center, spread = np.zeros(errors.shape[1]), np.sqrt((errors**2).mean(axis=0))
    scale = np.maximum(spread, max(1e-6, 0.01 * float(spread.max(initial=0.0))))
    precision: tuple[tuple[float, ...], ...] = ()
    if method == "mahalanobis":
        z = (errors - center) / scale
        shrunk = 0.9 * np.cov(z, rowvar=False).reshape(z.shape[1], -1) + 0.1 * np.eye(z.shape[1])
        precision = tuple(tuple(map(float, row)) for row in np.linalg.inv(shrunk))
    return Scoring(method, rows, tuple(map(float, center)), tuple(map(float, scale)), precision, smoothing)
