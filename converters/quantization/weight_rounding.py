"""Rounding of weights by their effect on the layer's output.

A fused LSTM has one scale for each gate's matrix, so where weights are large, rounding each to its nearest step moves the
gates. Here the steps of a row are chosen one after the other, and what one rounding adds to the gate is taken out again by
the weights that follow, in the directions that inputs really have (Frantar et al., "GPTQ", ICLR 2023; the order of Hassibi
and Stork's optimal brain surgeon). Each moment counts by the derivative of the hidden state by that gate, and the mean of
what is left goes into the bias. A fused SimpleRNN is one such gate. Dense layers are rounded likewise, each moment counting
alike. The result is a float model again, whose weights plain rounding no longer changes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer import Graph, TFLiteFile
from ..private_api import schema
from .calibrator import Observations
from .effect_rounding import MOMENTS, round_dense, round_gate
from .linear_path import linear_skip_path

Array = npt.NDArray[np.float64]
Sequences = tuple[list[Array], list[Array]]  # inputs (T, F) and hidden states (T, U)
Activation = tuple[Callable[[Array], Array], Callable[[Array], Array]]
KINDS = schema.ActivationFunctionType
LSTM, RNN, DENSE = "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "FULLY_CONNECTED"
BLOCK = 8192  # rows whose gates are computed at once
GATES = 4
# what a fused layer computes, and its derivative by the result
ACTIVATIONS: dict[int, Activation] = {
    KINDS.TANH: (np.tanh, lambda value: 1 - value**2),
    KINDS.RELU: (lambda sum_: np.maximum(sum_, 0), lambda value: (value > 0).astype(np.float64)),
    KINDS.RELU6: (lambda sum_: np.clip(sum_, 0, 6), lambda value: ((value > 0) & (value < 6)).astype(np.float64)),
}


def with_rounded_gates(
    lowered: TFLiteFile, observations: Observations, starts: tuple[int, ...] | None = None
) -> TFLiteFile:
    """A float model whose fused recurrent layers have weights on the steps of their 8-bit form.

    Args:
        lowered: Float model.
        observations: From `observe` on the same model.
        starts: Of a streaming model, see `observe`.
    """
    graph = lowered.graph.copy()
    for operator in graph.operators:
        round_layer = {LSTM: _round, RNN: _round_simple}.get(graph.name_of(operator))
        activation = ACTIVATIONS.get(getattr(operator.builtinOptions, "fusedActivationFunction", -1))
        if round_layer and activation:
            round_layer(graph, operator, _sequences(graph, operator, observations, starts), activation)
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


def _round(graph: Graph, operator: Any, sequences: Sequences, activation: Activation) -> None:
    """Give one LSTM its rounded weights."""
    inputs = [int(index) for index in operator.inputs]
    constants = [graph.constant(index) for index in (*inputs[1:9], *inputs[12:16])]
    parts = [np.asarray(part, np.float64) for part in constants if part is not None]
    if len(parts) != 3 * GATES:
        return
    kernels, recurrents, biases = (np.stack(parts[start : start + GATES]) for start in (0, GATES, 2 * GATES))
    made = round_gates(kernels, recurrents, biases, *sequences, activation)
    for first, gates in zip((1, 5, 12), made, strict=True):
        for gate in range(GATES):
            graph.replace_constant(inputs[first + gate], gates[gate])


def _round_simple(graph: Graph, operator: Any, sequences: Sequences, activation: Activation) -> None:
    """Give one SimpleRNN its rounded weights: a single gate, whose derivatives follow from the hidden states."""
    places = [int(index) for index in operator.inputs[1:4]]
    parts = [np.asarray(part, np.float64) for part in map(graph.constant, places) if part is not None]
    if len(parts) != len(places):
        return
    kernel, recurrent, bias = parts
    rows, hidden = sequences
    before = [np.concatenate([np.zeros_like(states[:1]), states[:-1]]) for states in hidden]
    moments, after = np.concatenate([np.concatenate(rows), np.concatenate(before)], axis=1), np.concatenate(hidden)
    taken = slice(None, None, max(1, len(moments) // MOMENTS))
    width = kernel.shape[1]
    derivatives = activation[1](after[taken]) ** 2
    rounded, shift = round_gate(np.concatenate([kernel, recurrent], axis=1), width, moments[taken], derivatives)
    for place, values in zip(places, (rounded[:, :width], rounded[:, width:], bias + shift), strict=True):
        graph.replace_constant(place, values)


def round_gates(
    kernels: Array, recurrents: Array, biases: Array, rows: list[Array], hidden: list[Array],
    activation: Activation = ACTIVATIONS[KINDS.TANH],
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Round the weights of an LSTM.

    Args:
        kernels: Input weights, (4, U, F).
        recurrents: Recurrent weights, (4, U, U).
        biases: Shape (4, U).
        rows: Inputs (T, F) of each sequence.
        hidden: Hidden states (T, U) of each.
        activation: The layer's, and its derivative by the result.

    Returns:
        Both weights on their steps, and the biases with the mean of what that leaves.
    """
    moments, derivatives = _moments(rows, hidden, kernels, recurrents, biases, activation)
    width = kernels.shape[2]
    both = np.concatenate([kernels, recurrents], axis=2)
    made = [round_gate(both[gate], width, moments, derivatives[gate]) for gate in range(GATES)]
    rounded = np.stack([weights for weights, _ in made])
    return rounded[..., :width], rounded[..., width:], biases + np.stack([shift for _, shift in made])


def _sequences(graph: Graph, operator: Any, observations: Observations, starts: tuple[int, ...] | None) -> Sequences:
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
    rows: list[Array], hidden: list[Array], kernels: Array, recurrents: Array, biases: Array, activation: Activation
) -> tuple[Array, Array]:
    """Inputs of the gates, (M, F + U), and the squared derivatives of the hidden state by the gates, (4, M, U)."""
    every = max(1, sum(map(len, rows)) // MOMENTS)
    seen, derivatives, passed = [], [], 0
    for inputs, states in _blocks(rows, hidden):
        before = np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1)
        gates = [inputs @ kernels[g].T + before @ recurrents[g].T + biases[g] for g in range(GATES)]
        taken = slice(-passed % every, None, every)
        derivatives.append(_derivatives(gates, activation)[:, taken])
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


def _derivatives(gates: list[Array], activation: Activation) -> Array:
    """Squared derivatives of the hidden state by each gate, (4, N * T, U), from the sums that the gates see, (N, T, U) each."""
    # TFLite's gate order: input, forget, cell, output
    enter, forget, leave = (0.5 * (1 + np.tanh(0.5 * gates[g])) for g in (0, 1, 3))
    squash, slope = activation
    new = squash(gates[2])
    cells = np.zeros((new.shape[0], new.shape[1] + 1, new.shape[2]))
    for step in range(new.shape[1]):
        cells[:, step + 1] = forget[:, step] * cells[:, step] + enter[:, step] * new[:, step]
    earlier, cell = cells[:, :-1], squash(cells[:, 1:])
    inner = leave * slope(cell)
    parts = (
        inner * new * enter * (1 - enter), inner * earlier * forget * (1 - forget), inner * enter * slope(new),
        cell * leave * (1 - leave),
    )  # fmt: skip
    return np.stack([part.reshape(-1, new.shape[2]) for part in parts]) ** 2
