"""The newest window and the model behind it: O(F) work a sample around the interpreter's own call.

After a call the code of NumPy is out of the processor's cache, and each of its operations costs microseconds:
so a sample is handled as plain floats and bytes, with the same results as `Scaler`, `Tensor` and `Scorer` give.
"""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from operator import add, mul, truediv
from typing import Any

import numpy as np
import numpy.typing as npt

from .interpreter import Tensor, TFLiteModel
from .windows import WindowBuffer, rows_to_text

Floats = npt.NDArray[np.float32]
Predict = Callable[[Floats], Floats]
ROUNDER = 1.5 * 2.0**52


class Engine:
    """A model's newest windows, and what the detector asks of the model; one without a model is of no use.

    Args:
        buffers: What the model sees, and, where that is clipped, perhaps what came.
    """

    def __init__(self, *buffers: WindowBuffer) -> None:
        self._buffers, self.buffer = buffers, buffers[-1]

    @property
    def clipped(self) -> int:
        """Values so far that the model saw clipped to its calibrated range."""
        return 0

    def push(self, scaled: Sequence[float], packed: bytes) -> None:
        """Add the newest scaled sample, F values, also given as the bytes of a float32 array."""
        self.buffer.push_bytes(packed)

    def run(self, row: int) -> Sequence[float]:
        """One row of the model's output for the newest window, F values."""
        output: list[float] = self.run_rows(0)[row].tolist()
        return output

    def run_rows(self, rows: int) -> Floats:
        """The last rows of the model's output for the newest window, shape (rows, F); all of them for 0."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take the newest sample back, to push another in its place."""
        for buffer in self._buffers:
            buffer.undo()

    def clear(self) -> None:
        """Forget all samples and the model's state."""
        for buffer in self._buffers:
            buffer.clear()

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON types."""
        return {
            "count": self.buffer.count,
            "windows": [rows_to_text([buffer.window().tobytes()]) for buffer in self._buffers],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        for buffer, text in zip(self._buffers, state["windows"], strict=True):
            buffer.restore(b64decode(text), state["count"])


class PlainEngine(Engine):
    """Any function from a scaled window (W, F) to an output (R, F), such as a Keras model's."""

    def __init__(self, predict: Predict, window: int, channels: int) -> None:
        super().__init__(WindowBuffer(window, channels))
        self._predict = predict

    def run_rows(self, rows: int) -> Floats:
        """See `Engine`."""
        return np.asarray(self._predict(self.buffer.window()))[-rows:]


class TFLiteEngine(Engine):
    """A TFLite model; an integer model's window is kept quantized, so that each sample is quantized once.

    Args:
        model: A model with one input (1, W, F) and one output of F columns.
        stateful: Whether the interpreter keeps its state from sample to sample (W is 1 then).
        apart: Whether `buffer` holds what came, apart from what an integer model sees of it.
    """

    def __init__(self, model: TFLiteModel, stateful: bool = False, apart: bool = True) -> None:
        self.model = model
        self._stateful = stateful
        self._interpreter = model.interpreter
        self._input, self._output = model.inputs[0], model.outputs[0]
        self._flat = len(self._output.shape) == 2  # one row (1, F) without a row axis, as a plain Dense layer gives
        _, window, channels = self._input.shape
        self._quantizer = Quantizer(self._input, channels) if self._input.scale else None
        self._seen = WindowBuffer(window, channels, self._input.dtype)
        super().__init__(self._seen, *([WindowBuffer(window, channels)] if self._quantizer and apart else ()))
        self._table = _table(self._output) if self._output.scale and self._output.dtype.itemsize == 1 else None
        self._values = None if self._table is None else np.asarray(self._table, np.float32)
        columns = self._output.shape[-1]
        single = struct.Struct(f"={columns}f")
        self._pack, self._unpack = single.pack, single.unpack
        self._scales = (self._output.scale,) * columns

    @property
    def clipped(self) -> int:
        """See `Engine`."""
        return self._quantizer.clipped if self._quantizer else 0

    def push(self, scaled: Sequence[float], packed: bytes) -> None:
        """See `Engine`."""
        self._seen.push_bytes(packed if self._quantizer is None else self._quantizer.pack(scaled))
        if self.buffer is not self._seen:
            self.buffer.push_bytes(packed)

    def run(self, row: int) -> Sequence[float]:
        """See `Engine`."""
        output, table = self._invoke()[0], self._table
        newest = output if self._flat else output[row]
        if table is not None:
            return [table[step] for step in newest.tobytes()]
        steps: list[Any] = newest.tolist()
        if self._output.scale:  # 16 bits have no zero point; to float32 and back, as `Tensor.dequantize` rounds
            return self._unpack(self._pack(*map(mul, steps, self._scales)))
        return steps

    def run_rows(self, rows: int) -> Floats:
        """See `Engine`."""
        output = self._invoke()[0]
        newest: npt.NDArray[Any] = output[None] if self._flat else output[-rows:]
        if self._values is not None:
            return self._values[newest.view(np.uint8)]
        values: Floats = self._output.dequantize(newest)
        return values

    def _invoke(self) -> npt.NDArray[Any]:
        interpreter = self._interpreter
        if not self._stateful:
            interpreter.reset_all_variables()
        interpreter.set_tensor(self._input.index, self._seen.batch())
        interpreter.invoke()
        output: npt.NDArray[Any] = interpreter.get_tensor(self._output.index)
        return output

    def clear(self) -> None:
        """See `Engine`."""
        super().clear()
        self.model.reset()

    def state(self) -> dict[str, Any]:
        """See `Engine`."""
        kept = [rows_to_text([array.tobytes()]) for array in self.model.variables()] if self._stateful else []
        return {**super().state(), "clipped": self.clipped, "variables": kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Engine`."""
        super().restore(state)
        if self._quantizer:
            self._quantizer.clipped = state["clipped"]
        if self._stateful:
            pairs = zip(state["variables"], self.model.variables(), strict=True)
            self.model.set_variables(
                [np.frombuffer(b64decode(text), like.dtype).reshape(like.shape) for text, like in pairs]
            )


class Quantizer:
    """`Tensor.quantize` for one sample as plain floats, counting what it clips."""

    def __init__(self, tensor: Tensor, channels: int) -> None:
        limits = np.iinfo(tensor.dtype)
        self.clipped = 0
        self._scale, self._zero = tensor.scale, tensor.zero_point
        self._low, self._high = int(limits.min), int(limits.max)
        self._pack = struct.Struct(f"={channels}{tensor.dtype.char}").pack
        self._doubles = struct.Struct(f"<{channels}d").pack
        self._scales, self._rounder = (tensor.scale,) * channels, (ROUNDER,) * channels
        self._shift = bytes((step + tensor.zero_point) & 255 for step in range(256))
        self._short = tensor.dtype.itemsize == 1
        # values that surely fit, in scaled units; none when wider integers have a zero point, which TFLite's have not
        fits = self._short or not tensor.zero_point
        self._least = (self._low - self._zero) * self._scale if fits else math.inf
        self._most = (self._high - self._zero) * self._scale if fits else -math.inf
        self._reach = min(-self._least, self._most)  # of a row's length: one look at all channels

    def pack(self, scaled: Sequence[float]) -> bytes:
        """The quantized sample as bytes."""
        if math.hypot(*scaled) > self._reach and (min(scaled) < self._least or max(scaled) > self._most):
            return self._clip(scaled)
        # adding 1.5 * 2**52 rounds half to even and leaves the integer in the lowest bytes of the double
        rounded = self._doubles(*map(add, map(truediv, scaled, self._scales), self._rounder))
        return rounded[::8].translate(self._shift) if self._short else memoryview(rounded).cast("h")[::4].tobytes()

    def _clip(self, scaled: Sequence[float]) -> bytes:
        steps = [round(value / self._scale) + self._zero for value in scaled]
        self.clipped += sum(not self._low <= step <= self._high for step in steps)
        return self._pack(*[min(max(step, self._low), self._high) for step in steps])


def _table(output: Tensor) -> list[float]:
    """The real value of each output step, by its byte."""
    limits = np.iinfo(output.dtype)
    steps = np.arange(limits.min, limits.max + 1).astype(output.dtype)
    values: list[float] = np.roll(output.dequantize(steps), limits.min).tolist()
    return values
