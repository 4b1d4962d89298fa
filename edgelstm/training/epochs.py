"""Epochs over windows, each a few calls of a graph: for a small network Keras' own loop costs several times what its products do.

A step of `keras.Model.fit` takes its batch from a Python generator and starts a graph for it. Here rows and starts of windows
go into the graph, which cuts the windows and takes many steps in a call. LSTM layers are fused in it, short GRU layers unrolled.
Callbacks, optimizer and weights are Keras' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from .batches import Batches, Layout
from .fitting import Fit, check_finite, stop_on_interrupt
from .fused_lstm import fuse

STEPS = 16  # a call; between two calls Ctrl-C is heard
UNROLLED = 16  # steps of a GRU layer up to which it is unrolled: more would take longer to trace than they save

Graph = Callable[[Any, Any, int], Any]


@dataclass(frozen=True)
class Learner:
    """A Keras model whose steps are traced."""

    model: Any
    """The model, compiled: callbacks look for its optimizer."""
    step: Graph
    """Takes steps: rows (T, N), starts of windows (K,) and the batch size to the sum of the windows' losses."""
    judge: Graph
    """The same without learning."""


def learner_of(model: Any, optimizer: Any, learned: Layout, judged: Layout) -> Learner:
    """Return a learner with a copy of a model.

    Args:
        model: A built Keras model; the copy begins with other weights.
        optimizer: Keras optimizer, the copy's own from now on.
        learned: Cuts windows and targets to learn from.
        judged: Cuts those to judge; of streaming models they are shorter.
    """
    copy = keras.models.clone_model(model, clone_function=_quick)
    fuse(copy)
    copy.compile(optimizer, "mse")
    optimizer.build(copy.trainable_variables)
    return Learner(copy, _graph(copy, learned, learn=True), _graph(copy, judged, learn=False))


def _quick(layer: Any) -> Any:
    """Return a copy of a layer, unrolled where it is a GRU that reads few steps."""
    config = layer.get_config()
    steps = layer.input.shape[1] if isinstance(layer, keras.layers.GRU) else None
    if steps is not None and steps <= UNROLLED:
        config["unroll"] = True
    return type(layer).from_config(config)


def _graph(model: Any, layout: Layout, learn: bool) -> Graph:
    """Return a traced function over windows; any number of rows and any batch size share the trace."""

    def loss_of(windows: Any, targets: Any) -> Any:
        return tf.reduce_mean(tf.square(tf.reshape(model(windows, training=learn), tf.shape(targets)) - targets))

    def step(windows: Any, targets: Any) -> Any:
        if not learn:
            return loss_of(windows, targets)
        with tf.GradientTape() as tape:
            loss = loss_of(windows, targets)
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    def total(rows: Any, starts: Any, batch: Any) -> Any:
        def body(first: Any, sofar: Any) -> tuple[Any, Any]:
            chosen = starts[first : first + batch]
            return first + batch, sofar + step(*layout.cut(rows, chosen)) * tf.cast(tf.size(chosen), tf.float32)

        return tf.while_loop(lambda first, _: first < tf.size(starts), body, (0, 0.0), parallel_iterations=1)[1]

    rows_of = tf.TensorSpec((None, model.input_shape[-1]))
    signature = [rows_of, tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)]
    graph: Graph = tf.function(total, input_signature=signature, autograph=False)
    return graph


def fit_windows(learner: Learner, training: Batches, validation: Batches, epochs: int, callbacks: Iterable[Any]) -> Fit:
    """Fit a learner's model until its epochs are over, a callback stops it, or Ctrl-C does, as `fit` does.

    Args:
        learner: The learner.
        training: Windows to learn from, shuffled by epoch.
        validation: Windows that are judged after each epoch.
        epochs: Most epochs.
        callbacks: Keras callbacks; they are told of epochs, not of batches.

    Raises:
        TrainingError: If the loss is not finite.
    """
    model, history = learner.model, keras.callbacks.History()
    told = keras.callbacks.CallbackList([*callbacks, history], model=model)
    with stop_on_interrupt(model) as interrupts:
        told.on_train_begin()
        for epoch in range(epochs):
            told.on_epoch_begin(epoch)
            loss = _mean(learner.step, training, lambda: bool(interrupts))
            check_finite(loss)
            training.on_epoch_end()
            told.on_epoch_end(epoch, {"loss": loss, "val_loss": _mean(learner.judge, validation)})
            if model.stop_training:
                break
        told.on_train_end()
    return Fit.of(history.history, interrupts)


def _mean(graph: Graph, batches: Batches, ended: Callable[[], bool] = lambda: False) -> float:
    """Return the mean loss of the windows, in their order; of those before the end where it comes early."""
    starts, size = batches.chosen, batches.batch_size
    total, seen = 0.0, 0
    for first in range(0, len(starts), STEPS * size):
        part = starts[first : first + STEPS * size]
        total += float(graph(batches.rows, part, size))
        seen += len(part)
        if ended():
            break
    return total / seen
