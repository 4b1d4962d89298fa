"""The linear path of a forecaster: ridge regression of the hours to come on past and context."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .data import Pairs

Array = npt.NDArray[Any]
BLOCK = 4096  # examples whose normal equations are summed up at a time
RIDGE = 5e-3  # penalty as a share of the inputs' mean sum of squares: large weights of opposite sign cannot be rounded to 8 bits
STRONG = 0.5  # that of the second map of a short history; 0.2 and 1 forecast as well
LOOKS = 3  # a look-back of 14 days is averaged with 7 and 4 of them
CLEARLY = 0.99  # of the validation error of several look-backs' mean: what one look-back has to reach


@dataclass(frozen=True)
class LinearMap:
    """Weights of the path."""

    kernel: Array
    """Of the history, shape (n * P, H)."""
    season: Array
    """Of the context, shape (K, H)."""
    bias: Array
    """Shape (H,)."""

    def forecast(self, examples: Pairs) -> Array:
        """Forecast some examples, shape (N * C, H).

        Args:
            examples: Inputs of N origins and C targets.
        """
        past = examples.history.reshape(len(examples), -1) @ self.kernel
        return np.asarray(past + examples.context @ self.season + self.bias)

    def error(self, examples: Pairs) -> float:
        """Mean absolute error, scaled units.

        Args:
            examples: Inputs and answers.
        """
        return float(np.abs((self.forecast(examples) - examples.answers) * examples.unit).mean())

    def set(self, model: Any, *, trainable: bool) -> None:
        """Set a network's linear path to it.

        Args:
            model: The network.
            trainable: Whether training may go on from there.
        """
        for name, weights in (("linear", [self.kernel, self.bias]), ("season", [self.season])):
            layer = model.get_layer(name)
            layer.set_weights(weights)
            layer.trainable = trainable


@dataclass(frozen=True)
class Equations:
    """Normal equations of answers on n patches of P rows, K numbers of context, and 1."""

    gram: Array
    """Shape (n * P + K + 1, n * P + K + 1)."""
    moment: Array
    """Shape (n * P + K + 1, H)."""
    patches: int
    """n."""
    patch: int
    """P."""

    @classmethod
    def of(cls, history: Array, context: Array, answers: Array) -> Equations:
        """Sum them up over examples.

        Args:
            history: Shape (N, n, P).
            context: Shape (N, K).
            answers: Shape (N, H).
        """
        gram: Any = 0.0
        moment: Any = 0.0
        for start in range(0, len(history), BLOCK):
            part = slice(start, start + BLOCK)
            flat = history[part].reshape(len(history[part]), -1)
            inputs = np.concatenate([flat, context[part], np.ones((len(flat), 1))], axis=1).astype(np.float64)
            gram = gram + inputs.T @ inputs
            moment = moment + inputs.T @ answers[part]
        return cls(gram, moment, *history.shape[1:])

    def solve(self, looks: int = 1, *, with_context: bool = True) -> LinearMap:
        """Ridge regression; past and context are penalized by their own sizes each.

        Args:
            looks: Regressions whose mean is returned, which is a linear map, too: on all patches, on the newest half of
                them, on a quarter, and so on; older ones have no weight.
            with_context: Whether the context is part of it, or has no weight.
        """
        lags = self.patches * self.patch
        spans = {-(-self.patches // 2**turn) for turn in range(looks)}
        maps = [self._solved(span * self.patch, with_context) for span in sorted(spans)]
        solved = np.mean(maps, axis=0).astype(np.float32)
        return LinearMap(solved[:lags], solved[lags:-1], solved[-1])

    def shrunk(self, aim: Array) -> LinearMap:
        """Ridge regression with a hundred times the penalty, on the distance from given weights of the past.

        Args:
            aim: Shape (n * P, H).
        """
        lags = self.patches * self.patch
        start = np.zeros(self.moment.shape)
        start[:lags] = aim
        rest = replace(self, moment=self.moment - self.gram @ start)
        solved = np.asarray(start + rest._solved(lags, True, STRONG), np.float32)
        return LinearMap(solved[:lags], solved[lags:-1], solved[-1])

    def _solved(self, newest: int, with_context: bool, ridge: float = RIDGE) -> Array:
        """Weights of the newest lags, and perhaps of the context; 0 for the others."""
        lags, size = self.patches * self.patch, len(self.gram)
        past, known = np.arange(lags - newest, lags), np.arange(lags, size - 1) if with_context else np.zeros(0, int)
        kept, sizes = np.r_[past, known, size - 1], np.diag(self.gram)
        means = [sizes[past].mean(), sizes[known].mean() if len(known) else 0.0]
        penalty = np.maximum(ridge * np.repeat(means, [len(past), len(known)]), 1e-9)
        solved = np.zeros(self.moment.shape)
        solved[kept] = np.linalg.solve(self.gram[np.ix_(kept, kept)] + np.diag([*penalty, 1e-9]), self.moment[kept])
        return solved


def best_alone(equations: Equations, judge: Pairs, week: int = 0) -> LinearMap:
    """Choose the map that stands alone: the mean of several look-backs', unless one on all of the past is clearly better.

    Which look-back is best changes with the seasons. On three stretches of ETTh1's training and validation months, the oil
    temperature's regression on 14 days had from 3.7 % less to 2.9 % more error than that on 4; the mean 1.7 to 3.2 % less.

    A short history gets the mean of that map and a strongly shrunk one: towards 0 or towards last week, whichever forecasts the
    validation rows better. 20 stretches of each of five series gave 5, 5, 4, 6 and 5 % less error on the rows after them
    where they were of 5, 8, 12, 17 and 26 weeks; 2 and 1 %, and more error on some series, of 38 and 52.

    Args:
        equations: Of the training examples.
        judge: Validation examples.
        week: Rows a week where the history is short; 0 where it is long, or has no weeks. A look-back below a week is left alone.
    """
    whole, averaged = equations.solve(), equations.solve(LOOKS)
    best = whole if whole.error(judge) < CLEARLY * averaged.error(judge) else averaged
    lags, horizon = best.kernel.shape
    if not 0 < week <= lags:
        return best
    aims = np.zeros((lags, horizon)), last_week(lags, horizon, week)
    return min((_mean(best, equations.shrunk(aim)) for aim in aims), key=lambda one: one.error(judge))


def last_week(lags: int, horizon: int, week: int) -> Array:
    """Weights of the forecast by last week's values plus the newest value's distance from that of a week before.

    Args:
        lags: Rows of the past, a week at least; of just a week its oldest row, a row late, stands for that of a week before.
        horizon: Rows to forecast, H.
        week: Rows a week.

    Returns:
        Shape (lags, H).
    """
    weights = np.zeros((lags, horizon))
    steps = np.arange(horizon)
    weights[lags - week + steps % week, steps] = 1
    weights[-1] += 1
    weights[max(lags - 1 - week, 0)] -= 1
    return weights


def _mean(first: LinearMap, second: LinearMap) -> LinearMap:
    """Return the mean of two maps' forecasts, which is a linear map, too."""
    return LinearMap(
        (first.kernel + second.kernel) / 2, (first.season + second.season) / 2, (first.bias + second.bias) / 2
    )
