"""Scores of single samples: mean, max and Mahalanobis distance of standardized errors, averaged over time on request.

Plain floats, `math.hypot` and no BLAS: the same bits on every platform, and for a handful of channels several times
faster than NumPy calls, whose code the model's call has just driven out of the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from operator import mul, sub
from typing import Any

import numpy as np

from .scorer import Doubles, Scored, Scorer, Scoring, comparable_mean_square

SHRINKAGE = 0.1  # share of the unit matrix in a covariance, so that it has an inverse


class PointwiseScorer(Scorer):
    """Base of the scores of single samples.

    Args:
        scoring: Fitted parameters.
    """

    def __init__(self, scoring: Scoring) -> None:
        super().__init__(scoring)
        self._inverse = tuple(1.0 / scale for scale in scoring.scale)
        self._share = 1.0 / math.sqrt(max(1, len(scoring.scale)))
        self._smoothed: float | None = None

    @classmethod
    def fit(cls, errors: Doubles, style: Scoring) -> Scoring:
        """See `Scorer`. An error counts as a multiple of its size in normal operation.

        So a channel that the model cannot explain anyway does not raise the score.
        """
        return _with_scale(style, np.zeros(errors.shape[1]), np.sqrt((errors**2).mean(axis=0)))

    def update(self, error: Iterable[float], masked: Collection[int] = ()) -> Scored:
        """See `Scorer`."""
        parts = self._parts(error, masked)
        score, before = self._combine(parts, len(parts) - len(masked)), self._smoothed
        self._smoothed = score = score if before is None else before + self.scoring.smoothing * (score - before)
        return score, parts

    def _parts(self, error: Iterable[float], masked: Collection[int]) -> tuple[float, ...]:
        parts = tuple(map(mul, error, self._inverse))
        return tuple([0.0 if i in masked else part for i, part in enumerate(parts)]) if masked else parts

    def _combine(self, parts: tuple[float, ...], valid: int) -> float:
        """Return the score of a sample from its parts, of which some are valid and the others 0."""
        length = math.hypot(*parts)
        if valid == len(parts):
            return length * self._share
        return math.sqrt(comparable_mean_square(length * length, valid, len(parts)))

    def reset(self) -> None:
        """See `Scorer`."""
        self._smoothed = None

    def to_state(self) -> dict[str, Any]:
        """Return the average of the scores, as plain JSON types."""
        return {"smoothed": self._smoothed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self._smoothed = None if state["smoothed"] is None else float(state["smoothed"])


class MeanScorer(PointwiseScorer):
    """Root mean square of the standardized errors.

    >>> MeanScorer(Scoring("mean", scale=(1.0, 2.0, 4.0, 1.0))).update([3.0, 6.0, 12.0, 3.0])
    (3.0, (3.0, 3.0, 3.0, 3.0))
    """


class MaxScorer(PointwiseScorer):
    """Largest of the standardized errors.

    >>> MaxScorer(Scoring("max", scale=(1.0, 2.0))).update([-3.0, 2.0])
    (3.0, (-3.0, 1.0))
    """

    def _combine(self, parts: tuple[float, ...], valid: int) -> float:
        return max(map(abs, parts))


class MahalanobisScorer(PointwiseScorer):
    """Mahalanobis distance of the standardized error sizes (EncDec-AD, Malhotra et al. 2016, arXiv 1607.00148).

    Args:
        scoring: Fitted parameters.
    """

    def __init__(self, scoring: Scoring) -> None:
        super().__init__(scoring)
        self._center = tuple(scoring.center)
        self._zeros = (0.0,) * len(scoring.center)
        self._precision = np.asarray(scoring.precision, np.float64)
        self._marginals: dict[tuple[int, ...], Doubles] = {}

    @classmethod
    def fit(cls, errors: Doubles, style: Scoring) -> Scoring:
        """See `Scorer`."""
        sizes = np.abs(errors)
        center = sizes.mean(axis=0)
        fitted = _with_scale(style, center, sizes.std(axis=0))
        z = (sizes - center) / fitted.scale
        shrunk = (1 - SHRINKAGE) * np.cov(z, rowvar=False).reshape(z.shape[1], -1) + SHRINKAGE * np.eye(z.shape[1])
        return replace(fitted, precision=tuple(tuple(map(float, row)) for row in np.linalg.inv(shrunk)))

    @classmethod
    def check(cls, scoring: Scoring) -> None:
        """See `Scorer`."""
        channels = len(scoring.scale)
        if [len(row) for row in scoring.precision] != [channels] * channels:
            raise ValueError(f"a covariance that is not of {channels} channels")

    def _parts(self, error: Iterable[float], masked: Collection[int]) -> tuple[float, ...]:
        sizes = map(mul, map(sub, map(abs, error), self._center), self._inverse)
        z = tuple(map(max, sizes, self._zeros))
        precision = self._marginal(tuple(sorted(masked))) if masked else self._precision
        weighted = (precision * z).sum(axis=1).tolist()  # not @: BLAS rounds differently between platforms
        return tuple(map(math.sqrt, map(max, map(mul, z, weighted), self._zeros)))

    def _marginal(self, masked: tuple[int, ...]) -> Doubles:
        """Return the inverse covariance of the other channels, 0 in the rows and columns of the masked ones."""
        if masked not in self._marginals:
            valid = [i for i in range(len(self._precision)) if i not in masked]
            covariance = np.linalg.inv(self._precision)
            marginal = np.zeros_like(self._precision)
            marginal[np.ix_(valid, valid)] = np.linalg.inv(covariance[np.ix_(valid, valid)])
            self._marginals[masked] = marginal
        return self._marginals[masked]


def _with_scale(style: Scoring, center: Doubles, spread: Doubles) -> Scoring:
    """Return the style with center and scale; a channel that never errs does not divide by zero."""
    scale = np.maximum(spread, max(1e-6, 0.01 * float(spread.max(initial=0.0))))
    return Scoring(style.method, style.rows, tuple(map(float, center)), tuple(map(float, scale)), (), style.smoothing)
