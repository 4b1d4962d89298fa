"""Keras 3 model → float32 TFLite flatbuffer without WHILE, Flex or TensorList."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from edgelstm.runtime.errors import ConversionError

from .flatbuffer import FLOAT32, Graph
from .recurrent import prepare

FORBIDDEN = ("WHILE", "IF", "CUSTOM", "CALL_ONCE")


def input_shapes(model: Any, lookback: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Shapes of the model's inputs with batch 1, open time axes closed.

    Args:
        model: A built Keras model.
        lookback: Rows for an open time axis (the first axis after the batch).

    Raises:
        ConversionError: If an axis stays open.
    """
    shapes = []
    for tensor in model.inputs:
        shape = [1, *tensor.shape[1:]]
        if len(shape) > 1 and shape[1] is None:
            if lookback is None:
                raise ConversionError(
                    f"Input {tensor.name!r} has an open time axis {tuple(tensor.shape)}, TFLite needs a length. "
                    "Give it with --lookback N."
                )
            shape[1] = lookback
        if None in shape:
            raise ConversionError(
                f"Input {tensor.name!r} has an open axis {tuple(tensor.shape)} besides time. "
                "Build the model with a fixed shape there."
            )
        shapes.append(tuple(shape))
    return tuple(shapes)


def check(model: Any, streaming: bool = False) -> None:
    """Refuse what cannot be converted, by layer name.

    Args:
        model: A Keras model.
        streaming: Whether its state is wanted from call to call.

    Raises:
        ConversionError: With the reason and a way out.
    """
    if not getattr(model, "inputs", None):
        raise ConversionError(
            f"Model {model.name!r} has no symbolic inputs (a subclassed model). Rebuild it with the functional API."
        )
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False) and not streaming:
            raise ConversionError(
                f"Layer {layer.name!r} is stateful: its state would leak between windows. Rebuild it with stateful=False."
            )
        if isinstance(layer, keras.layers.Lambda):
            raise ConversionError(f"Layer {layer.name!r} is a Lambda: it runs code. Use a built-in layer instead.")
        if type(layer).__name__.startswith("ConvLSTM"):
            raise ConversionError(
                f"Layer {layer.name!r} is a {type(layer).__name__}, which has no TFLite form here. "
                "Use Conv1D before an LSTM."
            )


def lower(model: Any, lookback: int | None = None) -> bytes:
    """Convert a Keras model to a float32 flatbuffer with batch 1. The model's recurrent layers are changed in place.

    Args:
        model: A built Sequential or functional model.
        lookback: Rows for an open time axis.

    Raises:
        ConversionError: If a layer has no TFLite form; it names the layer.
    """
    check(model)
    shapes = input_shapes(model, lookback)
    prepare(model)
    trainable = [np.array(variable.numpy()) for variable in model.trainable_variables]
    others = [np.array(variable.numpy()) for variable in model.non_trainable_variables]
    specs = [
        tf.TensorSpec(shape, tensor.dtype, name=f"input_{index:02}")
        for index, (shape, tensor) in enumerate(zip(shapes, model.inputs, strict=True))
    ]

    def forward(*inputs: Any) -> dict[str, Any]:
        # weights go in as constants: a captured variable would make the converter inline what it should fuse
        weights = [tf.constant(value) for value in trainable], [tf.constant(value) for value in others]
        given = _structured(model, inputs)
        outputs, _ = model.stateless_call(*weights, given, training=False)
        return {f"output_{index:02}": tensor for index, tensor in enumerate(keras.tree.flatten(outputs))}

    concrete = tf.function(forward, input_signature=specs, autograph=False).get_concrete_function()
    # without a trackable object the converter takes a route that inlines marked functions
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    graph = Graph.parse(converter.convert())
    _check_ops(graph)
    _order_ends(graph)
    _unclip(graph)
    _part_states(graph)
    return graph.serialize()


def _structured(model: Any, inputs: tuple[Any, ...]) -> Any:
    structure = getattr(model, "_inputs_struct", None)
    if structure is not None:
        return keras.tree.pack_sequence_as(structure, list(inputs))
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _order_ends(graph: Graph) -> None:
    """Inputs and outputs in the Keras model's order; the converter orders them as it likes, and tells by a signature."""
    signature = graph.model.signatureDefs[0]
    for side in ("inputs", "outputs"):
        named = {bytes(entry.name): int(entry.tensorIndex) for entry in getattr(signature, side)}
        setattr(graph.sub, side, np.asarray([named[name] for name in sorted(named)], np.int32))


def _unclip(graph: Graph) -> None:
    """Undo what the fuser adds: it clips cell states at 10, which Keras does not."""
    for operator in graph.operators:
        if hasattr(operator.builtinOptions, "cellClip"):
            operator.builtinOptions.cellClip = 0.0


def _part_states(graph: Graph) -> None:
    """Give weights that the converter merged with a state tensor of the same zeros and shape a tensor of their own."""
    for operator in graph.operators:
        inputs = np.array(operator.inputs, np.int32)
        for place, index in enumerate(map(int, inputs[:18]) if hasattr(operator.builtinOptions, "cellClip") else ()):
            if index >= 0 and graph.tensors[index].isVariable:
                shape = graph.tensors[index].shape
                inputs[place] = graph.add_tensor(shape, FLOAT32, np.zeros(shape, np.float32))
        operator.inputs = inputs


def _check_ops(graph: Graph) -> None:
    foreign = sorted({op for op in graph.op_names() if op in FORBIDDEN})
    if foreign or graph.subgraph_count > 1:
        raise ConversionError(
            f"The model lowers to {', '.join(foreign) or 'several subgraphs'}, which small interpreters do not run. "
            "Look for a layer that loops or branches on its values."
        )
