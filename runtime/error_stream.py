"""Errors of a model on a stream of samples: window + engine → error, shared by detector and calibration."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import sub
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ModelError
from .inference.engine import Engine, PlainEngine, Predict, TFLiteEngine
from .inference.interpreter import TFLiteModel
from .input.policies import warmup
from .model_file.bundle import Bundle
from .model_file.metadata import Metadata

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


class ErrorStream:
    """A model at work on scaled samples, one after the other.

    Args:
        engine: The model with its window.
        channels: Number of channels, F.
    """

    def __init__(self, engine: Engine, channels: int) -> None:
        self.engine = engine
        self.packed = b""
        """The newest scaled sample as the bytes of a float32 array."""
        self.expected: Sequence[float] = ()
        """What the model expects of the next sample, scaled units, shape (F,); empty while it does not know."""
        single = struct.Struct(f"={channels}f")  # to float32 and back, as Scaler.transform rounds
        self._pack, self._unpack = single.pack, single.unpack

    def push(self, scaled: Sequence[float]) -> Iterable[float] | None:
        """Take the newest sample, shape (F,), scaled units.

        Returns:
            Its error in each channel, shape (F,), None while the model warms up. Errors are signed, observed minus
            expected, but absolute where they are averaged over several rows.
        """
        self.packed = packed = self._pack(*scaled)
        scaled = self._unpack(packed)
        self.engine.push(scaled, packed)
        return self._error(scaled)

    def push_filled(self, scaled: Sequence[float], filled: Collection[int]) -> list[float] | None:
        """As `push`, for a sample in which the model's own expectation stands for some channels.

        Args:
            scaled: The sample, with any number where there is no reading.
            filled: Indices of the channels without a reading.
        """
        error = self.push(self._fill(scaled, filled))
        return None if error is None else list(error)

    def _fill(self, scaled: Sequence[float], filled: Collection[int]) -> Sequence[float]:
        if not filled or not self.expected:
            return scaled
        return [self.expected[i] if i in filled else value for i, value in enumerate(scaled)]

    def _error(self, scaled: Sequence[float]) -> Iterable[float] | None:
        raise NotImplementedError

    def clear(self) -> None:
        """Forget all samples: the model warms up again."""
        self.engine.clear()
        self.expected = ()

    def to_state(self) -> dict[str, Any]:
        """Return the engine's state and the expectation, as plain JSON types."""
        return {"engine": self.engine.to_state(), "expected": list(self.expected)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self.engine.restore(state["engine"])
        self.expected = tuple(map(float, state["expected"]))


class ForecastErrors(ErrorStream):
    """Errors against the forecast that was made a sample earlier.

    Args:
        engine: A forecaster with its window.
        channels: Number of channels, F.
        warmup: Samples that a streaming model takes before its output counts; 0 for a window.
    """

    def __init__(self, engine: Engine, channels: int, warmup: int = 0) -> None:
        super().__init__(engine, channels)
        self._warmup = warmup

    def _error(self, scaled: Sequence[float]) -> Iterable[float] | None:
        window = self.engine.buffer
        forecast = self.expected if window.count > self._warmup else ()
        self.expected = self.engine.run(0) if window.full else ()
        return map(sub, scaled, forecast) if forecast else None


class ReconstructionErrors(ErrorStream):
    """Errors against the reconstruction of the window that ends with the sample.

    Args:
        engine: An autoencoder with its window.
        channels: Number of channels, F.
        rows: Newest rows of the window whose absolute errors are averaged; 1 takes the signed error of the newest.
    """

    def __init__(self, engine: Engine, channels: int, rows: int = 1) -> None:
        super().__init__(engine, channels)
        self._rows = rows

    def push_filled(self, scaled: Sequence[float], filled: Collection[int]) -> list[float] | None:
        """See `ErrorStream`. The reconstruction of a filled value is nearer to the truth: it is filled in once more."""
        error = super().push_filled(scaled, filled)
        if filled and error is not None:
            self.engine.undo()
            error = super().push_filled(scaled, filled)
        return error

    def _error(self, scaled: Sequence[float]) -> Iterable[float] | None:
        window = self.engine.buffer
        if not window.full:
            return None
        if self._rows == 1:
            self.expected = self.engine.run(-1)
            return map(sub, scaled, self.expected)
        output = self.engine.run_rows(self._rows)
        self.expected = output[-1].tolist()
        errors: list[float] = mean_error(window.window(), output, self._rows).tolist()
        return errors


def open_stream(metadata: Metadata, predict: Predict | Engine) -> ErrorStream:
    """Return the error stream of a model.

    Args:
        metadata: The model's metadata, with a scoring.
        predict: A function from a scaled window (W, F) to the output without a batch axis, or an `Engine`.
    """
    channels = len(metadata.channels)
    engine = PlainEngine(predict, metadata.window, channels) if callable(predict) else predict
    if metadata.kind == "forecaster":
        return ForecastErrors(engine, channels, warmup(metadata) if metadata.stateful else 0)
    return ReconstructionErrors(engine, channels, metadata.scoring.rows if metadata.scoring else 1)


def mean_error(target: Floats, output: Floats, rows: int) -> Doubles:
    """Return each channel's absolute error, averaged over the last rows of a window, shape (F,).

    Args:
        target: Scaled window, shape (W, F).
        output: Its reconstruction, shape (R, F), R >= rows.
        rows: Rows that are averaged.

    >>> mean_error(np.zeros((3, 1), np.float32), np.array([[9], [-1], [3]], np.float32), rows=2).tolist()
    [2.0]
    """
    difference = np.subtract(target[-rows:], output[-rows:], dtype=np.float64)
    np.abs(difference, out=difference)
    error: Doubles = np.add.reduce(difference, axis=0) / rows if rows > 1 else difference[0]
    return error


def open_engine(bundle: Bundle, threads: int = 1) -> TFLiteEngine:
    """Return the engine of a model file whose network fits its metadata.

    Args:
        bundle: Content of the file.
        threads: Threads of the interpreter.

    Raises:
        ModelError: If the network takes or returns other shapes than the metadata say.
    """
    metadata = bundle.metadata
    model = TFLiteModel(bundle.flatbuffer, threads, target=metadata.target)
    channels = len(metadata.channels)
    expected = (1, metadata.window, channels)
    if len(model.inputs) != 1 or model.inputs[0].shape != expected or model.outputs[0].shape[-1] != channels:
        raise ModelError(
            f"The metadata of {bundle.origin} name windows of shape {expected}; its network takes "
            f"{[tensor.shape for tensor in model.inputs]} and returns {model.outputs[0].shape}. Convert it again."
        )
    averaged = metadata.scoring is not None and metadata.scoring.rows > 1
    return TFLiteEngine(model, metadata.stateful, keep_unclipped=averaged)
