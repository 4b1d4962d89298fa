"""Recurrent layers in a form that TFLite's converter fuses, or unrolls compactly where the fused op cannot serve.

TFLite's converter replaces a function marked `api_implements = "lstm_…"` by one UNIDIRECTIONAL_SEQUENCE_LSTM
(tensorflow/compiler/mlir/lite/transforms/prepare_composite_functions_tf.cc) when its arguments are
(inputs, h, c, kernel, recurrent kernel, bias) and its results (last, sequence, h, c, scalar), and nothing but the
first two results is used. The body is what remains where it does not: unrolled, with the input projection of all
steps as one matrix product.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Tensor = Any
Step = Callable[[Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]]


def prepare(model: Any) -> None:
    """Give every recurrent layer of a model, nested ones too, its TFLite form; the model is changed in place."""
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.LSTM:
            _patch(layer, _lstm_call)
        elif type(layer) is keras.layers.GRU:
            _patch(layer, _gru_call)
        elif isinstance(layer, keras.layers.RNN):
            layer.unroll = True
        elif type(layer) is keras.layers.TimeDistributed and not list(_recurrent(layer.layer)):
            _patch(layer, _time_distributed_call)


def _recurrent(layer: Any) -> list[Any]:
    return [item for item in layer._flatten_layers() if isinstance(item, keras.layers.RNN)]


def _patch(layer: Any, call: Callable[..., Any]) -> None:
    stock = layer.call
    object.__setattr__(layer, "call", lambda *args, **kwargs: call(layer, stock, *args, **kwargs))


def fusable(layer: Any) -> bool:
    """Whether the fused op has this LSTM's activations."""
    return (
        layer.activation is keras.activations.tanh and layer.recurrent_activation is keras.activations.sigmoid
    )  # fmt: skip


def _lstm_call(
    layer: Any, stock: Any, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False
) -> Any:
    """An LSTM layer's call: fused when its semantics allow."""
    if mask is not None:
        return _stock_unrolled(layer, stock, sequences, initial_state, mask, training)
    sequences = tf.convert_to_tensor(sequences)
    zeros = tf.zeros((sequences.shape[0], layer.units))
    states = [zeros, zeros] if initial_state is None else [tf.convert_to_tensor(state) for state in initial_state]
    cell = layer.cell
    bias = tf.convert_to_tensor(cell.bias) if layer.use_bias else tf.zeros(4 * layer.units)
    body = _lstm_body(layer.activation, layer.recurrent_activation, layer.go_backwards)
    if initial_state is None and fusable(layer):
        body = tf.function(
            body,
            autograph=False,
            experimental_attributes={
                "api_implements": f"lstm_{uuid.uuid4()}",
                "api_preferred_device": "CPU",
                "go_backwards": layer.go_backwards,
                "time_major": False,
            },
        )
    kernels = tf.convert_to_tensor(cell.kernel), tf.convert_to_tensor(cell.recurrent_kernel)
    last, sequence, _, c, _ = body(sequences, *states, *kernels, bias)
    output = sequence if layer.return_sequences else last
    # the fuser allows no other result than the first two to be used; h is the last output
    return [output, last, c] if layer.return_state else output


def _lstm_body(activation: Any, recurrent_activation: Any, go_backwards: bool) -> Callable[..., Any]:
    def body(inputs: Tensor, h: Tensor, c: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor) -> Any:
        units = recurrent_kernel.shape[0]
        standard = activation is keras.activations.tanh and recurrent_activation is keras.activations.sigmoid

        def step(projected: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            h, c = states
            z = projected + tf.matmul(h, recurrent_kernel)
            i, f, g, o = tf.split(z, 4, axis=1)
            gate = tf.sigmoid if standard else recurrent_activation
            squash = tf.tanh if standard else activation
            c = gate(f) * c + gate(i) * squash(g)
            h = gate(o) * squash(c)
            return h, [h, c]

        projected = _project(inputs, kernel, bias, 4 * units)
        sequence, (h, c) = _unroll(step, projected, [h, c], go_backwards)
        return h, sequence, h, c, tf.constant(0.0)

    return body


def _gru_call(
    layer: Any, stock: Any, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False
) -> Any:
    """A GRU layer's call, unrolled: TFLite has no fused GRU."""
    if mask is not None:
        return _stock_unrolled(layer, stock, sequences, initial_state, mask, training)
    sequences = tf.convert_to_tensor(sequences)
    cell, units = layer.cell, layer.units
    state = initial_state[0] if isinstance(initial_state, (list, tuple)) else initial_state
    state = tf.zeros((sequences.shape[0], units)) if state is None else tf.convert_to_tensor(state)
    input_bias = recurrent_bias = tf.zeros(3 * units)
    if layer.use_bias:
        bias = tf.convert_to_tensor(cell.bias)
        input_bias, recurrent_bias = (bias[0], bias[1]) if layer.reset_after else (bias, recurrent_bias)
    kernel = tf.convert_to_tensor(cell.recurrent_kernel)
    gate, squash = layer.recurrent_activation, layer.activation

    def step(projected: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        (h,) = states
        x_gates, x_new = projected[:, : 2 * units], projected[:, 2 * units :]
        if layer.reset_after:
            recurrent = tf.matmul(h, kernel) + recurrent_bias
            z, r = tf.split(gate(x_gates + recurrent[:, : 2 * units]), 2, axis=1)
            new = squash(x_new + r * recurrent[:, 2 * units :])
        else:
            z, r = tf.split(gate(x_gates + tf.matmul(h, kernel[:, : 2 * units])), 2, axis=1)
            new = squash(x_new + tf.matmul(r * h, kernel[:, 2 * units :]))
        h = new + z * (h - new)
        return h, [h]

    projected = _project(sequences, tf.convert_to_tensor(cell.kernel), input_bias, 3 * units)
    sequence, (last,) = _unroll(step, projected, [state], layer.go_backwards)
    output = sequence if layer.return_sequences else last
    return [output, last] if layer.return_state else output


def _project(inputs: Tensor, kernel: Tensor, bias: Tensor, width: int) -> Tensor:
    """Input projection of all steps as one matrix product, (B, T, F) to (B, T, width)."""
    batch, steps, features = inputs.shape
    flat = tf.matmul(tf.reshape(inputs, (batch * steps, features)), kernel) + bias
    return tf.reshape(flat, (batch, steps, width))


def _unroll(step: Step, projected: Tensor, states: list[Tensor], go_backwards: bool) -> tuple[Tensor, list[Tensor]]:
    rows = tf.unstack(projected, axis=1)
    outputs = []
    for row in reversed(rows) if go_backwards else rows:
        output, states = step(row, states)
        outputs.append(output)
    return tf.stack(outputs, axis=1), states


def _stock_unrolled(layer: Any, stock: Any, sequences: Tensor, initial_state: Any, mask: Any, training: bool) -> Any:
    """Keras' own unrolled loop, which knows masks."""
    layer.unroll = True
    return stock(sequences, initial_state=initial_state, mask=mask, training=training)


def _time_distributed_call(
    layer: Any, stock: Any, inputs: Tensor, training: bool | None = None, mask: Any = None
) -> Any:
    """TimeDistributed as one call over all steps; stock Keras unrolls it when the batch size is known."""
    inputs = tf.convert_to_tensor(inputs)
    batch, steps = inputs.shape[:2]
    merged = layer.layer(tf.reshape(inputs, (batch * steps, *inputs.shape[2:])), training=False)
    return tf.reshape(merged, (batch, steps, *merged.shape[1:]))
