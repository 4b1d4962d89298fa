"""Errors of single output channels: a figure over all channels hides one that is small beside the others."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer import Graph
from .limits import NOTHING

Array = npt.NDArray[Any]
CONSTANT = 1e-5  # of a channel's largest value: what varies less is the last bits of single precision
PROBABILITIES = {"SOFTMAX", "LOGISTIC"}


def channel_errors(value: Array, reference: Array, deviations: Array | None = None) -> Array:
    """RMS difference of each channel (the last axis) as a share of a deviation, 0 for constant channels.

    Args:
        value: Outputs, shape (..., C).
        reference: Exact outputs of the same shape.
        deviations: One a channel, from `channel_deviations`; None for the reference's own.

    >>> channel_errors(np.array([[1.0, 0.1], [3.0, 0.1]]), np.array([[1.0, 0.1], [3.0, 0.3]])).round(2).tolist()
    [0.0, 1.41]
    """
    scales = channel_deviations(reference) if deviations is None else deviations
    ours, exact = (part.astype(np.float64).reshape(-1, part.shape[-1]) for part in (value, reference))
    rms = np.sqrt(np.mean((ours - exact) ** 2, axis=0))
    errors: Array = np.where(scales > 0, rms / np.where(scales > 0, scales, 1.0), 0.0)
    return errors


def channel_deviations(reference: Array, windows: Array | None = None, probabilities: bool = False) -> Array:
    """Deviation that each channel's error is measured by, 0 for a channel that is not judged.

    Args:
        reference: Exact outputs, shape (..., C).
        windows: Inputs, shape (..., C) or wider, of a model that gives its outputs in the units of the first C: an error
            there matters beside the sensor's own deviation, not beside the part of it that a forecaster can foresee.
        probabilities: Values of one common scale: each is measured by the deviation of all.

    >>> channel_deviations(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [1.0, 0.0]
    """
    own = _deviations(reference)
    if probabilities:
        return np.full_like(own, float(np.asarray(reference, np.float64).std()))
    channels = reference.shape[-1]
    if windows is None or windows.ndim < 2 or windows.shape[-1] < channels:
        return own
    sensors = _deviations(windows[..., :channels])
    return np.where(sensors > 0, np.maximum(own, sensors), 0.0)


def gives_probabilities(graph: Graph, output: int) -> bool:
    """Test whether an output comes from a softmax or a sigmoid.

    Args:
        graph: A float graph.
        output: Place of the output.
    """
    index = int(graph.sub.outputs[output])
    makers = (operator for operator in graph.operators if index in map(int, operator.outputs))
    return any(graph.name_of(operator) in PROBABILITIES for operator in makers)


def _deviations(values: Array) -> Array:
    """Standard deviation of each channel, 0 for constant ones, shape (C,)."""
    rows = values.astype(np.float64).reshape(-1, values.shape[-1])
    deviation = rows.std(axis=0)
    least = np.maximum(CONSTANT * np.abs(rows).max(axis=0, initial=0.0), NOTHING)
    kept: Array = np.where(deviation > least, deviation, 0.0)
    return kept
