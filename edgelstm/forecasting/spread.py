"""Learn how large a forecast's errors will be, from the training rows; see the runtime's `spread`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.spread import signs, spread

from .data import Pairs

Array = npt.NDArray[Any]
MOST = 12_000  # examples that it is fitted on
RIDGE = 1e-3  # penalty on the squares of the weights of standardized signs
TURNS = 30  # Newton steps; the objective is convex, ten are enough
SHORTEST = 1e-4  # share of a Newton step
SMALLEST = 1e-3  # of the usual size: a faultless forecast does not draw the logarithms to minus infinity
DIGITS = 3  # of weights in the file, behind the point: a size is off by some tenths of a percent then


def fit_spread(features: InputFeatures, learn: Pairs, answers: Array) -> list[float]:
    """Fit the logarithm of the size of errors by maximum likelihood of double exponential ones; a convex problem.

    Args:
        features: The model's.
        learn: Training examples.
        answers: What the model answers to them, shape (N, H).

    Returns:
        What `InputFeatures.spread` holds.
    """
    sizes = np.abs(np.asarray(learn.answers, np.float64) - answers).mean(axis=1)
    usual = max(float(sizes.mean()), 1e-9)
    told = signs(learn.history, learn.context, answers)
    middle, width = told.mean(axis=0), told.std(axis=0)
    width = np.where(width > 1e-6, width, np.inf)  # what never moves says nothing
    fitted = _minimized(np.c_[(told - middle) / width, np.ones(len(told))], np.maximum(sizes / usual, SMALLEST))
    weights = fitted[:-1] / width
    constant = fitted[-1] - weights @ middle
    return [float(f"{usual:.6g}"), *np.round([*weights, constant], DIGITS).tolist()]


def _minimized(inputs: Array, sizes: Array) -> Array:
    """Weights w of the least mean of sizes * exp(-inputs @ w) + inputs @ w, by Newton's steps."""
    penalty = np.full(inputs.shape[1], RIDGE)
    penalty[-1] = 1e-9

    def objective(weights: Array) -> float:
        logs = inputs @ weights
        with np.errstate(over="ignore"):  # a step too far is cut in halves
            return float((sizes * np.exp(-logs) + logs).mean() + (penalty * weights**2).sum() / 2)

    weights = np.zeros(inputs.shape[1])
    for _ in range(TURNS):
        shares = sizes * np.exp(-inputs @ weights)
        slope = (inputs * (1 - shares)[:, None]).mean(axis=0) + penalty * weights
        bend = (inputs * shares[:, None]).T @ inputs / len(inputs) + np.diag(penalty)
        step, share, before = np.linalg.solve(bend, slope), 1.0, objective(weights)
        while share > SHORTEST and not objective(weights - share * step) < before:
            share /= 2
        if share <= SHORTEST:
            break
        weights = weights - share * step
    return np.asarray(weights)


def with_spread(features: InputFeatures, learn: Pairs, learned: Array, judge: Pairs, judged: Array) -> InputFeatures:
    """Features with a learned spread, where the errors of the validation rows are likelier with it than without.

    Args:
        features: The model's.
        learn: Training examples.
        learned: What the model answers to them, shape (N, H).
        judge: Validation examples.
        judged: What it answers to these.
    """
    made = replace(features, spread=fit_spread(features, learn, learned))
    sizes = np.abs(np.asarray(judge.answers, np.float64) - judged).mean(axis=1)
    spreads = spread(made, judge.inputs, judged)[:, 0]
    sizes = np.maximum(sizes, 1e-12)
    with_it = np.log((sizes / spreads).mean()) + np.log(spreads).mean()  # but for its scale, which the intervals set
    return made if with_it < np.log(sizes.mean()) else features
