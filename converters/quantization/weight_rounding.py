"""Rounding of weights by their effect on the layer's output.

A fused LSTM has one scale for each gate's matrix, so where weights are large, rounding each to its nearest step moves the
gates. Here the steps of a row are chosen one after the other, and what one rounding adds to the gate is taken out again by
the weights that follow, in the directions that inputs really have (Frantar et al., "GPTQ", ICLR 2023; the order of Hassibi
and Stork's optimal brain surgeon). Each moment counts by the derivative of the hidden state by that gate, and the mean of
what is left goes into the bias. Dense layers are rounded likewise, each moment counting alike. The result is a float model
again, whose weights plain rounding no longer changes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer import Graph, TFLiteFile
from ..private_api import schema
from .calibrator import Observations
from .linear_path import linear_skip_path

Array = npt.NDArray[np.float64]
TANH = schema.ActivationFunctionType.TANH
LSTM, DENSE = "UNIDIRECTIONAL_SEQUENCE_LSTM", "FULLY_CONNECTED"
WIDEST = 4096  # inputs of a dense layer whose covariance is looked at
MOMENTS = 2048  # rows that the gates are looked at on
BLOCK = 8192  # rows whose gates are computed at once
DAMPING = 0.01  # of the mean variance, added to each: directions that inputs never have stay as they are
SINGLE = 2e10  # operations up to which each row of a gate has derivatives of its own
CLIPS = (1.0, 0.9, 0.8)  # of the largest weight: a finer step may be worth what it clips
GATES = 4
LEVELS = 127  # steps of a weight on either side of 0


def with_rounded_gates(
    lowered: TFLiteFile, observations: Observations, starts: tuple[int, ...] | None = None
) -> TFLiteFile:
    """A float model whose LSTMs have weights on the steps of their 8-bit form.

    Args:
        lowered: Float model.
        observations: From `observe` on the same model.
        starts: Of a streaming model, see `observe`.
    """
    graph = lowered.graph.copy()
    for operator in graph.operators:
        if graph.name_of(operator) == LSTM and operator.builtinOptions.fusedActivationFunction == TANH:
            _round(graph, operator, observations, starts)
    return graph.finished()


def with_rounded_layers(
    lowered: TFLiteFile, observations: Observations, channelwise: bool = True, path: bool = False
) -> TFLiteFile:
    """A float model whose dense layers have weights on the steps of their 8-bit form.

    Args:
        lowered: Float model.
        observations: From `observe` on the same model; its LSTMs may have been rounded since.
        channelwise: Dense layers have a scale an output channel, as in all-integer models; else one scale.
        path: Round the weights of the linear skip path, too, which have 15 bits otherwise.
    """
    graph = lowered.graph.copy()
    left = frozenset() if path else linear_skip_path(graph)
    for operator in graph.operators:
        if graph.name_of(operator) == DENSE and int(operator.outputs[0]) not in left:
            _round_dense(graph, operator, observations, channelwise)
    return graph.finished()


def _round_dense(graph: Graph, operator: Any, observations: Observations, channelwise: bool) -> None:
    source, kernel, bias = (int(index) for index in (*operator.inputs, -1)[:3])
    weights = graph.constant(kernel)
    if weights is None or weights.dtype != np.float32 or source not in observations.values:
        return
    moments = observations.values[source].reshape(-1, weights.shape[1]).astype(np.float64)
    rounded, shift = round_dense(weights.astype(np.float64), moments, channelwise)
    graph.replace_constant(kernel, rounded)
    if bias >= 0:
        graph.replace_constant(bias, np.asarray(graph.constant(bias), np.float64) + shift)


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


def _round(graph: Graph, operator: Any, observations: Observations, starts: tuple[int, ...] | None) -> None:
    """Give one LSTM its rounded weights."""
    inputs = [int(index) for index in operator.inputs]
    constants = [graph.constant(index) for index in (*inputs[1:9], *inputs[12:16])]
    parts = [np.asarray(part, np.float64) for part in constants if part is not None]
    if len(parts) != 3 * GATES:
        return
    kernels, recurrents, biases = (np.stack(parts[start : start + GATES]) for start in (0, GATES, 2 * GATES))
    made = round_gates(kernels, recurrents, biases, *_sequences(graph, operator, observations, starts))
    for first, gates in zip((1, 5, 12), made, strict=True):
        for gate in range(GATES):
            graph.replace_constant(inputs[first + gate], gates[gate])


def round_gates(
    kernels: Array, recurrents: Array, biases: Array, rows: list[Array], hidden: list[Array]
) -> tuple[Array, Array, Array]:
    """Round the weights of an LSTM.

    Args:
        kernels: Input weights, (4, U, F).
        recurrents: Recurrent weights, (4, U, U).
        biases: Shape (4, U).
        rows: Inputs (T, F) of each sequence.
        hidden: Hidden states (T, U) of each.

    Returns:
        Both weights on their steps, and the biases with the mean of what that leaves.
    """
    moments, derivatives = _moments(rows, hidden, kernels, recurrents, biases)
    width = kernels.shape[2]
    both = np.concatenate([kernels, recurrents], axis=2)
    made = [_gate(both[gate], width, moments, derivatives[gate]) for gate in range(GATES)]
    rounded = np.stack([weights for weights, _ in made])
    return rounded[..., :width], rounded[..., width:], biases + np.stack([shift for _, shift in made])


def _sequences(
    graph: Graph, operator: Any, observations: Observations, starts: tuple[int, ...] | None
) -> tuple[list[Array], list[Array]]:
    """Inputs (T, F) and hidden states (T, U) of an LSTM, one pair a sequence."""
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    _, steps, width = graph.tensors[source].shape
    units = int(graph.tensors[output].shape[2])
    inputs = observations.values[source].reshape(-1, width).astype(np.float64)
    states = observations.values[output][: len(inputs) * units].reshape(-1, units).astype(np.float64)
    begin = range(0, len(inputs), int(steps)) if starts is None else [start for start in starts if start < len(inputs)]
    cuts = [at for at in begin if at > 0]
    return np.split(inputs, cuts), np.split(states, cuts)


def _moments(
    rows: list[Array], hidden: list[Array], kernels: Array, recurrents: Array, biases: Array
) -> tuple[Array, Array]:
    """Inputs of the gates, (M, F + U), and the squared derivatives of the hidden state by the gates, (4, M, U)."""
    every = max(1, sum(map(len, rows)) // MOMENTS)
    seen, derivatives, passed = [], [], 0
    for inputs, states in _blocks(rows, hidden):
        before = np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1)
        gates = [inputs @ kernels[g].T + before @ recurrents[g].T + biases[g] for g in range(GATES)]
        taken = slice(-passed % every, None, every)
        derivatives.append(_derivatives(gates)[:, taken])
        seen.append(np.concatenate([inputs, before], axis=2).reshape(-1, inputs.shape[2] + before.shape[2])[taken])
        passed += states.shape[0] * states.shape[1]
    return np.concatenate(seen), np.concatenate(derivatives, axis=1)


def _blocks(rows: list[Array], hidden: list[Array]) -> Iterator[tuple[Array, Array]]:
    """Yield inputs (N, T, F) and hidden states (N, T, U) of some neighbouring sequences of equal length at a time."""
    first = 0
    while first < len(rows):
        length, last = len(rows[first]), first + 1
        while last < len(rows) and len(rows[last]) == length and (last - first) * length < BLOCK:
            last += 1
        yield np.stack(rows[first:last]), np.stack(hidden[first:last])
        first = last


def _derivatives(gates: list[Array]) -> Array:
    """Squared derivatives of the hidden state by each gate, (4, N * T, U), from the sums that the gates see, (N, T, U) each."""
    # TFLite's gate order: input, forget, cell, output
    enter, forget, leave = (0.5 * (1 + np.tanh(0.5 * gates[g])) for g in (0, 1, 3))
    new = np.tanh(gates[2])
    cells = np.zeros((new.shape[0], new.shape[1] + 1, new.shape[2]))
    for step in range(new.shape[1]):
        cells[:, step + 1] = forget[:, step] * cells[:, step] + enter[:, step] * new[:, step]
    earlier, cell = cells[:, :-1], np.tanh(cells[:, 1:])
    inner = leave * (1 - cell**2)
    parts = (
        inner * new * enter * (1 - enter), inner * earlier * forget * (1 - forget), inner * enter * (1 - new**2),
        cell * leave * (1 - leave),
    )  # fmt: skip
    return np.stack([part.reshape(-1, new.shape[2]) for part in parts]) ** 2


def _gate(weights: Array, width: int, moments: Array, derivatives: Array) -> tuple[Array, Array]:
    """A gate's weights (U, F + U) on the steps of the kernel's and the recurrent part's scale, and a shift of its bias (U,)."""
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
