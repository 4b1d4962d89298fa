"""Prediction intervals by step and hour of the day, and widths that follow what comes.

The model file holds quantiles of residuals of rows that the weights never saw, by step, in units of the hour's usual residual (split
conformal prediction). On a stream each end is moved after every row, by how often it was missed beside how often it may be
(adaptive conformal inference, Gibbs and Candès, arXiv 2106.00170; here an end moves, not the quantile's level, as in
arXiv 2307.16895): whatever the series does, the share of values outside an end goes to the one promised, at each hour of the day.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..alarms.local_time import FIRST, LAST
from ..io.time_zones import local_seconds
from .features import InputFeatures

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
DAY, HOUR = 86_400.0, 3600.0  # seconds
HOURS = 24
# An end that is missed at every row moves by this many half widths a day, beyond the share it may be missed. An end that has to move by r
# half widths for its share to be right, is missed too often or too seldom by r / (DAYS * rate) at most over so many days: with
# 0.5 an hour's ends that have to move by a whole half width are within 2 % of their share after 100 days.
ALL_HOURS, ONE_HOUR = 1.0, 0.5
INNERMOST, OUTERMOST = -1.0, 100.0  # half widths that ends may stand at: -1 is the other end


class Intervals:
    """Intervals of one model.

    Ends stand at some half widths from the middle: 1 is the model file's own. An array of such `factors` has the shape
    (1 + 24, L, 2, C) for L levels, lower and upper ends and C targets: those of all hours, and what each hour adds.

    Args:
        features: The model's, with intervals or without.
        horizon: Rows forecast, H.
        period: Seconds between rows; None where rows have no times.
    """

    def __init__(self, features: InputFeatures, horizon: int, period: float | None) -> None:
        levels = {int(level): ends for level, ends in (features.intervals or {}).items()}
        self.levels = tuple(sorted(levels))
        """Percent of the values that each is meant to hold."""
        self._zone, self._targets = features.zone, features.targets
        pairs = [(levels[level]["lower"], levels[level]["upper"]) for level in self.levels]
        ends = np.asarray(pairs, np.float64).reshape(len(pairs), 2, horizon, features.targets)
        self._middle, self._half = ends.mean(axis=1), (ends[:, 1] - ends[:, 0]) / 2  # (L, H, C)
        self._scale = None if features.hours is None else np.asarray(features.hours, np.float64)
        self._promised = np.array([(1 - level / 100) / 2 for level in self.levels])[:, None, None]
        rows = DAY / period if period else features.patch
        self._rates = (ALL_HOURS / max(1.0, rows), ONE_HOUR / max(1.0, rows / HOURS))

    def fresh(self) -> Doubles:
        """Return the factors of the model file's own intervals."""
        factors = np.zeros((1 + HOURS, len(self.levels), 2, self._targets))
        factors[0] = 1.0
        return factors

    def hours(self, times: npt.ArrayLike) -> Places:
        """Return the hours of the day of some moments, on the clock of the model's zone; 0 where they are no dates.

        Args:
            times: Seconds since 1970, or row numbers, shape (N,).
        """
        moments = np.asarray(times, np.float64)
        if not ((moments >= FIRST) & (moments < LAST)).all():
            return np.zeros(moments.shape, np.int64)
        return np.floor(local_seconds(moments, self._zone) / HOUR).astype(np.int64) % HOURS

    def ends(self, steps: Places, hours: Places, factors: Doubles) -> Doubles:
        """Return the residuals at the ends of all intervals, shape (N, L, 2, C), units of the model's answer.

        Args:
            steps: Steps of forecasts, from 0, shape (N,).
            hours: Hours of their moments, shape (N,).
            factors: Factors, one array or one a step, shape (1 + 24, L, 2, C) or (N, 1 + 24, L, 2, C).
        """
        places = np.arange(len(steps))
        every = factors if factors.ndim == 5 else np.broadcast_to(factors, (len(steps), *factors.shape))
        reach = np.clip(every[:, 0] + every[places, 1 + hours], INNERMOST, OUTERMOST)
        middle, half = (np.moveaxis(part[:, steps], 1, 0)[:, :, None] for part in (self._middle, self._half))
        ends = middle + np.array([-1.0, 1.0])[:, None] * reach * half
        return np.asarray(ends if self._scale is None else ends * self._scale[hours][:, None, None])

    def adapted(self, factors: Doubles, hour: int, missed: Doubles) -> Doubles:
        """Return the factors after a row.

        Args:
            factors: Before it.
            hour: Its hour of the day.
            missed: Share of its forecasts whose lower and upper ends it lies outside, shape (L, 2, C); NaN is not known.
        """
        excess = np.nan_to_num(missed - self._promised)
        moved = factors.copy()
        moved[0] += self._rates[0] * excess
        moved[1 + hour] += self._rates[1] * excess
        return np.clip(moved, -OUTERMOST, OUTERMOST)
