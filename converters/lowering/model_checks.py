"""Refusals of Keras models that have no TFLite form, by layer name, before any conversion."""

from typing import Any

import keras
from edgelstm.runtime.errors import ConversionError

from ..private_api import all_layers


def check(model: Any, streaming: bool = False) -> None:
    """Refuse a model that cannot be converted.

    Args:
        model: A Keras model.
        streaming: Keep its state from call to call.

    Raises:
        ConversionError: With the layer, the reason and a way out.
    """
    if not getattr(model, "inputs", None):
        raise ConversionError(
            f"Model {model.name!r} has no symbolic inputs (a subclassed model). Rebuild it with the functional API."
        )
    for layer in all_layers(model):
        _check_layer(layer, streaming)


TEXT_LAYERS = ("TextVectorization", "StringLookup", "Hashing")


def _check_layer(layer: Any, streaming: bool) -> None:
    if getattr(layer, "stateful", False) and not streaming:
        raise ConversionError(
            f"Layer {layer.name!r} is stateful: its state would leak between windows. Rebuild it with stateful=False."
        )
    if type(layer).__name__ in TEXT_LAYERS:
        raise ConversionError(
            f"Layer {layer.name!r} ({type(layer).__name__}) takes text, which TFLite models for small interpreters do not. "
            "Leave it out of the model and compute it beforehand: keras.Model(its output, the model's output)."
        )
    if isinstance(layer, keras.layers.Lambda):
        raise ConversionError(f"Layer {layer.name!r} is a Lambda: it runs code. Use a built-in layer instead.")
    if type(layer).__name__.startswith("ConvLSTM"):
        raise ConversionError(
            f"Layer {layer.name!r} is a {type(layer).__name__}, which has no TFLite form here. Use Conv1D before an LSTM."
        )


def input_shapes(model: Any, lookback: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Shapes of the model's inputs with batch 1, open time axes closed.

    Args:
        model: A built Keras model.
        lookback: Rows for an open time axis (the first axis after the batch).

    Raises:
        ConversionError: If an axis stays open.
    """
    return tuple(_closed(tensor, lookback) for tensor in model.inputs)


def _closed(tensor: Any, lookback: int | None) -> tuple[int, ...]:
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
    return tuple(shape)
