"""The linear part of a forecaster, solved for in one pass instead of by gradient steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .batches import Batches

RIDGE = 0.25  # penalty by the inputs' mean square and their number a window: the less data, the more shrinkage
ALONE = 1.0  # the same for a linear forecast whose errors are scored by themselves


def set_linear(model: Any, batches: Batches) -> None:
    """Give the layer `linear` the ridge regression of the targets on the windows, and `forecast` a silent start.

    Args:
        model: A forecaster with a linear part.
        batches: Training windows; the normal equations are summed up batch by batch, so memory stays flat.
    """
    width = model.get_layer("linear").kernel.shape[0]
    pairs = ((windows.reshape(-1, width), targets) for windows, targets in (batches[i] for i in range(len(batches))))
    model.get_layer("linear").set_weights(_ridge(pairs, RIDGE))
    model.get_layer("linear").trainable = False
    forecast = model.get_layer("forecast")
    forecast.set_weights([0.0 * part for part in forecast.get_weights()])


def solve_linear(batches: Batches, order: int) -> list[Any]:
    """Return kernel (order * F, H * F) and bias (H * F,) of the linear forecast from the newest rows of each window.

    Args:
        batches: Training windows with their targets.
        order: Newest rows that the forecast reads.
    """
    pairs = (
        (windows[:, -order:].reshape(len(windows), -1), targets)
        for windows, targets in (batches[i] for i in range(len(batches)))
    )
    return _ridge(pairs, ALONE)


def _ridge(pairs: Iterable[tuple[Any, Any]], ridge: float) -> list[Any]:
    """Return kernel and bias of the ridge regression of targets (B, ...) on inputs (B, P), given batch by batch."""
    gram: Any = 0.0
    moment: Any = 0.0
    count = 0
    for flat, targets in pairs:
        count += len(flat)
        inputs = np.concatenate([flat.astype(np.float64), np.ones((len(flat), 1))], axis=1)
        gram = gram + inputs.T @ inputs
        moment = moment + inputs.T @ targets.reshape(len(flat), -1)
    strength = ridge * (len(gram) - 1) / count * float(np.diag(gram)[:-1].mean())
    penalty = np.full(len(gram), max(strength, 1e-9))
    penalty[-1] = 1e-9
    solved = np.linalg.solve(gram + np.diag(penalty), moment).astype(np.float32)
    return [solved[:-1], solved[-1]]
