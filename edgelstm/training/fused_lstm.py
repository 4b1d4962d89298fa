"""LSTM layers that train by one operation a layer: Keras' own makes some fifteen for each step, and as many gradients.

A step of the embedded pump's network costs three quarters of the unrolled one's, one of an autoencoder of rows a third of the loop's: see
`benchmarks/fused_lstm.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf


@contextmanager
def fused(model: Any) -> Iterator[None]:
    """Let a model's LSTM layers compute by `fuse`, for a while.

    Args:
        model: A built Keras model, compiled without XLA, which does not know the operation.
    """
    layers = fuse(model)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def fuse(model: Any) -> list[Any]:
    """Let a model's LSTM layers compute by TensorFlow's fused operation; weights and classes stay Keras' own.

    The outputs are Keras' but for rounding, and so are the gradients: those of the older one of two fused operations, whose
    gates lie in another order. The gradients of the newer one, `BlockLSTMV2`, are wrong.

    Args:
        model: A built Keras model. Its nested models, and LSTM layers of other activations or with dropout, stay as they are.

    Returns:
        The layers, which have a `call` of their own now; none where there is a GPU, for which Keras has cuDNN's.
    """
    if tf.config.list_physical_devices("GPU"):
        return []
    layers = [part for layer in model.layers for part in _directions(layer) if _is_known(part)]
    for layer in layers:
        layer.call = _fused_call(layer)
    return layers


def _directions(layer: Any) -> tuple[Any, ...]:
    return (layer.forward_layer, layer.backward_layer) if isinstance(layer, keras.layers.Bidirectional) else (layer,)


def _is_known(layer: Any) -> bool:
    if type(layer) is not keras.layers.LSTM or layer.dropout or layer.recurrent_dropout:
        return False
    usual = (layer.activation, layer.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)
    plain = layer.use_bias and not layer.stateful and not layer.return_state
    return bool(usual and plain and layer.compute_dtype == "float32")


def _fused_call(layer: Any) -> Any:
    stock, units = layer.call, layer.units

    def call(sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if initial_state is not None or mask is not None:
            return stock(sequences, initial_state=initial_state, mask=mask, training=training)
        rows = tf.transpose(sequences, (1, 0, 2))
        if layer.go_backwards:
            rows = tf.reverse(rows, [0])
        start, unused = tf.zeros((tf.shape(rows)[1], units)), tf.zeros((units,))
        hidden = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(rows, tf.int64)[0], x=rows, cs_prev=start, h_prev=start,
            w=_gates(tf.concat([layer.cell.kernel, layer.cell.recurrent_kernel], 0)), b=_gates(layer.cell.bias),
            wci=unused, wcf=unused, wco=unused, use_peephole=False, forget_bias=0.0, cell_clip=0.0,
        ).h  # fmt: skip
        return tf.transpose(hidden, (1, 0, 2)) if layer.return_sequences else hidden[-1]

    return call


def _gates(weights: Any) -> Any:
    """Return weights in the order input, cell, forget, output; Keras' is input, forget, cell, output."""
    entry, forget, cell, output = tf.split(weights, 4, axis=-1)
    return tf.concat([entry, cell, forget, output], -1)
