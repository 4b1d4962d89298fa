"""The linear part of a forecaster, solved for in one pass instead of by gradient steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .batches import Batches

MOMENT = "calendar"  # layer from the newest row's calendar to the forecast
RIDGE = 0.25  # penalty by the inputs' mean square and their number a window: the less data, the more shrinkage
ALONE = 1.0  # the same for a linear forecast whose errors are scored by themselves


def set_linear(model: Any, batches: Batches) -> None:
    """Give the layer `linear`, and `calendar` where there is one, the ridge regression of the targets on the windows.

    The layer `forecast` gets a silent start.

    Args:
        model: A forecaster with a linear part.
        batches: Training windows; the normal equations are summed up batch by batch, so memory stays flat.
    """
    linear = model.get_layer("linear")
    width = linear.kernel.shape[0]
    if any(layer.name == MOMENT for layer in model.layers):
        kernel, bias = _ridge(_pairs(batches, batches.layout.window), RIDGE)
        model.get_layer(MOMENT).set_weights([kernel[width:], 0 * bias])
        model.get_layer(MOMENT).trainable = False
        linear.set_weights([kernel[:width], bias])
    else:
        each = (batches[i] for i in range(len(batches)))
        linear.set_weights(_ridge(((windows.reshape(-1, width), targets) for windows, targets in each), RIDGE))
    linear.trainable = False
    forecast = model.get_layer("forecast")
    forecast.set_weights([0.0 * part for part in forecast.get_weights()])


def solve_linear(batches: Batches, order: int) -> list[Any]:
    """Return kernel (order * F + C, H * F) and bias (H * F,) of the linear forecast from the newest rows of each window.

    Args:
        batches: Training windows with their targets.
        order: Newest rows whose channels the forecast reads; of the calendar it reads the newest row's C numbers.
    """
    return _ridge(_pairs(batches, order), ALONE)


def solve_moment(batches: Batches) -> list[Any]:
    """Return kernel (C, H * F) and bias (H * F,) of the linear forecast from the calendar of each window's newest row alone."""
    return _ridge(_pairs(batches, 0), ALONE)


def _pairs(batches: Batches, order: int) -> Iterator[tuple[Any, Any]]:
    """Yield inputs (B, order * F + C) and targets (B, H, F), batch by batch."""
    for windows, targets in (batches[i] for i in range(len(batches))):
        channels = targets.shape[-1]
        rows = windows[:, windows.shape[1] - order :, :channels].reshape(len(windows), -1)
        yield np.concatenate([rows, windows[:, -1, channels:]], axis=1), targets


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
