"""Recurrent layers as marked functions, which TFLite's converter leaves whole, as custom ops; `rnn_ops` replaces these.

A marked function becomes one custom op with the function's arguments as inputs, see `private_api.custom_op`. Its body
only says shapes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from ..private_api import all_layers, custom_op, replaced_calls
from .tf_convert import PREFIX

Tensor = Any
Step = Callable[[Tensor, list[Tensor]], list[Tensor]]
FUSED_LSTM, FUSED_RNN, LOOP, GELU = "lstm", "rnn", "loop", "gelu"
# Activations that TFLite's recurrent ops know, by the name that their options have; "none" is wrong in the LSTM's kernel.
ACTIVATIONS = {keras.activations.tanh: "TANH", keras.activations.relu: "RELU", keras.activations.relu6: "RELU6"}


@dataclass(frozen=True)
class Loop:
    """A recurrent layer without an op of its own: what it does in one step."""

    step: Step
    """Row (1, K) and states [(1, U) ...] to new states."""
    width: int
    """K, values in a row."""
    sizes: tuple[int, ...]
    """U of each state."""
    output: int
    """Index of the state that is the layer's output."""
    variables: tuple[Any, ...]
    """Keras variables that the step reads."""


Loops = dict[str, Loop]


@contextmanager
def marked(model: Any, fuse: bool = True) -> Iterator[Loops]:
    """Give every recurrent layer of a model, nested ones too, its marked form, for as long as the context lasts.

    Args:
        model: A Keras model.
        fuse: Whether layers that have an op of their own become one; else all of them become loops.

    Yields:
        Filled while the model is traced: the loops, by the name that their custom ops carry.
    """
    loops: Loops = {}
    gelus = []
    calls: dict[Any, Callable[..., Any]] = {}
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.RNN):
            calls[layer] = partial(_call, loops, fuse, layer)
        elif type(layer) is keras.layers.TimeDistributed and not _recurrent(layer.layer):
            calls[layer] = partial(_time_distributed_call, layer)
        elif getattr(layer, "activation", None) is keras.activations.gelu:
            # the converter knows no erfc, which Keras computes it by; TFLite has an op for it
            layer.activation = _gelu
            gelus.append(layer)
    try:
        with replaced_calls(calls):
            yield loops
    finally:
        for layer in gelus:
            layer.activation = keras.activations.gelu


def _recurrent(layer: Any) -> bool:
    return any(isinstance(item, keras.layers.RNN) for item in all_layers(layer))


def _gelu(x: Tensor) -> Tensor:
    return _marked(GELU, [tuple(x.shape)], x)[0]


def _call(
    loops: Loops,
    fuse: bool,
    layer: Any,
    sequences: Tensor,
    initial_state: Any = None,
    mask: Any = None,
    training: bool = False,
) -> Any:
    """A recurrent layer's call.

    A masked row changes nothing but repeats the last output. So the valid rows go first, the op runs over all of them,
    and every row takes the output after as many rows as were valid up to it.
    """
    sequences = tf.convert_to_tensor(sequences)
    states = _initial(layer, sequences.shape[0], initial_state)
    mask = None if mask is None else tf.cast(mask, tf.bool)
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
        mask = None if mask is None else tf.reverse(mask, [1])
    if mask is None:
        sequence, finals = _run(loops, fuse, layer, sequences, states)
        last = sequence[:, -1] if finals is None else finals[_output(layer)]
    else:
        visited = tf.cumsum(tf.cast(mask, tf.int32), axis=1)[0]
        sequence, finals = _run(loops, fuse, layer, _valid_first(sequences, mask), states, visited[-1])
        sequence = tf.gather(tf.concat([tf.zeros_like(sequence[:, :1]), sequence], 1), visited, axis=1)
        if layer.zero_output_for_mask:
            sequence = sequence * tf.cast(mask, sequence.dtype)[..., None]
        last = sequence[:, -1]
    output = sequence if layer.return_sequences else last
    return [output, *(finals if finals is not None else [last])] if layer.return_state else output


def _initial(layer: Any, batch: int, states: Any) -> list[Tensor]:
    if states is not None:
        return [tf.convert_to_tensor(state) for state in keras.tree.flatten(states)]
    return [tf.zeros((batch, size)) for size in keras.tree.flatten(layer.state_size)]


def _valid_first(sequences: Tensor, mask: Tensor) -> Tensor:
    """Rows (1, T, F) with the valid ones first, in their order."""
    steps = sequences.shape[1]
    earliness = tf.cast(mask, tf.float32) * steps - tf.range(steps, dtype=tf.float32)
    return tf.gather(sequences, tf.math.top_k(earliness, steps).indices[0], axis=1)


def _run(
    loops: Loops, fuse: bool, layer: Any, sequences: Tensor, states: list[Tensor], valid: Tensor = None
) -> tuple[Tensor, list[Tensor] | None]:
    """Outputs (1, T, U) after each row, and the final states, None for "the last output".

    Args:
        loops: Where a layer without an op of its own leaves its step.
        fuse: Whether to use such ops.
        layer: A recurrent layer.
        sequences: (1, T, F), in the order in which rows are read.
        states: Initial ones.
        valid: How many of the rows count; the others come last. None is all.
    """
    kind = type(layer)
    weighs = valid is not None and layer.return_state
    fuse = fuse and not weighs
    if fuse and is_fused(layer):
        if kind is keras.layers.SimpleRNN:
            return _fused(FUSED_RNN, layer, sequences, states)[0], None
        sequence, c = _fused(FUSED_LSTM, layer, sequences, states)
        return sequence, [sequence[:, -1], c] if layer.return_state else None
    return _looped(loops, layer, sequences, states, valid if weighs else None)


def is_fused(layer: Any) -> bool:
    """Test whether a TFLite op, which keeps its state, computes a recurrent layer."""
    cell = layer.cell
    gates = type(layer) is keras.layers.LSTM and cell.recurrent_activation is keras.activations.sigmoid
    return (gates or type(layer) is keras.layers.SimpleRNN) and cell.activation in ACTIVATIONS


def _fused(kind: str, layer: Any, sequences: Tensor, states: list[Tensor]) -> list[Tensor]:
    cell = layer.cell
    weights = [tf.convert_to_tensor(cell.kernel), tf.convert_to_tensor(cell.recurrent_kernel)]
    bias = tf.convert_to_tensor(cell.bias) if cell.use_bias else tf.zeros(weights[0].shape[1])
    shape = (1, sequences.shape[1], cell.units)
    shapes = [shape, *[(1, cell.units)] * (len(states) - 1)]
    return _marked(f"{kind}:{ACTIVATIONS[cell.activation]}", shapes, sequences, *states, *weights, bias)


def _marked(name: str, shapes: list[tuple[int, ...]], *inputs: Tensor) -> list[Tensor]:
    """A custom op of that name, with outputs of these shapes."""

    def body(*_: Tensor) -> list[Tensor]:
        return [tf.zeros(shape) for shape in shapes]

    return custom_op(f"{PREFIX}:{name}", body, inputs)


def _looped(
    loops: Loops, layer: Any, sequences: Tensor, states: list[Tensor], valid: Tensor
) -> tuple[Tensor, list[Tensor]]:
    rows, step = _steps(layer, sequences)
    name = f"{LOOP}:{layer.name}:{id(layer):x}"
    if valid is not None:
        counts = tf.cast(tf.range(sequences.shape[1]) < valid, rows.dtype)
        rows, step, name = tf.concat([rows, counts[None, :, None]], 2), _held(step), f"{name}:held"
    sizes = tuple(int(state.shape[1]) for state in states)
    loops[name] = Loop(step, int(rows.shape[2]), sizes, _output(layer), tuple(layer.cell.variables))
    shapes = [(1, rows.shape[1], sizes[_output(layer)]), *[(1, size) for size in sizes]]
    sequence, *finals = _marked(name, shapes, rows, *states)
    return sequence, finals


def _output(layer: Any) -> int:
    """Index of the state that is a layer's output: the first state of its last cell."""
    cells = getattr(layer.cell, "cells", [layer.cell])
    return sum(len(keras.tree.flatten(cell.state_size)) for cell in cells[:-1])


def _held(step: Step) -> Step:
    """A step that keeps the states where the row's last value is 0."""

    def held(row: Tensor, states: list[Tensor]) -> list[Tensor]:
        counts = row[:, -1:] > 0.5
        return [tf.where(counts, new, old) for new, old in zip(step(row[:, :-1], states), states, strict=True)]

    return held


def _steps(layer: Any, sequences: Tensor) -> tuple[Tensor, Step]:
    """Rows and the step over them; GRU and LSTM have their input projected for all rows at once."""
    cell = layer.cell
    if type(cell) is keras.layers.GRUCell:
        bias = tf.convert_to_tensor(cell.bias) if cell.use_bias else None
        first = bias[0] if bias is not None and cell.reset_after else bias
        return _project(sequences, cell.kernel, first), partial(_gru_step, cell)
    if type(cell) is keras.layers.LSTMCell:
        bias = tf.convert_to_tensor(cell.bias) if cell.use_bias else None
        return _project(sequences, cell.kernel, bias), partial(_lstm_step, cell)

    def step(row: Tensor, states: list[Tensor]) -> list[Tensor]:
        structured = keras.tree.pack_sequence_as(cell.state_size, states)
        _, after = cell(row, structured, training=False)
        return [tf.convert_to_tensor(state) for state in keras.tree.flatten(after)]

    return sequences, step


def _project(sequences: Tensor, kernel: Any, bias: Tensor) -> Tensor:
    """Input projection of all steps as one matrix product, (1, T, F) to (1, T, width)."""
    batch, steps, features = sequences.shape
    flat = tf.matmul(tf.reshape(sequences, (batch * steps, features)), tf.convert_to_tensor(kernel))
    return tf.reshape(flat if bias is None else flat + bias, (batch, steps, -1))


def _gru_step(cell: Any, projected: Tensor, states: list[Tensor]) -> list[Tensor]:
    (h,) = states
    units, kernel = cell.units, tf.convert_to_tensor(cell.recurrent_kernel)
    x_gates, x_new = tf.split(projected, [2 * units, units], 1)
    if cell.reset_after:
        recurrent = tf.matmul(h, kernel) + (tf.convert_to_tensor(cell.bias)[1] if cell.use_bias else 0.0)
        h_gates, h_new = tf.split(recurrent, [2 * units, units], 1)
        z, r = tf.split(cell.recurrent_activation(x_gates + h_gates), 2, 1)
        new = cell.activation(x_new + r * h_new)
    else:
        z, r = tf.split(cell.recurrent_activation(x_gates + tf.matmul(h, kernel[:, : 2 * units])), 2, 1)
        new = cell.activation(x_new + tf.matmul(r * h, kernel[:, 2 * units :]))
    return [new + z * (h - new)]


def _lstm_step(cell: Any, projected: Tensor, states: list[Tensor]) -> list[Tensor]:
    h, c = states
    gates = projected + tf.matmul(h, tf.convert_to_tensor(cell.recurrent_kernel))
    i, f, g, o = tf.split(gates, 4, 1)
    gate, squash = cell.recurrent_activation, cell.activation
    c = gate(f) * c + gate(i) * squash(g)
    return [gate(o) * squash(c), c]


def _time_distributed_call(layer: Any, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Any:
    """TimeDistributed as one call over all steps; stock Keras unrolls it when the batch size is known."""
    inputs = tf.convert_to_tensor(inputs)
    batch, steps = inputs.shape[:2]
    merged = layer.layer(tf.reshape(inputs, (batch * steps, *inputs.shape[2:])), training=False)
    return tf.reshape(merged, (batch, steps, *merged.shape[1:]))
