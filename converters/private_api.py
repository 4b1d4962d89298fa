"""Handles into Keras, TensorFlow and LiteRT that their makers do not document: every one of them is used from here.

A new release may move or drop any of them. `tests/full/converters/test_private_api.py` tries each by itself, so that a
failing test names the handle and not a conversion far away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from edgelstm.runtime.inference.backend import backend

__all__ = [
    "all_layers",
    "custom_op",
    "flatbuffers",
    "functional_graph",
    "input_structure",
    "plain_addition",
    "preserving_interpreter",
    "replaced_calls",
    "run_through_graph",
    "schema",
]


def all_layers(model: Any) -> list[Any]:
    """Layers of a Keras model and of everything nested in it, the model itself included (`Layer._flatten_layers`)."""
    return list(model._flatten_layers())


def functional_graph(model: Any) -> Any:
    """The functional model behind a Sequential one (`Sequential._functional`); any other model itself."""
    return getattr(model, "_functional", None) or model


def run_through_graph(model: Any, inputs: list[Any], rule: Callable[[Any], Callable[..., Any]]) -> Any:
    """Evaluate a model's graph on values that need not be tensors (`Function._run_through_graph`).

    Args:
        model: A Sequential or functional model.
        inputs: One value an input.
        rule: Gives, for an operation of the graph, the function to call in its place.
    """
    return functional_graph(model)._run_through_graph(inputs, operation_fn=rule)


def input_structure(model: Any) -> Any:
    """The structure in which a functional model takes its inputs (`Functional._inputs_struct`), None if it has none."""
    return getattr(model, "_inputs_struct", None)


@contextmanager
def replaced_calls(calls: dict[Any, Callable[..., Any]]) -> Iterator[None]:
    """Give layers another `call` for as long as the context lasts, past Keras' attribute tracking.

    Args:
        calls: The replacement by layer.
    """
    for layer, call in calls.items():
        object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        for layer in calls:
            vars(layer).pop("call", None)


@contextmanager
def plain_addition() -> Iterator[None]:
    """Keep Keras from writing a sum as BiasAdd (`keras.src.backend.tensorflow.numpy.add`) for as long as the context lasts.

    It does so where the second summand has one axis longer than 1. With batch 1 that is a window of one channel, and
    BiasAdd along the rows has no TFLite form; where rows and channels are as many it adds along the wrong axis.
    """
    import tensorflow as tf
    from keras.src.backend.tensorflow import numpy as backend_numpy

    original = backend_numpy.add

    def add(first: Any, second: Any) -> Any:
        tensors = tf.is_tensor(first) and tf.is_tensor(second) and first.dtype == second.dtype
        return tf.add(first, second) if tensors and len(second.shape) > 1 else original(first, second)

    backend_numpy.add = add
    try:
        yield
    finally:
        backend_numpy.add = original


def custom_op(name: str, body: Callable[..., list[Any]], inputs: tuple[Any, ...]) -> list[Any]:
    """Call a TensorFlow function that TFLite's converter leaves whole, as one custom op.

    `experimental_implements` with the attribute `tfl_fusable_op` does that, in the converter's route for functions
    with a trackable object (https://www.tensorflow.org/lite/models/convert/operation_fusion).

    Args:
        name: Name of the custom op.
        body: Gives tensors of the output shapes; its values do not matter.
        inputs: The op's inputs.
    """
    import tensorflow as tf

    signature = f'name: "{name}" attr {{ key: "tfl_fusable_op" value {{ b: true }} }}'
    return list(tf.function(body, autograph=False, experimental_implements=signature)(*inputs))


def preserving_interpreter(content: bytes) -> Any:
    """A LiteRT interpreter that keeps every intermediate tensor (`experimental_preserve_all_tensors`), allocated.

    Args:
        content: Flatbuffer.
    """
    litert = backend("ai_edge_litert")  # tflite-runtime cannot keep intermediate tensors
    interpreter = litert.interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=litert.plain_kernels,
    )
    interpreter.allocate_tensors()
    return interpreter
