"""Keras layers with the integer arithmetic that their converted form has, for as long as a model is fine-tuned.

The forward pass rounds and clips as TFLite's integer LSTM does: weights and hidden state in 8 bits, products and gates in
16, the cell state in 16, sigmoid and tanh by the kernel's fixed-point functions. Rounding has no derivative; its gradient is taken as that of the identity (straight-through, Bengio et
al., arXiv 1308.3432), and that of clipping as 0 beyond the range.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from edgelstm.runtime.inference.batched.fixed_point import SHORT_LEAST, sigmoid_table, tanh_table

from ..lowering.rnn_tracing import is_fused
from ..private_api import all_layers
from ..quantization.params import asymmetric
from ..quantization.quantizer import cell_exponent

Tensor = Any
GATES = 4
GATE_STEP, GATE_BITS, GATE_LIMIT, UNIT_STEP = 2.0**-12, 3, 8.0, 2.0**-15
NOTHING = 1e-9


class Simulation:
    """The integer arithmetic of a model's LSTM and dense layers.

    It first observes: layers compute in float and the ranges of their values are noted. Once `integer` is set, they compute
    as their integer form would with these ranges.
    """

    def __init__(self, model: Any) -> None:
        self.integer = False
        self.ranges: dict[str, tuple[float, float]] = {}
        self.seen: dict[str, list[Any]] = {}
        self.lstms = [layer for layer in all_layers(model) if type(layer) is keras.layers.LSTM and _is_integer(layer)]
        self.denses = [layer for layer in all_layers(model) if type(layer) is keras.layers.Dense]

    def calls(self) -> dict[Any, Callable[..., Any]]:
        """The layers' calls under the simulation, see `private_api.replaced_calls`."""
        return {layer: partial(self._lstm, layer) for layer in self.lstms} | {
            layer: partial(self._dense, layer) for layer in self.denses
        }

    def _note(self, key: str, values: Tensor, keep: bool = False) -> None:
        low, high = float(tf.reduce_min(values)), float(tf.reduce_max(values))
        before = self.ranges.get(key, (0.0, 0.0))
        self.ranges[key] = min(low, before[0]), max(high, before[1])
        if keep:
            self.seen.setdefault(key, []).append(np.asarray(values))

    def _eight_bits(self, key: str, values: Tensor) -> Tensor:
        parameters = asymmetric(*self.ranges[key])
        scale, zero = parameters.scale[0], float(parameters.zero_point)
        return (tf.clip_by_value(rounded(values / scale) + zero, -128.0, 127.0) - zero) * scale

    def _dense(self, layer: Any, inputs: Tensor, training: bool | None = None) -> Tensor:
        inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(layer.kernel)
        if self.integer:
            inputs = self._eight_bits(f"{layer.path}:inputs", inputs)
            kernel = in_steps(kernel, tf.reduce_max(tf.abs(kernel), 0, keepdims=True))
        else:
            self._note(f"{layer.path}:inputs", inputs, keep=True)
        outputs = tf.tensordot(inputs, kernel, 1)
        return layer.activation(outputs + layer.bias if layer.use_bias else outputs)

    def _lstm(
        self, layer: Any, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        if mask is not None:  # rows are gathered before the op then; such a layer is left in float
            return type(layer).call(layer, sequences, initial_state=initial_state, mask=mask, training=training)
        sequences = tf.convert_to_tensor(sequences)
        sequences = tf.reverse(sequences, [1]) if layer.go_backwards else sequences
        cell, name = layer.cell, layer.path
        zeros = tf.zeros((tf.shape(sequences)[0], cell.units))
        states = (zeros, zeros) if initial_state is None else tuple(map(tf.convert_to_tensor, initial_state))
        kernel, recurrent = tf.convert_to_tensor(cell.kernel), tf.convert_to_tensor(cell.recurrent_kernel)
        bias = tf.convert_to_tensor(cell.bias) if cell.use_bias else tf.zeros(GATES * cell.units)
        step = _float_step
        if self.integer:
            kernel, recurrent = (in_gate_steps(part) for part in (kernel, recurrent))
            sequences = self._eight_bits(f"{name}:inputs", sequences)
            largest = max(map(abs, self.ranges[f"{name}:cell"]))
            hidden = partial(self._eight_bits, f"{name}:hidden")
            step = partial(_integer_step, hidden, cell_exponent(largest))
        projected = tf.transpose(tf.tensordot(sequences, kernel, 1) + bias, [1, 0, 2])
        hiddens, cells = tf.scan(lambda carry, row: step(recurrent, carry, row), projected, states)
        outputs = tf.transpose(hiddens, [1, 0, 2])
        if not self.integer:
            self._note(f"{name}:inputs", sequences, keep=True)
            self._note(f"{name}:hidden", outputs, keep=True)
            self._note(f"{name}:cell", cells)
        output = outputs if layer.return_sequences else hiddens[-1]
        return [output, hiddens[-1], cells[-1]] if layer.return_state else output


def _is_integer(layer: Any) -> bool:
    return is_fused(layer) and layer.cell.activation is keras.activations.tanh


def _float_step(recurrent: Tensor, carry: tuple[Tensor, Tensor], row: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = tf.split(row + carry[0] @ recurrent, GATES, 1)
    cell = tf.sigmoid(f) * carry[1] + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(cell), cell


def _integer_step(
    hidden: Callable[[Tensor], Tensor],
    exponent: int,
    recurrent: Tensor,
    carry: tuple[Tensor, Tensor],
    row: Tensor,
) -> tuple[Tensor, Tensor]:
    """One step as in `docs/explanation/quantization.md`.

    Args:
        hidden: Rounding of the hidden state.
        exponent: Of two, the step of the cell state.
        recurrent: Recurrent kernel on its steps, (U, 4U).
        carry: Hidden state and cell state, (B, U) each.
        row: Input projection with the bias, (B, 4U).
    """
    cell_step, bits = 2.0**exponent, 15 + exponent
    products = (to_steps(part, GATE_STEP) for part in (row, carry[0] @ recurrent))
    gates = tf.clip_by_value(sum(products), -GATE_LIMIT, GATE_LIMIT - GATE_STEP)
    i, f, g, o = tf.split(gates, GATES, 1)
    i, f, o = (_looked_up(sigmoid_table(), part, GATE_STEP, tf.sigmoid(part)) for part in (i, f, o))
    new = to_steps(f * carry[1], cell_step)
    new += to_steps(i * _looked_up(tanh_table(GATE_BITS), g, GATE_STEP, tf.tanh(g)), cell_step)
    cell = tf.clip_by_value(new, -32768 * cell_step, 32767 * cell_step)
    return hidden(o * _looked_up(tanh_table(bits), cell, cell_step, tf.tanh(cell))), cell


def _looked_up(table: Any, values: Tensor, step: float, exact: Tensor) -> Tensor:
    """The kernel's result for values on their steps, with the gradient of the exact function."""
    places = tf.cast(tf.round(values / step), tf.int32) - SHORT_LEAST
    return exact + tf.stop_gradient(tf.gather(tf.constant(table, tf.float32) * UNIT_STEP, places) - exact)


def rounded(values: Tensor) -> Tensor:
    """The nearest integers, with the gradient of the identity."""
    return values + tf.stop_gradient(tf.round(values) - values)


def to_steps(values: Tensor, step: float) -> Tensor:
    """The nearest multiples of a step, likewise.

    Args:
        values: Real values.
        step: Distance between multiples.
    """
    return rounded(values / step) * step


def in_steps(weights: Tensor, largest: Tensor) -> Tensor:
    """Weights in 8 bits.

    Args:
        weights: Float weights.
        largest: Largest absolute weight of each scale, in a shape that broadcasts.
    """
    step = tf.stop_gradient(tf.maximum(largest / 127, NOTHING))
    return rounded(weights / step) * step


def in_gate_steps(weights: Tensor) -> Tensor:
    """Weights (K, 4U) in 8 bits, a scale a gate."""
    gates = tf.reshape(weights, (weights.shape[0], GATES, -1))
    return tf.reshape(in_steps(gates, tf.reduce_max(tf.abs(gates), [0, 2], keepdims=True)), weights.shape)
