"""The newest window and the model behind it: O(F) work a sample around the interpreter's own call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .interpreter import TFLiteModel
from .windows import WindowBuffer

Floats = npt.NDArray[np.float32]
Predict = Callable[[Floats], Floats]


class Engine(Protocol):
    """What the detector asks of a model."""

    buffer: WindowBuffer
    """The newest scaled samples, never clipped: scores are taken against these."""
    clipped: int
    """Values so far that the model saw clipped to its calibrated range."""

    def push(self, scaled: Floats) -> None:
        """Add the newest scaled sample, shape (F,)."""

    def run(self, rows: slice) -> Floats:
        """The model's output for the newest window, shape (R, F), only the rows asked for."""

    def clear(self) -> None:
        """Forget all samples and the model's state."""

    def variables(self) -> list[npt.NDArray[Any]]:
        """The model's state tensors."""

    def set_variables(self, arrays: list[npt.NDArray[Any]]) -> None:
        """Put the model's state back."""


class PlainEngine:
    """Any function from a scaled window (W, F) to an output (R, F), such as a Keras model's."""

    def __init__(self, predict: Predict, window: int, channels: int) -> None:
        self.buffer = WindowBuffer(window, channels)
        self.clipped = 0
        self._predict = predict
        self.push = self.buffer.push
        self.clear = self.buffer.clear

    def run(self, rows: slice) -> Floats:
        """See `Engine`."""
        return self._predict(self.buffer.window())[rows]

    def variables(self) -> list[npt.NDArray[Any]]:
        """See `Engine`."""
        return []

    def set_variables(self, arrays: list[npt.NDArray[Any]]) -> None:
        """See `Engine`."""


class TFLiteEngine:
    """A TFLite model; an integer model's window is kept quantized, so that each sample is quantized once.

    Args:
        model: A model with one input (1, W, F) and one output of F columns.
        stateful: Whether the interpreter keeps its state from sample to sample (W is 1 then).
    """

    def __init__(self, model: TFLiteModel, stateful: bool = False) -> None:
        self.model = model
        self.clipped = 0
        self._stateful = stateful
        self._interpreter = model.interpreter
        self._input, self._output = model.inputs[0], model.outputs[0]
        _, window, channels = self._input.shape
        self.buffer = WindowBuffer(window, channels)
        self._quantized = WindowBuffer(window, channels, self._input.dtype) if self._input.scale else None
        if self._quantized is not None:
            self._prepare(channels)

    def _prepare(self, channels: int) -> None:
        limits = np.iinfo(self._input.dtype)
        self._scale = np.float32(self._input.scale)
        self._zero = np.float32(self._input.zero_point)
        self._low = np.full(channels, limits.min, np.float32)
        self._high = np.full(channels, limits.max, np.float32)
        self._steps = np.empty(channels, np.float32)
        self._inside = np.empty(channels, np.float32)

    def push(self, scaled: Floats) -> None:
        """See `Engine`."""
        self.buffer.push(scaled)
        if self._quantized is None:
            return
        # the same arithmetic as Tensor.quantize, without making arrays
        steps, inside = self._steps, self._inside
        np.divide(scaled, self._scale, out=steps)
        np.rint(steps, out=steps)
        np.add(steps, self._zero, out=steps)
        np.maximum(steps, self._low, out=inside)
        np.minimum(inside, self._high, out=inside)
        if inside.tobytes() != steps.tobytes():
            self.clipped += int(np.count_nonzero(inside != steps))
        self._quantized.push(inside)

    def run(self, rows: slice) -> Floats:
        """See `Engine`."""
        interpreter = self._interpreter
        if not self._stateful:
            interpreter.reset_all_variables()
        interpreter.set_tensor(self._input.index, (self._quantized or self.buffer).batch())
        interpreter.invoke()
        output = interpreter.get_tensor(self._output.index)[0]
        newest: Floats = self._output.dequantize(output[rows])
        return newest

    def clear(self) -> None:
        """See `Engine`."""
        self.buffer.clear()
        if self._quantized is not None:
            self._quantized.clear()
        self.model.reset()

    def variables(self) -> list[npt.NDArray[Any]]:
        """See `Engine`."""
        return []

    def set_variables(self, arrays: list[npt.NDArray[Any]]) -> None:
        """See `Engine`."""
