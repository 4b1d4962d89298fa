"""The newest window and its model: O(F) work a sample around the interpreter's own call.

After a call the code of NumPy is out of the processor's cache, and each of its operations costs microseconds.
A sample is therefore handled as plain floats and bytes, with the same results as `Scaler` and `Tensor`.
"""

from __future__ import annotations

import logging
import math
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from operator import add, mul, truediv
from typing import Any

import numpy as np
import numpy.typing as npt

from ..snapshot import rows_to_text
from .ahead import Ahead
from .interpreter import Tensor, TFLiteModel
from .windows import WindowBuffer

Floats = npt.NDArray[np.float32]
Predict = Callable[[Floats], Floats]
log = logging.getLogger("edgelstm")
ROUNDER = 1.5 * 2.0**52


class Engine:
    """A model with its newest window; the base of the engines below.

    Args:
        buffers: The window as the model takes it; where that is clipped, a second one with the samples as received.
    """

    def __init__(self, *buffers: WindowBuffer) -> None:
        self._buffers, self.buffer = buffers, buffers[-1]
        self.reach = math.inf
        """Largest value that a forecast follows, scaled units: what 16 bits hold. Eight end where values have to look wrong."""

    @property
    def clipped(self) -> int:
        """Number of values so far that were clipped to the model's calibrated range."""
        return 0

    def push(self, scaled: Sequence[float], packed: bytes) -> None:
        """Add the newest sample.

        Args:
            scaled: Shape (F,), scaled units.
            packed: The same as the bytes of a float32 array.
        """
        self.buffer.push_bytes(packed)

    def run(self, row: int) -> Sequence[float]:
        """Run the model on the newest window; return one row of its output, shape (F,)."""
        output: list[float] = self.run_rows(0)[row].tolist()
        return output

    def run_rows(self, rows: int) -> Floats:
        """Run the model on the newest window; return the last rows of its output, shape (rows, F), or all for 0."""
        raise NotImplementedError

    def expect(self, scaled: Floats) -> None:
        """Prepare for samples that are known beforehand: their outputs may be computed in batches.

        Args:
            scaled: Shape (T, F), scaled units.
        """

    def keep(self) -> None:
        """Keep what `undo` of the next sample needs beside the windows."""

    def undo(self) -> None:
        """Take the newest sample back, to push another in its place; `keep` was called before it."""
        for buffer in self._buffers:
            buffer.undo()

    def clear(self) -> None:
        """Forget all samples and the model's state."""
        for buffer in self._buffers:
            buffer.clear()

    def to_state(self) -> dict[str, Any]:
        """Return the number of samples and the windows (Base64 of their bytes), as plain JSON types."""
        return {
            "count": self.buffer.count,
            "windows": [rows_to_text([buffer.window().tobytes()]) for buffer in self._buffers],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        for buffer, text in zip(self._buffers, state["windows"], strict=True):
            buffer.restore(b64decode(text), state["count"])


class PlainEngine(Engine):
    """A plain function as a model, such as that of a Keras model.

    Args:
        predict: Function from a scaled window (W, F) to an output (R, F).
        window: Samples per window, W.
        channels: Number of channels, F.
    """

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
        keep_unclipped: Whether `buffer` holds the samples as received, beside the clipped ones of an integer model.
    """

    def __init__(self, model: TFLiteModel, stateful: bool = False, keep_unclipped: bool = True) -> None:
        self.model = model
        self._stateful = stateful
        self._kept: list[npt.NDArray[Any]] = []
        self._ahead: Ahead | None = None
        self._interpreter = model.interpreter
        self._input, self._output = model.inputs[0], model.outputs[0]
        self._flat = len(self._output.shape) == 2  # one row (1, F) without a row axis, as a plain Dense layer gives
        _, window, channels = self._input.shape
        self._quantizer = Quantizer(self._input, channels) if self._input.scale else None
        self._window = WindowBuffer(window, channels, self._input.dtype)
        super().__init__(
            self._window, *([WindowBuffer(window, channels)] if self._quantizer and keep_unclipped else ())
        )
        wide = [tensor.scale for tensor in (self._input, self._output) if tensor.scale and tensor.dtype.itemsize == 2]
        self.reach = min((np.iinfo(np.int16).max * scale for scale in wide), default=math.inf)
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
        self._window.push_bytes(packed if self._quantizer is None else self._quantizer.pack(scaled))
        if self.buffer is not self._window:
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

    def expect(self, scaled: Floats) -> None:
        """See `Engine`."""
        if self._ahead is None:
            run = None if self._stateful else self.model.batched
            if run is None:
                return
            self._ahead = Ahead(run, self._window.length)
        # a row that a policy is going to drop or fill needs any number
        self._ahead.expect(self._input.quantize(np.nan_to_num(scaled, posinf=0.0, neginf=0.0)))

    def _invoke(self) -> npt.NDArray[Any]:
        if self._ahead is not None:
            known = self._ahead.output(self._window.window())
            if known is not None:
                return known
        interpreter = self._interpreter
        if not self._stateful:
            interpreter.reset_all_variables()
        interpreter.set_tensor(self._input.index, self._window.batch())
        try:
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            interpreter = self._without_accelerator(error)
        output: npt.NDArray[Any] = interpreter.get_tensor(self._output.index)
        return output

    def _without_accelerator(self, error: Exception) -> Any:
        """Run the newest window on the CPU, and all later ones; a delegate that has failed is not asked again."""
        failed = self.model.accelerator
        if failed is None:
            raise error
        log.warning("%s has failed, the CPU goes on: %s", failed.library, " ".join(str(error).split()))
        self._interpreter = interpreter = self.model.leave_accelerator()
        interpreter.set_tensor(self._input.index, self._window.batch())
        interpreter.invoke()
        return interpreter

    def keep(self) -> None:
        """See `Engine`."""
        if self._stateful:
            self._kept = [array.copy() for array in self.model.variables()]

    def undo(self) -> None:
        """See `Engine`."""
        super().undo()
        if self._kept:
            self.model.set_variables(self._kept)

    def clear(self) -> None:
        """See `Engine`."""
        super().clear()
        self.model.reset()

    def to_state(self) -> dict[str, Any]:
        """See `Engine`; with the count of clipped values, and the state tensors of a streaming model, now and kept."""
        variables = self.model.variables() if self._stateful else []
        return {
            **super().to_state(),
            "clipped": self.clipped,
            "variables": [rows_to_text([array.tobytes()]) for array in variables],
            "kept": [rows_to_text([array.tobytes()]) for array in self._kept],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Engine`."""
        super().restore(state)
        if self._quantizer:
            self._quantizer.clipped = state["clipped"]
        if self._stateful:
            self.model.set_variables(self._variables(state["variables"]))
            self._kept = self._variables(state["kept"]) if state["kept"] else []

    def _variables(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        pairs = zip(texts, self.model.variables(), strict=True)
        return [np.frombuffer(b64decode(text), like.dtype).reshape(like.shape) for text, like in pairs]


class Quantizer:
    """`Tensor.quantize` for one sample as plain floats, counting clipped values.

    Args:
        tensor: The model's input.
        channels: Number of channels, F.
    """

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
        # range of values that surely fit, scaled units; empty for wider integers with a zero point: TFLite has none
        fits = self._short or not tensor.zero_point
        self._least = (self._low - self._zero) * self._scale if fits else math.inf
        self._most = (self._high - self._zero) * self._scale if fits else -math.inf
        self._reach = min(-self._least, self._most)  # a sample of a smaller Euclidean length fits in every channel

    def pack(self, scaled: Sequence[float]) -> bytes:
        """Return the quantized sample as bytes."""
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
    """Return the real value of each output step, by its byte."""
    limits = np.iinfo(output.dtype)
    steps = np.arange(limits.min, limits.max + 1).astype(output.dtype)
    values: list[float] = np.roll(output.dequantize(steps), limits.min).tolist()
    return values
