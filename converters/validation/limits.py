"""Report of a validation: errors on held-back windows, measured through the runtime's own interpreter shim."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FLOAT_LIMIT = 1e-4
INT8_LIMIT = 0.05
ROUNDING = 1e-6  # of the largest output: what two orders of adding in single precision differ by
STRETCH = 1.5  # times normal values: what a fault may reach, in the out-of-range check and in detectors' integer ranges
NOTHING = 1e-10  # a smaller value is what rounding left of 0
FEW_WINDOWS = 32
OUTSIDE_LIMIT = 0.01


@dataclass(frozen=True)
class RepresentativeCheck:
    """Fitness of the representative windows to stand for what the device will see."""

    windows: int
    """Windows that ranges were chosen on."""
    held: int
    """Later windows that the validation was made on."""
    outside: float
    """Share of held-back input values outside the representative windows' range."""
    constant: tuple[int, ...]
    """Input channels that never change in the representative windows."""
    warnings: tuple[str, ...]
    """Faults of the set, one sentence each; empty when it is good."""


@dataclass(frozen=True)
class Validation:
    """Errors of one converted model; relative ones are shares of the float output's standard deviation."""

    scheme: str
    """Quantization scheme."""
    size: int
    """Bytes of the flatbuffer."""
    parameters: int
    """Weights in the Keras model."""
    lowering_error: float
    """Largest difference between the float flatbuffer and Keras, relative."""
    error: float
    """RMS difference between this flatbuffer and the float one, relative."""
    largest_error: float
    """Largest such difference, relative."""
    floor: float
    """RMS error that rounding the outputs to this file's output type costs by itself, relative."""
    depth: str
    """Depth of the quantization: full, weights, hybrid, widened, or empty for float32."""
    ranges: str
    """Choice of activation ranges: minmax, percentile, mse, or empty."""
    clipped: float
    """Share of held-back input values that the model's input type clips."""
    recurrent_ops: int
    """Fused recurrent ops."""
    ops: int
    """All ops."""
    newer_ops: tuple[str, ...] = ()
    """Ops, with version, that tflite-runtime 2.14 does not have; empty where it runs the file."""
    steps: int = 0
    """Consecutive samples of a streaming model that `error` is over, the state never reset; 0 for a windowed one."""
    late_error: float = 0.0
    """RMS difference over the last tenth of these, relative: about `error` where nothing drifts."""
    history: float = 0.0
    """RMS difference between the float outputs after a long history and after one window, relative."""
    warmup: int = 0
    """Samples after which a fresh stream gives what a long one gives, within 5 %."""
    arena: int = 0
    """Bytes of working memory in tflite-micro, on a 64-bit machine; 0 for another target."""
    micro_error: float = 0.0
    """RMS difference between tflite-micro's and LiteRT's outputs on the same inputs, relative."""
    channel_error: float = 0.0
    """RMS difference of the output channel that suffers most, as a share of that channel's own deviation."""
    channel: int = 0
    """Number of that channel, counted through all outputs."""
    stretched: float = 0.0
    """RMS difference on held-back windows `STRETCH` times as large, relative; 0 where the inputs are no real numbers."""
    micro_largest: float = 0.0
    """Largest such difference, in steps of an integer output, else as it is."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def within_limits(validation: Validation) -> bool:
    """Test the limit on every output and every channel."""
    return max(validation.error, validation.channel_error) <= INT8_LIMIT


def relative_rms(value: Array, reference: Array) -> float:
    """RMS difference as a share of the reference's standard deviation.

    Args:
        value: Outputs to judge.
        reference: Exact outputs, same shape.

    >>> relative_rms(np.array([1.0, 3.0]), np.array([1.0, 3.0]))
    0.0
    """
    difference = value.astype(np.float64) - reference.astype(np.float64)
    return float(np.sqrt(np.mean(difference**2))) / spread(reference)


def relative_largest(value: Array, reference: Array) -> float:
    """Largest absolute difference as a share of the reference's standard deviation.

    Args:
        value: Outputs to judge.
        reference: Exact outputs, same shape.
    """
    difference = value.astype(np.float64) - reference.astype(np.float64)
    return float(np.abs(difference).max(initial=0.0)) / spread(reference)


def lowering_limit(reference: Array) -> float:
    """Largest relative difference that a float form may have: `FLOAT_LIMIT`, and the last bits of a large offset.

    >>> round(lowering_limit(np.array([-1.0, 1.0])), 6), round(lowering_limit(np.array([999.9, 1000.1])), 4)
    (0.000101, 0.0101)
    """
    return FLOAT_LIMIT + ROUNDING * float(np.abs(reference).max(initial=0.0)) / spread(reference)


def spread(values: Array) -> float:
    """Standard deviation over all values; the largest magnitude where they are constant, 1 where they are 0."""
    data = values.astype(np.float64)
    measures = (float(data.std()), float(np.abs(data).max(initial=0.0)))
    return next((measure for measure in measures if measure > NOTHING), 1.0)


def check_representative(
    windows: tuple[Array, ...], held: tuple[Array, ...], names: Sequence[str] = ()
) -> RepresentativeCheck:
    """Look for what makes a representative set a bad one.

    Args:
        windows: (N, ..., F) for each input, that ranges are chosen on.
        held: Later windows, same shapes.
        names: Of the input channels, for the warnings; empty numbers them from 0.
    """
    first, later = windows[0], held[0]
    axes = tuple(range(first.ndim - 1))
    low, high = first.min(axis=axes), first.max(axis=axes)
    outside = float(np.mean((later < low) | (later > high)))
    constant = tuple(int(channel) for channel in np.flatnonzero(np.atleast_1d(high == low)))
    warnings = []
    if len(first) < FEW_WINDOWS:
        warnings.append(f"only {len(first)} representative windows: give at least {FEW_WINDOWS}")
    if outside > OUTSIDE_LIMIT:
        warnings.append(
            f"{outside:.1%} of the held-back values lie outside the representative range: "
            "calibrate on data that covers all operating states"
        )
    if constant and first.ndim > 2:
        listed = ", ".join(names[at] if at < len(names) else str(at) for at in constant)
        warnings.append(f"input channel {listed} never changes in the representative windows")
    return RepresentativeCheck(len(first), len(later), outside, constant, tuple(warnings))
