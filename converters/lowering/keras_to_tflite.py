"""Keras 3 model → float32 TFLite graph without WHILE, Flex or TensorList."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from edgelstm.runtime.errors import ConversionError

from ..flatbuffer import TFLiteFile
from ..private_api import all_layers, input_structure, plain_addition
from .bisect import offending_layer
from .folding import fold_channel_scales
from .model_checks import check, input_shapes
from .rnn_ops import write_out
from .rnn_tracing import marked
from .tf_convert import ForeignOps, convert_function

LONGEST = 200  # characters of an error of TensorFlow's
OTHER_PRECISIONS = {"float16", "bfloat16", "float64"}


def in_float32(model: Any) -> Any:
    """A model that computes in single precision, with the same weights: TFLite has no half or double kernels.

    Args:
        model: Any Keras model; it is returned itself if it has no other precision.
    """
    if all(layer.dtype_policy.name == "float32" for layer in all_layers(model)):
        return model
    single = model.__class__.from_config(_single(model.get_config()))
    single.set_weights([np.asarray(weight).astype(np.float32) for weight in model.get_weights()])
    return single


def _single(part: Any) -> Any:
    """A model's configuration with single precision for every other one."""
    if isinstance(part, list):
        return [_single(item) for item in part]
    if isinstance(part, dict):
        return {name: _single(item) for name, item in part.items()}
    return "float32" if isinstance(part, str) and part.removeprefix("mixed_") in OTHER_PRECISIONS else part


def lower(model: Any, lookback: int | None = None, calls: bool = True, streaming: bool = False) -> TFLiteFile:
    """Convert a Keras model to a float32 TFLite model with batch 1.

    Args:
        model: A built Sequential or functional model.
        lookback: Rows for an open time axis.
        calls: Whether recurrent layers are one op, or call one body for each step; else all are written out in ops
            that have 16-bit kernels, a step after the other.
        streaming: Keep the state from call to call; else every call begins from zero, reset or not.

    Raises:
        ConversionError: If a layer has no TFLite form; it names the layer.
    """
    check(model)
    input_shapes(model, lookback)
    try:
        return _lower(model, lookback, calls, streaming)
    except ConversionError:
        raise
    except Exception as error:  # TensorFlow's converter raises what it likes
        layer = offending_layer(model, lambda part: _lower(part, lookback, calls, streaming))
        reason = str(error) if isinstance(error, ForeignOps) else f"TensorFlow cannot convert it ({_short(error)})"
        raise ConversionError(
            f"Layer {layer.name!r} ({type(layer).__name__}) has no TFLite form: {reason}. "
            "Use another built-in layer, or leave it out of the model and compute it afterwards."
        ) from error


def _short(error: Exception) -> str:
    """An error of TensorFlow's or Keras' as a piece of a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = (lines or [type(error).__name__])[0].rsplit(" error: ", 1)[-1]  # without the place in the source
    return first if len(first) <= LONGEST else f"{first[:LONGEST].rsplit(' ', 1)[0]} …"


def _lower(model: Any, lookback: int | None, calls: bool, streaming: bool) -> TFLiteFile:
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
        outputs, _ = model.stateless_call(*weights, structured(model, inputs), training=False)
        return {f"output_{index:02}": tensor for index, tensor in enumerate(keras.tree.flatten(outputs))}

    with marked(model, fuse=calls) as loops, plain_addition():
        graph = convert_function(forward, specs)
    write_out(graph, loops, calls, streaming)
    fold_channel_scales(graph)
    return graph.finished()


def structured(model: Any, inputs: tuple[Any, ...]) -> Any:
    """A model's inputs in the structure that it takes: a tensor, a list, a dictionary by name.

    Args:
        model: A Keras model.
        inputs: One array or tensor an input, in the order of `model.inputs`.
    """
    structure = input_structure(model)
    if structure is not None:
        return keras.tree.pack_sequence_as(structure, list(inputs))
    return inputs[0] if len(inputs) == 1 else list(inputs)
