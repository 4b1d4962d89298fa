"""The learned size of a forecast's errors, which its intervals are multiples of.

Heat waves, holidays and restless days are harder to forecast than others. The logarithm of the size is a linear function of what is known
when the forecast is made: the context, how much the past moved, and how far the forecast itself goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .features import InputFeatures

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]
LEAST = 1e-3  # units of the model's answer, added before logarithms: a past that stands still has a finite one
FURTHEST = 10.0  # times the usual size that a forecast's may be, or the share of it


def signs(history: Array, context: Array, answers: Array) -> Doubles:
    """Numbers that the size is judged by, shape (N, K + 7).

    Args:
        history: Shape (N, n, P).
        context: Shape (N, K).
        answers: The model's, shape (N, H).
    """
    past, ahead = np.asarray(history, np.float64), np.asarray(answers, np.float64)
    count, patches, patch = past.shape
    newest, before = past[:, -1], past[:, max(0, patches - 2)]
    repeated = np.tile(newest, (1, -(-ahead.shape[1] // patch)))[:, : ahead.shape[1]]
    between = np.abs(np.diff(past, axis=1)).sum(axis=(1, 2)) / max(1, (patches - 1) * patch)
    rows = past.reshape(count, -1)[:, -max(2, patch) :]
    moves = np.stack([
        np.abs(newest - before).mean(axis=1), between, newest.std(axis=1), np.abs(np.diff(rows, axis=1)).mean(axis=1),
        np.abs(ahead - repeated).mean(axis=1), np.abs(ahead).mean(axis=1), ahead.std(axis=1),
    ], axis=1)  # fmt: skip
    return np.concatenate([np.asarray(context, np.float64), np.log(LEAST + moves)], axis=1)


def spread(features: InputFeatures, inputs: Sequence[Array], answers: Array) -> Doubles:
    """Size of the errors of some forecasts, units of the model's answer, shape (N, 1); 1 where the model has not learned it.

    Args:
        features: The model's.
        inputs: Histories (N, n, P) and contexts (N, K).
        answers: The model's, shape (N, H).
    """
    history, context = inputs
    if features.spread is None:
        return np.ones((len(history), 1))
    usual, *weights = np.asarray(features.spread, np.float64)
    moved = signs(history, context, answers) @ np.asarray(weights[:-1]) + weights[-1]
    reach = np.log(FURTHEST)
    return np.asarray(usual * np.exp(np.clip(moved, -reach, reach))[:, None])
