"""Integers for real values: scales, zero points, and int8 weights beside float activations."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer import DTYPES, FLOAT32, INT8, Graph, Quantization

# Where ops keep the weights that may be int8 beside float activations.
HYBRID = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": range(1, 9),
    "UNIDIRECTIONAL_SEQUENCE_RNN": range(1, 3),
    "FULLY_CONNECTED": range(1, 2),
}


SMALLEST = 32  # weights: fewer take less room than the operator that would widen them
NOTHING = 1e-12  # weights below it change no sum, and their steps would fall below the smallest float


def asymmetric(low: float, high: float) -> Quantization:
    """Int8 parameters for a range that holds 0.

    Args:
        low: Smallest real value, at most 0.
        high: Largest real value, at least 0.
    """
    scale = max((high - low) / 255, 1e-12)
    return Quantization((scale,), int(np.clip(round(-128 - low / scale), -128, 127)))


def wide(low: float, high: float) -> Quantization:
    """Int16 parameters for a range; TFLite's 16-bit kernels want zero point 0.

    Args:
        low: Smallest real value.
        high: Largest real value.
    """
    return Quantization((max(-low, high, 1e-12) / 32767,))


def symmetric(weights: npt.NDArray[Any], axis: int | None = None, least: Any = 0.0) -> Quantization:
    """Int8 parameters for weights, zero point 0.

    Args:
        weights: Float weights.
        axis: Axis to give each channel its own scale along, None for one scale.
        least: Smallest scale allowed, a number or one a channel.
    """
    others = None if axis is None else tuple(other for other in range(weights.ndim) if other != axis)
    largest = np.abs(weights).max(axis=others) / 127
    scales = np.atleast_1d(np.maximum(np.where(largest > NOTHING, largest, 1.0), least))
    return Quantization(tuple(map(float, scales)), 0, axis or 0)


def to_integers(values: npt.NDArray[Any], quantization: Quantization, kind: int = INT8) -> npt.NDArray[Any]:
    """Real values as integers of a type, clipped, never wrapped.

    Args:
        values: Real values of any shape.
        quantization: Scale and zero point.
        kind: Type number of the schema.
    """
    scale = np.asarray(quantization.scale, np.float64)
    if len(scale) > 1:
        shape = [1] * values.ndim
        shape[quantization.axis] = len(scale)
        scale = scale.reshape(shape)
    steps = np.rint(values.astype(np.float64) / scale) + quantization.zero_point
    limits = np.iinfo(DTYPES[kind])
    clipped: npt.NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(DTYPES[kind])
    return clipped


def hybrid_weights(graph: Graph, operator: Any) -> None:
    """Give a float op int8 weights, if it takes them: the interpreter quantizes its activations on the fly.

    Args:
        graph: The graph, changed in place.
        operator: Float operator with weights.
    """
    inputs = np.array(operator.inputs, np.int32)
    for place, values in _float_weights(graph, operator):
        quantization = symmetric(values)
        inputs[place] = graph.add_tensor(values.shape, INT8, to_integers(values, quantization), quantization)
    operator.inputs = inputs


def _float_weights(graph: Graph, operator: Any) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield places among an operator's inputs, and values, of float weights that it takes as int8."""
    for place in HYBRID.get(graph.name_of(operator), ()):
        values = graph.constant(int(operator.inputs[place]))
        if values is not None and values.dtype == np.float32:
            yield place, values


def widened_weights(graph: Graph, operator: Any) -> list[Any]:
    """Give a float op int8 weights that are widened to float once, when the interpreter meets them first: its kernel rounds nothing.

    Args:
        graph: The graph, changed in place.
        operator: Float operator with weights.

    Returns:
        The operators that widen them, to be placed before it.
    """
    inputs = np.array(operator.inputs, np.int32)
    openings = []
    for place, values in _float_weights(graph, operator):
        if values.size >= SMALLEST:
            # a scale an output channel for dense layers; a gate's weights were rounded with one
            quantization = symmetric(values, 0 if graph.name_of(operator) == "FULLY_CONNECTED" else None)
            narrow = graph.add_tensor(values.shape, INT8, to_integers(values, quantization), quantization)
            inputs[place] = graph.add_tensor(values.shape, FLOAT32)
            openings.append(graph.operator("DEQUANTIZE", [narrow], [int(inputs[place])], 2))
    operator.inputs = inputs
    return openings


def halves(weights: npt.NDArray[Any]) -> list[tuple[npt.NDArray[Any], Quantization]]:
    """Int8 weights in two summands, a scale for each output channel (the first axis): coarse ones, and what they left.

    Args:
        weights: Float weights, shape (C, ...).

    Returns:
        Values and parameters of both; their sum is off by 1 / 508 of a coarse step at most.
    """
    parts, rest = [], weights.astype(np.float64)
    for _ in range(2):
        quantization = symmetric(rest, 0)
        values = to_integers(rest, quantization)
        parts.append((values, quantization))
        rest = rest - values * np.asarray(quantization.scale).reshape(-1, *[1] * (weights.ndim - 1))
    return parts
