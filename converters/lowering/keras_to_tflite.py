"""Keras 3 model → float32 TFLite flatbuffer without WHILE, Flex or TensorList."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from edgelstm.runtime.errors import ConversionError

from ..flatbuffer import Graph
from .bisect import find
from .rnn_ops import is_marked, write_out
from .rnn_tracing import marked

OTHER_PRECISIONS = {"float16", "bfloat16", "float64"}
FORBIDDEN = ("WHILE", "IF", "CALL_ONCE")


class _ForeignOps(Exception):  # noqa: N818 (becomes an error that names the layer)
    """A graph with ops that small interpreters do not have."""


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


def in_float32(model: Any) -> Any:
    """A model that computes in single precision, with the same weights: TFLite has no half or double kernels.

    Args:
        model: Any Keras model; it is returned itself if it has no other precision.
    """
    if all(layer.dtype_policy.name == "float32" for layer in model._flatten_layers()):
        return model
    copy = model.__class__.from_config(_single(model.get_config()))
    copy.set_weights([np.asarray(weight).astype(np.float32) for weight in model.get_weights()])
    return copy


def _single(part: Any) -> Any:
    """A model's configuration with single precision for every other one."""
    if isinstance(part, list):
        return [_single(item) for item in part]
    if isinstance(part, dict):
        return {name: _single(item) for name, item in part.items()}
    return "float32" if isinstance(part, str) and part.removeprefix("mixed_") in OTHER_PRECISIONS else part


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


def lower(model: Any, lookback: int | None = None, calls: bool = True) -> bytes:
    """Convert a Keras model to a float32 flatbuffer with batch 1.

    Args:
        model: A built Sequential or functional model.
        lookback: Rows for an open time axis.
        calls: Whether recurrent layers are one op, or call one body for each step; else all are written out in ops
            that have 16-bit kernels, a step after the other.

    Raises:
        ConversionError: If a layer has no TFLite form; it names the layer.
    """
    check(model)
    input_shapes(model, lookback)
    try:
        return _lower(model, lookback, calls)
    except ConversionError:
        raise
    except Exception as error:  # TensorFlow's converter raises what it likes
        layer = find(model, lambda part: _lower(part, lookback, calls))
        reason = str(error) if isinstance(error, _ForeignOps) else f"TensorFlow cannot convert it ({_short(error)})"
        raise ConversionError(
            f"Layer {layer.name!r} ({type(layer).__name__}) has no TFLite form: {reason}. "
            "Use another built-in layer, or leave it out of the model and compute it afterwards."
        ) from error


def _short(error: Exception) -> str:
    """An error of TensorFlow's or Keras' as a piece of a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200].rstrip(".:")


def _lower(model: Any, lookback: int | None, calls: bool) -> bytes:
    shapes = input_shapes(model, lookback)
    trainable = [np.array(variable.numpy()) for variable in model.trainable_variables]
    others = [np.array(variable.numpy()) for variable in model.non_trainable_variables]
    specs = [
        tf.TensorSpec(shape, tensor.dtype, name=f"input_{index:02}")
        for index, (shape, tensor) in enumerate(zip(shapes, model.inputs, strict=True))
    ]

    def forward(*inputs: Any) -> dict[str, Any]:
        # weights go in as constants: a recurrent op has them in its file, not as inputs
        weights = [tf.constant(value) for value in trainable], [tf.constant(value) for value in others]
        given = structured(model, inputs)
        outputs, _ = model.stateless_call(*weights, given, training=False)
        return {f"output_{index:02}": tensor for index, tensor in enumerate(keras.tree.flatten(outputs))}

    with marked(model, fuse=calls) as loops:
        graph = convert_function(forward, specs)
    write_out(graph, loops, calls)
    return graph.serialize()


def convert_function(function: Any, specs: list[Any]) -> Graph:
    """A function as a float graph, its inputs and outputs in their order; marked functions in it stay whole.

    Args:
        function: From tensors to a dictionary `output_00` … of tensors.
        specs: Shapes and types of its arguments, named `input_00` ….
    """
    concrete = tf.function(function, input_signature=specs, autograph=False).get_concrete_function()
    # without a trackable object the converter takes a route that inlines marked functions
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.allow_custom_ops = True
    graph = Graph.parse(converter.convert())
    _check_ops(graph)
    _order_ends(graph)
    return graph


def structured(model: Any, inputs: tuple[Any, ...]) -> Any:
    """A model's inputs, in the order of `model.inputs`, as it takes them: a tensor, a list, a dictionary by name."""
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


def _check_ops(graph: Graph) -> None:
    foreign = {name for name in graph.op_names() if name in FORBIDDEN}
    foreign |= {graph.custom_name(item) for item in graph.operators if not is_marked(graph, item)} - {""}
    if foreign or graph.subgraph_count > 1:
        raise _ForeignOps(f"it needs {', '.join(sorted(foreign)) or 'a subgraph'}, which small interpreters do not run")
