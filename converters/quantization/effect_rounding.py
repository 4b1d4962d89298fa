"""Rounding of one matrix to steps, weight by weight, so that what it computes on given inputs changes least.

The steps of a row are chosen one after the other, and what one rounding adds to the result is taken out again by the weights
that follow, in the directions that inputs really have (Frantar et al., "GPTQ", ICLR 2023).
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
WIDEST = 4096  # inputs of a dense layer whose covariance is looked at
MOMENTS = 2048  # rows that a matrix is looked at on
DAMPING = 0.01  # of the mean variance, added to each: directions that inputs never have stay as they are
SINGLE = 2e10  # operations up to which each row of a gate has derivatives of its own
CLIPS = (1.0, 0.9, 0.8)  # of the largest weight: a finer step may be worth what it clips
LEVELS = 127  # steps of a weight on either side of 0


def round_dense(weights: Array, moments: Array, channelwise: bool = True) -> tuple[Array, Array]:
    """Round a dense layer.

    Args:
        weights: Shape (C, K).
        moments: Inputs of the layer, (M, K).
        channelwise: A scale an output channel; else one scale.

    Returns:
        The weights on their steps, and a shift of the bias, (C,).
    """
    if weights.shape[1] > WIDEST:
        return weights, np.zeros(len(weights))
    moments = moments[:: max(1, len(moments) // MOMENTS)]
    mean, spread, factor = _metric(moments, np.ones((len(moments), 1)))
    largest = np.abs(weights).max(axis=1 if channelwise else None, keepdims=True)
    parts = [slice(row, row + 1) for row in range(len(weights))] if channelwise else [slice(None)]
    best, rounded = np.full(len(weights), np.inf), weights
    for clip in CLIPS if channelwise else CLIPS[:1]:
        steps = np.broadcast_to(np.where(largest > 0, clip * largest / LEVELS, 1.0), weights.shape)
        candidate = _rows(weights, steps, factor)
        for part in parts:
            _pin(candidate[part], weights[part], steps[part], weights.shape[1])
        left = weights - candidate
        losses = np.einsum("ck,kl,cl->c", left, spread[0], left)
        rounded = np.where((losses < best)[:, None], candidate, rounded)
        best = np.minimum(best, losses)
    return rounded, (weights - rounded) @ mean[0]


def round_gate(weights: Array, width: int, moments: Array, derivatives: Array) -> tuple[Array, Array]:
    """Round a gate of a recurrent layer, or all of a layer that is one gate.

    Args:
        weights: Kernel and recurrent weights, (U, F + U).
        width: F; both parts have a scale of their own.
        moments: What the gate sees, (M, F + U).
        derivatives: Squared ones of the hidden state by the gate, (M, U).

    Returns:
        The weights on their steps, and a shift of the bias, (U,).
    """
    units, size = weights.shape
    if units * float(size) ** 3 > SINGLE:
        derivatives = derivatives.mean(axis=1, keepdims=True)
    mean, spread, factor = _metric(moments, derivatives)
    best, rounded = np.inf, weights
    for clip in CLIPS:
        parts = weights[:, :width], weights[:, width:]
        steps = np.concatenate([np.full(part.shape[1], clip * np.abs(part).max() / LEVELS or 1.0) for part in parts])
        candidate = _rows(weights, steps, factor)
        _pin(candidate, weights, steps, width)
        left = weights - candidate
        loss = float(np.sum((left[:, None, :] @ spread)[:, 0] * left))
        if loss < best:
            best, rounded = loss, candidate
    return rounded, np.sum((weights - rounded) * mean, axis=1)


def _metric(moments: Array, derivatives: Array) -> tuple[Array, Array, Array]:
    """Weighted mean and covariance of what a gate sees, and the Cholesky factor of the inverse covariance.

    Args:
        moments: Shape (M, K).
        derivatives: Weights of the moments, (M, U), or (M, 1) for all units alike.
    """
    total = derivatives.sum(axis=0)
    shares = (derivatives / np.maximum(total, 1e-30) + 1e-6 / len(moments)).T
    shares /= shares.sum(axis=1, keepdims=True)
    mean = shares @ moments
    second = np.stack([(moments * share[:, None]).T @ moments for share in shares])
    spread = second - mean[:, :, None] * mean[:, None, :]
    size = moments.shape[1]
    damping = DAMPING * np.trace(spread, axis1=1, axis2=2) / size + 1e-12
    factor = np.linalg.cholesky(np.linalg.inv(spread + damping[:, None, None] * np.eye(size))).transpose(0, 2, 1)
    return mean, spread * total[:, None, None], factor


def _rows(weights: Array, steps: Array, factor: Array) -> Array:
    """Round rows column by column; the later columns take back what a column's rounding adds.

    Args:
        weights: Shape (U, K).
        steps: Scale of each column, (K,), or of each weight, (U, K).
        factor: From `_metric`, (U, K, K) or (1, K, K).
    """
    left, rounded = weights.copy(), np.empty_like(weights)
    for column in range(weights.shape[1]):
        whole = np.clip(np.rint(left[:, column] / steps[..., column]), -LEVELS, LEVELS)
        rounded[:, column] = whole * steps[..., column]
        error = (left[:, column] - rounded[:, column]) / factor[:, column, column]
        left[:, column + 1 :] -= error[:, None] * factor[:, column, column + 1 :]
    return rounded


def _pin(rounded: Array, weights: Array, steps: Array, width: int) -> None:
    """Keep the largest weight of each part at the last step: it makes the scale, which would change otherwise."""
    for begin, end in ((0, width), (width, weights.shape[1])):
        if begin == end:
            continue
        row, column = np.unravel_index(int(np.abs(weights[:, begin:end]).argmax()), (len(weights), end - begin))
        step = steps[..., begin].flat[0]
        if not weights[row, begin + column]:
            continue
        rounded[row, begin + column] = np.copysign(LEVELS * step, weights[row, begin + column])
