"""Anomaly scores: their parameters, and the base of those at work.

High always means anomalous. A score says how unusual a sample is; thresholds and events are elsewhere. The scores are
listed in `registry`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Scored = tuple[float, tuple[float, ...]]
"""The score of a sample, and each channel's part in it, shape (F,)."""


@dataclass(frozen=True)
class Scoring:
    """Parameters of a score; those of a style (`method`, `rows` and weights) come first, the others are fitted."""

    method: str = "mean"
    """Name of the score in the registry."""
    rows: int = 1
    """Newest rows of an autoencoder's window whose errors are averaged."""
    center: tuple[float, ...] = ()
    """Error a channel that counts as none, scaled units: 0, or the mean in normal operation for mahalanobis."""
    scale: tuple[float, ...] = ()
    """Error a channel in normal operation (root mean square, or deviation for mahalanobis), scaled units."""
    precision: tuple[tuple[float, ...], ...] = ()
    """Inverse covariance (F, F) of the standardized errors, for mahalanobis (EncDec-AD, arXiv 1607.00148)."""
    smoothing: float = 1.0
    """Weight of the newest score, for witnesses of the newest squared error, in the exponential average; 1 is none. Not
    for ewma."""
    quick: float = 1.0
    """For ewma (and the chart of witnesses): weight of the newest sample in the average of error sizes."""
    slow: float = 1.0
    """For ewma: weight of the newest sample in the average of signed errors."""
    memory: float = 1.0
    """For ewma: samples over which the baseline is followed."""
    level: tuple[float, ...] = ()
    """For ewma: baseline means of the error size, then of each channel's signed error, standardized, shape (1 + F,). For
    witnesses those of the trusted one, then, if that is another, those of the first."""
    spread: tuple[float, ...] = ()
    """For ewma: baseline variances, shaped like `level`."""
    ratio: tuple[float, ...] = ()
    """For ewma: deviation of the averages as a share of that of single values, shaped like `level`."""
    witnesses: int = 1
    """For witnesses: rows of the model's output that each forecast the next sample, K; `scale` has K * F numbers then."""
    trusted: int = 0
    """For witnesses: row whose errors the control chart watches."""
    reads: tuple[int, ...] = ()
    """For witnesses: values that the first and the trusted forecast are made from."""
    limits: tuple[float, ...] = ()
    """For witnesses: size of the first forecast's errors, and chart, that normal operation hardly exceeds."""
    bars: tuple[float, ...] = ()
    """For witnesses: deviations that a judge's readings have to exceed for an alarm: the size of errors, the largest single
    one, and the bias, for each judge, in the order of `level`; empty for no judges. For ewma what counts as 1."""


class Scorer:
    """A score at work on one stream; the base of all scores.

    Args:
        scoring: Fitted parameters.
    """

    rule: ClassVar[str] = "quantile"
    """Threshold rule that suits the score."""

    def __init__(self, scoring: Scoring) -> None:
        self.scoring = scoring

    @classmethod
    def style(cls, method: str, rows: int, smoothing: float) -> Scoring:
        """Return the score's style as training asks for it.

        Args:
            method: Name of the score.
            rows: Newest rows of an autoencoder's window to average.
            smoothing: Weight of the newest score in an average, 1 for none.
        """
        return Scoring(method, rows, smoothing=smoothing)

    @classmethod
    def fit(cls, errors: Doubles, style: Scoring) -> Scoring:
        """Fit the parameters on errors of normal operation.

        Args:
            errors: Errors in time order, signed (absolute when averaged over rows), shape (N, F), scaled units.
            style: Method, rows and weights.
        """
        raise NotImplementedError

    @classmethod
    def check(cls, scoring: Scoring) -> None:
        """Refuse fitted parameters that the score cannot work with.

        Raises:
            ValueError: With the reason.
        """

    def update(self, error: Iterable[float], masked: Collection[int] = ()) -> Scored:
        """Take the newest sample.

        Args:
            error: Its error, shape (F,), scaled units; of several witnesses one after the other.
            masked: Indices of the channels whose error does not count, fewer than F.

        Returns:
            The score, and each channel's part in it, shape (F,), 0 where masked: the score grows with its square.
        """
        raise NotImplementedError

    def bar(self, score: float, threshold: float) -> float:
        """Return what the score of the newest sample has to exceed to be an anomaly: the threshold, or more.

        Args:
            score: What `update` has just returned.
            threshold: The threshold in force.
        """
        return threshold

    def reset(self) -> None:
        """Forget the recent samples, as after a gap."""

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types."""
        return {}

    def restore(self, state: Any) -> None:
        """Continue from what `to_state` returned."""


def comparable_mean_square(total: float, valid: int, channels: int) -> float:
    """Return the mean square over some channels, made comparable with that over all.

    A mean over fewer channels varies more, and would exceed a threshold for all of them more often. Standardized errors have
    a mean square of 1 in normal operation, and its variance falls with their number: so the distance from 1 is scaled by
    the square root of the share of valid channels, which gives the same mean and variance for independent channels.

    Args:
        total: Sum of the squares over the valid channels.
        valid: Number of valid channels, 1 at least.
        channels: Number of all channels.

    >>> comparable_mean_square(total=9.0, valid=1, channels=4)
    5.0
    """
    return 1.0 + (total / valid - 1.0) * math.sqrt(valid / channels)
