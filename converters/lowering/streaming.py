"""The one-row form of a causal model: one step a sample, with the state kept between samples.

A model is causal when its output at a row depends on that row and the ones before it only through the state of its
recurrent layers. Then a model that takes one row a call and keeps its states gives what the windowed form gives over a
window of all rows so far.
"""

from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.interpreter import TFLiteModel

from ..private_api import all_layers, run_through_graph
from ..quantization.calibrator import run_model
from ..validation.limits import INT8_LIMIT, relative_rms, spread
from .rnn_tracing import is_fused

Array = npt.NDArray[Any]
STEPS = 10_000  # consecutive samples of a validation
RESTARTS = 16  # fresh streams that the warm-up is found with
COMPARED = 128  # windows that the streamed form is compared with

ROWS, NEWEST = "rows", "newest"
RECURRENT = {"LSTM", "SimpleRNN"}
POINTWISE = {
    "Dense", "Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization",
    "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity", "Rescaling", "Normalization", "BatchNormalization",
    "LayerNormalization", "RMSNormalization", "UnitNormalization", "Add", "Subtract", "Multiply", "Divide", "TrueDivide",
    "Average", "Maximum", "Minimum", "Concatenate", "Relu", "Sigmoid", "Tanh", "Negative", "Absolute", "Square", "Sqrt",
    "Exp", "Gelu", "Silu", "Elu", "Softplus",
}  # fmt: skip
STATELESS = "has no TFLite op that keeps its state"
WHOLE_WINDOW = {
    "Bidirectional": "reads the window backwards, too",
    "Flatten": "lays the rows of the window side by side",
    "Reshape": "rearranges the rows of the window",
    "Permute": "exchanges rows and channels",
    "RepeatVector": "makes a window out of one vector",
    "Masking": "leaves rows out by their values",
    "GRU": STATELESS,
    "RNN": STATELESS,
}
OVER_TIME = ("Conv", "SeparableConv", "DepthwiseConv", "AveragePooling", "MaxPooling", "Global", "Attention",
             "MultiHeadAttention", "AdditiveAttention", "GroupQueryAttention", "ZeroPadding", "Cropping", "UpSampling")  # fmt: skip


def check_causal(model: Any) -> None:
    """Refuse a model whose output at a row needs more than that row and the recurrent states.

    Raises:
        ConversionError: It names the layer, the reason and a way out.
    """
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or ()]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise ConversionError(
            f"A streaming model has one input of shape (rows, channels); {model.name!r} has "
            f"{[shape[1:] for shape in shapes]}. Convert it without --streaming."
        )
    for layer in all_layers(model):
        if type(layer) is keras.layers.Masking:  # its mask is computed by ops of their own, before it in the graph
            raise _refusal(layer, _reason("Masking"))
    seen: set[str] = set()
    _walk(model, [ROWS], seen)
    if not seen:
        raise ConversionError(
            f"{model.name!r} has no recurrent layer: a one-row form of it would know one row. "
            "Convert it without --streaming."
        )


def _walk(model: Any, kinds: list[Any], seen: set[str]) -> Any:
    """Kind of tensor that a model returns for inputs of these kinds; `seen` collects its recurrent layers."""
    return run_through_graph(model, kinds, lambda layer: partial(_rule, layer, seen))


def _rule(layer: Any, seen: set[str], *inputs: Any, **named: Any) -> Any:
    """Kind of tensor that a layer returns, by its class."""
    name = type(layer).__name__
    fed = [kind for kind in keras.tree.flatten([inputs, named]) if isinstance(kind, str) and kind in (ROWS, NEWEST)]
    kinds = set(fed)
    if isinstance(layer, keras.Model):
        return _walk(layer, fed, seen)
    if ROWS not in kinds and name not in RECURRENT and name != "RepeatVector":
        return NEWEST  # no time axis is left
    if name == "GetItem" and _is_newest(inputs[1] if len(inputs) > 1 else named.get("key")):
        return NEWEST
    if kinds != {ROWS}:
        raise _refusal(
            layer, "mixes every row with the newest one" if ROWS in kinds else "makes a window of one vector"
        )
    if name in RECURRENT:
        return _recurrent(layer, seen, len(fed) > 1)
    if name == "TimeDistributed":
        return ROWS
    if name in POINTWISE and _along_channels(layer):
        return ROWS
    if name == "Conv1D" and layer.kernel_size == (1,) and layer.strides == (1,):
        return ROWS
    raise _refusal(layer, _reason(name))


def _recurrent(layer: Any, seen: set[str], initialized: bool) -> Any:
    if layer.go_backwards:
        raise _refusal(layer, "reads the window backwards")
    if not is_fused(layer):
        raise _refusal(layer, STATELESS)
    if initialized:
        raise _refusal(layer, "starts from a state that the model computes for each window")
    seen.add(layer.name)
    kind = ROWS if layer.return_sequences else NEWEST
    return [kind, *[NEWEST] * len(keras.tree.flatten(layer.cell.state_size))] if layer.return_state else kind


def _is_newest(key: Any) -> bool:
    """Test whether an index takes the newest row, as in `x[:, -1]`."""
    return isinstance(key, (tuple, list)) and len(key) > 1 and key[0] == slice(None) and key[1] == -1


def _along_channels(layer: Any) -> bool:
    """Test whether a layer with an axis works along the channels, the last of (batch, rows, channels)."""
    axis = getattr(layer, "axis", -1)
    return all(item in (-1, 2) for item in (axis if isinstance(axis, (tuple, list)) else (axis,)))


def _reason(name: str) -> str:
    if name in POINTWISE:
        return "works along the window"
    if name.startswith(OVER_TIME):
        return "looks over several rows of the window"
    return WHOLE_WINDOW.get(name, "is not known to work row by row")


def _refusal(layer: Any, reason: str) -> ConversionError:
    return ConversionError(
        f"Layer {layer.name!r} ({type(layer).__name__}) {reason}: the model has no one-row form. Convert it without "
        "--streaming, or train a causal one with `edgelstm train --kind forecaster --streaming`."
    )


def over_rows(model: Any, rows: int, stateful: bool = False) -> Any:
    """The same causal model over another number of rows.

    Args:
        model: See `check_causal`; left as it is.
        rows: Length of its time axis.
        stateful: Whether Keras itself keeps the states from call to call; batch 1 then.
    """
    resized = model.__class__.from_config(_resized(model.get_config(), rows, stateful))
    resized.set_weights(model.get_weights())
    return resized


def _resized(part: Any, rows: int, stateful: bool) -> Any:
    """A model's configuration with the time axis of every input, of nested models too, `rows` long."""
    if isinstance(part, list):
        return [_resized(item, rows, stateful) for item in part]
    if not isinstance(part, dict):
        return part
    # a layer is built again from the shapes that come
    made = {name: _resized(item, rows, stateful) for name, item in part.items() if not name.startswith("build_")}
    if "stateful" in made:
        made["stateful"] = stateful
    if isinstance(made.get("batch_shape"), (list, tuple)):
        shape = tuple(made["batch_shape"])
        made["batch_shape"] = (1 if stateful else None, *((rows, *shape[2:]) if len(shape) > 2 else shape[1:]))
    return made


def keras_stream(model: Any, rows: Array) -> tuple[Array, ...]:
    """Keras' own outputs over consecutive rows (N, 1, F), the states kept; (N, ...) an output.

    Args:
        model: Causal Keras model.
        rows: Consecutive rows, shape (N, 1, F).
    """
    import tensorflow as tf

    stateful = over_rows(model, 1, stateful=True)
    shapes = [tf.TensorSpec(tensor.shape, tf.float32) for tensor in stateful.outputs]

    def play(rows: Any) -> Any:
        # one row after the other: the states are variables of the model
        return tf.map_fn(
            lambda row: keras.tree.flatten(stateful(row[None], training=False)),
            rows, parallel_iterations=1, fn_output_signature=shapes,
        )  # fmt: skip

    outputs = tf.function(play, autograph=False)(tf.constant(rows))
    return tuple(np.asarray(part)[:, 0] for part in outputs)


def endless(rows: Array, steps: int = STEPS) -> Array:
    """Rows (N, 1, F) repeated end to end until there are enough, shape (steps, 1, F).

    Args:
        rows: Shape (N, 1, F).
        steps: Least number of rows to return.

    >>> endless(np.zeros((3, 1, 2)), steps=10).shape
    (10, 1, 2)
    """
    return np.resize(rows, (max(steps, len(rows)), *rows.shape[1:]))


def compare(model: Any, streaming: TFLiteModel, held: Array, lookback: int) -> tuple[float, int]:
    """Compare the streamed float form with the windowed one, and measure how long a fresh stream needs to settle.

    Args:
        model: The windowed Keras model.
        streaming: Its one-row float form.
        held: Consecutive rows, (N, 1, F).
        lookback: Rows of a window, W, for a model with an open time axis or a one-row one.

    Returns:
        RMS difference between the outputs after a long history and after a window, as a share of the outputs'
        deviation; and the warm-up in samples, a window at most.
    """
    own = model.inputs[0].shape[1]
    window = min(own if own and own > 1 else lookback, max(1, len(held) // 2))
    streamed = run_model(streaming, (held,), stream=True)[0]
    rows, places = held[:, 0], np.unique(np.linspace(window - 1, len(held) - 1, COMPARED).astype(int))
    windows = np.stack([rows[place - window + 1 : place + 1] for place in places])
    windowed = keras.tree.flatten(over_rows(model, window).predict(windows, verbose=0))[0]
    if windowed.ndim == 3 and streamed.ndim == 3 and windowed.shape[1] != streamed.shape[1]:
        windowed = windowed[:, -1:]
    history = relative_rms(streamed[places].reshape(windowed.shape), windowed)
    return history, _warmup(streaming, held, streamed, window)


def _warmup(streaming: TFLiteModel, held: Array, streamed: Array, window: int) -> int:
    """Samples after which streams started afresh give what the long one gives, within the limit of a conversion."""
    starts = np.unique(np.linspace(window, max(window, len(held) - window), RESTARTS).astype(int))
    fresh = np.stack([run_model(streaming, (held[at : at + window],), stream=True)[0] for at in starts])
    known = np.stack([streamed[at : at + window] for at in starts])
    axes = (0, *range(2, fresh.ndim))
    errors = np.sqrt(np.mean((fresh - known) ** 2, axis=axes)) / spread(streamed)
    late = np.flatnonzero(errors > INT8_LIMIT)
    return int(min(window, late[-1] + 2)) if len(late) else 1
