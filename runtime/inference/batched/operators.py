"""Integer operators of TFLite over a batch, bit for bit as the portable kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .fixed_point import UnprovenError, multiplier_of, rescale, rescale_wide

Array = npt.NDArray[Any]
NO_ACTIVATION, RELU = 0, 1
ADD_SHIFT = {"int8": 20, "int16": 15}
SINGLE_EXACT = 2.0**24


@dataclass(frozen=True)
class Port:
    """Type and scale of a tensor."""

    type: str
    """Element type."""
    shape: tuple[int, ...]
    """Shape in the file, batch axis (1) first."""
    scale: float = 0.0
    """Step, 0 for real values."""
    zero_point: int = 0
    """Integer that stands for 0."""

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest integer."""
        limits = np.iinfo(self.type)
        return int(limits.min), int(limits.max)

    def clipped(self, values: Array, activation: int = NO_ACTIVATION) -> Array:
        """Limit integers to the type, or to what is not negative, and convert them.

        Args:
            values: Integers.
            activation: Of the operator.
        """
        low, high = self.range
        if activation not in (NO_ACTIVATION, RELU):
            raise UnprovenError(f"activation {activation}")
        return np.clip(values, max(low, self.zero_point) if activation == RELU else low, high).astype(self.type)


class Dense:
    """A CONV_2D over single rows: products with 8-bit weights.

    Args:
        source: Input.
        target: Output.
        weights: Shape (channels, width).
        scales: One, or one a channel.
        bias: Shape (channels,).
        activation: Fused activation.
    """

    def __init__(
        self, source: Port, target: Port, weights: Array, scales: Sequence[float], bias: Array, activation: int
    ) -> None:
        self._source, self._target, self._activation = source, target, activation
        self._wide = source.type == "int16"
        factors = [source.scale * float(scale) / target.scale for scale in scales]
        pairs = [multiplier_of(factor) for factor in factors * (len(weights) if len(factors) == 1 else 1)]
        self._multipliers, self._shifts = (np.asarray(part) for part in zip(*pairs, strict=True))
        self._bias = bias.astype(np.int64) - source.zero_point * weights.astype(np.int64).sum(axis=1)
        largest = np.abs(weights.astype(np.float64)).sum(axis=1).max(initial=0.0) * (32768 if self._wide else 128)
        if not self._wide and largest + np.abs(self._bias).max(initial=0) >= 2.0**31 / 2 ** max(0, self._shifts.max()):
            raise UnprovenError("sums beyond 32 bits")
        self._kernel = weights.T.astype(np.float32 if largest < SINGLE_EXACT else np.float64)

    def __call__(self, values: Array) -> Array:
        """Compute the outputs of rows, shape (..., width) to (..., channels)."""
        sums = np.matmul(values.astype(self._kernel.dtype), self._kernel).astype(np.int64) + self._bias
        scaled = (rescale_wide if self._wide else rescale)(sums, self._multipliers, self._shifts)
        return self._target.clipped(scaled + self._target.zero_point, self._activation)


class Addition:
    """An ADD of two integer tensors.

    Args:
        first: One input.
        second: The other.
        target: Output.
        activation: Fused activation.
    """

    def __init__(self, first: Port, second: Port, target: Port, activation: int) -> None:
        self._inputs, self._target, self._activation = (first, second), target, activation
        self._left = ADD_SHIFT[target.type]
        largest = 2 * max(first.scale, second.scale)
        self._factors = [multiplier_of(port.scale / largest) for port in self._inputs]
        self._last = multiplier_of(largest / ((1 << self._left) * target.scale))
        if any(shift > 0 for _, shift in (*self._factors, self._last)):
            raise UnprovenError("a sum of unusual scales")

    def __call__(self, first: Array, second: Array) -> Array:
        """Add two arrays, which may need broadcasting.

        Args:
            first: One.
            second: The other.
        """
        parts = [
            rescale((values.astype(np.int64) - port.zero_point) << self._left, *factor)
            for values, port, factor in zip((first, second), self._inputs, self._factors, strict=True)
        ]
        total = rescale(parts[0] + parts[1], *self._last) + self._target.zero_point
        return self._target.clipped(total, self._activation)


def quantizer(source: Port, target: Port) -> Callable[[Array], Array]:
    """Return the function of a QUANTIZE: from real values, or from another scale.

    Args:
        source: Input.
        target: Output.
    """
    if source.type == "float32":
        scale = np.float32(target.scale)

        def quantize(values: Array) -> Array:
            steps = (values / scale).astype(np.float64)
            return target.clipped(np.trunc(steps + np.copysign(0.5, steps)) + target.zero_point)

        return quantize
    if source.type not in ("int8", "int16") or target.type not in ("int8", "int16"):
        raise UnprovenError(f"QUANTIZE from {source.type} to {target.type}")
    factor = multiplier_of(source.scale / target.scale)

    def requantize(values: Array) -> Array:
        return target.clipped(rescale(values.astype(np.int64) - source.zero_point, *factor) + target.zero_point)

    return requantize


def dequantizer(source: Port) -> Callable[[Array], Array]:
    """Return the function of a DEQUANTIZE.

    Args:
        source: Input.
    """
    if source.type not in ("int8", "int16"):
        raise UnprovenError(f"DEQUANTIZE of {source.type}")

    def dequantize(values: Array) -> Array:
        return ((values.astype(np.int64) - source.zero_point) * source.scale).astype(np.float32)

    return dequantize


def strided_slice(
    shape: tuple[int, ...], begin: Sequence[int], end: Sequence[int], stride: Sequence[int], masks: Sequence[int]
) -> tuple[slice | int, ...]:
    """Return the index of a STRIDED_SLICE, whole along the batch axis.

    Args:
        shape: Of the input in the file, batch axis (1) first.
        begin: First element by axis.
        end: Element after the last by axis.
        stride: Step by axis.
        masks: Bits by axis: begin counts not, end counts not, ellipsis, new axis, the axis disappears.

    Raises:
        UnprovenError: If it has an ellipsis or new axes, cuts the batch axis, or goes backwards.
    """
    no_begin, no_end, ellipsis, new_axis, shrink = masks
    if ellipsis or new_axis or shrink & 1 or len(begin) != len(shape) or min(stride) < 1:
        raise UnprovenError("an unusual STRIDED_SLICE")
    index: list[slice | int] = []
    for axis, size in enumerate(shape):
        bit = 1 << axis
        if shrink & bit:
            index.append(begin[axis] + (size if begin[axis] < 0 else 0))
            continue
        part = slice(
            None if no_begin & bit else begin[axis], None if no_end & bit else end[axis], stride[axis]
        ).indices(size)
        if axis == 0 and part != (0, 1, 1):
            raise UnprovenError("a STRIDED_SLICE of the batch")
        index.append(slice(None) if axis == 0 else slice(*part))
    return tuple(index)
