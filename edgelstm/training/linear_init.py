"""The linear part of a forecaster, solved for in one pass instead of by gradient steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .batches import Batches

RIDGE = 0.25  # penalty by the inputs' mean square and their number a window: the less data, the more shrinkage


def set_linear(model: Any, batches: Batches) -> None:
    """Give the layer `linear` the ridge regression of the targets on the windows, and `forecast` a silent start.

    Args:
        model: A forecaster with a linear part.
        batches: Training windows; the normal equations are summed up batch by batch, so memory stays flat.
    """
    gram: Any = 0.0
    moment: Any = 0.0
    count, width = 0, model.get_layer("linear").kernel.shape[0]
    for index in range(len(batches)):
        windows, targets = batches[index]
        flat = windows.reshape(-1, width).astype(np.float64)
        count += len(flat)
        inputs = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
        gram = gram + inputs.T @ inputs
        moment = moment + inputs.T @ targets.reshape(len(flat), -1)
    strength = RIDGE * (len(gram) - 1) / count * float(np.diag(gram)[:-1].mean())
    penalty = np.full(len(gram), max(strength, 1e-9))
    penalty[-1] = 1e-9
    solved = np.linalg.solve(gram + np.diag(penalty), moment).astype(np.float32)
    model.get_layer("linear").set_weights([solved[:-1], solved[-1]])
    model.get_layer("linear").trainable = False
    forecast = model.get_layer("forecast")
    forecast.set_weights([0.0 * part for part in forecast.get_weights()])
