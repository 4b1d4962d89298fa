"""Errors of a model on a stream of samples: window + engine → error, shared by detector and calibration."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from operator import sub
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import ModelError
from .inference.engine import Engine, PlainEngine, Predict, TFLiteEngine
from .inference.interpreter import TFLiteModel
from .input.policies import warmup
from .model_file.bundle import Bundle
from .model_file.metadata import Metadata, scaled_ranges

if TYPE_CHECKING:
    from .inference.accelerator import Accelerator

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ranges = Sequence[tuple[float, float]]
AT_END = 0.9  # share of the largest number, above which a forecast would go on if it could


class ErrorStream:
    """A model at work on scaled samples, one after the other.

    Args:
        engine: The model with its window.
        ranges: Lowest and highest value in training of each channel, scaled units, shape (F, 2); infinite if not known.
    """

    def __init__(self, engine: Engine, ranges: Ranges) -> None:
        self.engine = engine
        self._ranges = tuple(ranges)
        self.channels = len(self._ranges)
        """Number of channels, F."""
        self.packed = b""
        """The newest scaled sample as the bytes of a float32 array."""
        self.expected: Sequence[float] = ()
        """Expectation for the next sample, scaled units, shape (F,); empty while there is none. Those of several
        witnesses follow one another."""
        self.plausible = True
        """True if the expectations that stood for the newest missing readings were within the values of training."""
        self._before: Sequence[float] = ()
        single = struct.Struct(f"={len(self._ranges)}f")  # to float32 and back, as Scaler.transform rounds
        self._pack, self._unpack = single.pack, single.unpack

    def push(self, scaled: Sequence[float], moment: Sequence[float] = ()) -> Iterable[float] | None:
        """Take the newest sample.

        Args:
            scaled: Shape (F,), scaled units.
            moment: Numbers of its calendar; none for a model without one.

        Returns:
            Its error in each channel, shape (F,), None while the model warms up. Errors are signed, observed minus
            expected, but absolute where they are averaged over several rows. Those of several witnesses follow one another.
        """
        self._before = self.expected
        self.packed = packed = self._pack(*scaled)
        scaled = self._unpack(packed)
        if moment:
            self.engine.push((*scaled, *moment), packed + struct.pack(f"={len(moment)}f", *moment))
        else:
            self.engine.push(scaled, packed)
        return self._error(scaled)

    def push_filled(
        self, scaled: Sequence[float], filled: Collection[int], moment: Sequence[float] = ()
    ) -> list[float] | None:
        """As `push`, for a sample in which the model's own expectation stands for some channels.

        Args:
            scaled: The sample, with any number where there is no reading.
            filled: Indices of the channels without a reading.
            moment: As of `push`.
        """
        self.engine.keep()
        error = self.push(self._fill(scaled, filled), moment)
        return None if error is None else list(error)

    @property
    def judged_by(self) -> Sequence[float]:
        """Expectations that the newest sample was held against, scaled units, shape (K * F,); empty while there are none."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take the newest sample back, one of `push_filled`, to push another in its place."""
        self.engine.undo()
        self.expected = self._before

    def _fill(self, scaled: Sequence[float], filled: Collection[int]) -> Sequence[float]:
        if not filled or not self.expected:
            return scaled
        # an expectation that feeds on itself may run away: it stays within the values of training
        pairs = zip(self.expected, self._ranges, strict=False)  # of several witnesses the first counts
        expected = [min(max(value, low), high) for value, (low, high) in pairs]
        self.plausible = all(expected[i] == self.expected[i] for i in filled)
        return [expected[i] if i in filled else value for i, value in enumerate(scaled)]

    def _error(self, scaled: Sequence[float]) -> Iterable[float] | None:
        raise NotImplementedError

    def clear(self) -> None:
        """Forget all samples: the model warms up again."""
        self.engine.clear()
        self.expected = self._before = ()
        self.plausible = True

    def to_state(self) -> dict[str, Any]:
        """Return the engine's state, the expectations of the next and of the newest sample, and whether they are plausible."""
        return {
            "engine": self.engine.to_state(),
            "expected": list(self.expected),
            "before": list(self._before),
            "plausible": self.plausible,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self.engine.restore(state["engine"])
        self.expected = tuple(map(float, state["expected"]))
        self._before = tuple(map(float, state["before"]))
        self.plausible = bool(state["plausible"])


class ForecastErrors(ErrorStream):
    """Errors against the forecast that was made a sample earlier.

    Args:
        engine: A forecaster with its window.
        ranges: See `ErrorStream`.
        warmup: Samples that a streaming model takes before its output counts; 0 for a window.
        witnesses: Rows of the output that each forecast the next sample.
    """

    def __init__(self, engine: Engine, ranges: Ranges, warmup: int = 0, witnesses: int = 1) -> None:
        super().__init__(engine, ranges)
        self._warmup = warmup
        self._witnesses = witnesses

    def _error(self, scaled: Sequence[float]) -> Iterable[float] | None:
        window = self.engine.buffer
        forecast = self.expected if window.count > self._warmup else ()
        self.expected = self._with_excess(scaled, self._forecast()) if window.full else ()
        return map(sub, tuple(scaled) * self._witnesses, forecast) if forecast else None

    def _with_excess(self, scaled: Sequence[float], forecast: Sequence[float]) -> Sequence[float]:
        """Return the forecast; where it stands at the end of an integer model's numbers, with the newest excess on top of it.

        Float's linear forecast follows a level wherever it goes. That of 16 bits ends, and against its end a level beyond
        would look wrong for ever; so there the newest excess stands for the next one. A forecast that does not follow, such
        as that of a channel that stood still in training, stays as it is.
        """
        reach = self.engine.reach
        if reach == math.inf or (max(scaled) <= reach and min(scaled) >= -reach):
            return forecast
        values = tuple(scaled) * self._witnesses
        return tuple(map(partial(_followed, reach), values, forecast))

    @property
    def judged_by(self) -> Sequence[float]:
        """See `ErrorStream`: the forecast that was made a sample earlier."""
        return self._before

    def _forecast(self) -> Sequence[float]:
        if self._witnesses == 1:
            return self.engine.run(0)
        forecasts: list[float] = self.engine.run_rows(self._witnesses).ravel().tolist()
        return forecasts


class ReconstructionErrors(ErrorStream):
    """Errors against the reconstruction of the window that ends with the sample.

    Args:
        engine: An autoencoder with its window.
        ranges: See `ErrorStream`.
        rows: Newest rows of the window whose absolute errors are averaged; 1 takes the signed error of the newest.
    """

    def __init__(self, engine: Engine, ranges: Ranges, rows: int = 1) -> None:
        super().__init__(engine, ranges)
        self._rows = rows

    def push_filled(
        self, scaled: Sequence[float], filled: Collection[int], moment: Sequence[float] = ()
    ) -> list[float] | None:
        """See `ErrorStream`. The reconstruction of a filled value is nearer to the truth: it is filled in once more."""
        before = self.expected
        error = super().push_filled(scaled, filled, moment)
        if filled and error is not None:
            self.engine.undo()
            error = super().push_filled(scaled, filled, moment)
        self._before = before
        return error

    @property
    def judged_by(self) -> Sequence[float]:
        """See `ErrorStream`: the reconstruction of the sample itself."""
        return self.expected

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


def _followed(reach: float, value: float, forecast: float) -> float:
    """Return what a forecast in a model's numbers says of a value that may lie beyond them."""
    end = math.copysign(reach, value)
    return forecast + value - end if abs(value) > reach and forecast / end > AT_END else forecast


def open_stream(metadata: Metadata, predict: Predict | Engine) -> ErrorStream:
    """Return the error stream of a model.

    Args:
        metadata: The model's metadata, with a scoring.
        predict: A function from a scaled window (W, F) to the output without a batch axis, or an `Engine`.
    """
    ranges = scaled_ranges(metadata, unknown=(-math.inf, math.inf))
    engine = PlainEngine(predict, metadata.window, metadata.width) if callable(predict) else predict
    if metadata.kind == "forecaster":
        witnesses = metadata.scoring.witnesses if metadata.scoring else 1
        return ForecastErrors(engine, ranges, warmup(metadata) if metadata.stateful else 0, witnesses)
    return ReconstructionErrors(engine, ranges, metadata.scoring.rows if metadata.scoring else 1)


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


def open_engine(bundle: Bundle, threads: int = 1, accelerator: Accelerator | None = None) -> TFLiteEngine:
    """Return the engine of a model file whose network fits its metadata.

    Args:
        bundle: Content of the file.
        threads: Threads of the interpreter.
        accelerator: Delegate that may take ops over.

    Raises:
        ModelError: If it gives no scores, or the network takes or returns other shapes than the metadata say, or types that no detector takes.
    """
    if "forecast" in bundle.metadata.sections:
        raise ModelError(
            f"{bundle.origin} forecasts and gives no anomaly scores: use `edgelstm forecast`. "
            "For scores train a detector: edgelstm train DATA.csv."
        )
    metadata = bundle.metadata
    model = TFLiteModel(bundle.flatbuffer, threads, target=metadata.target, accelerator=accelerator)
    channels = len(metadata.channels)
    expected = (1, metadata.window, metadata.width)
    witnesses = metadata.scoring.witnesses if metadata.scoring else 1
    lacking = model.outputs[0].shape[-1] != channels or (witnesses > 1 and model.outputs[0].shape[-2] != witnesses)
    if len(model.inputs) != 1 or model.inputs[0].shape != expected or lacking:
        raise ModelError(
            f"The metadata of {bundle.origin} name windows of shape {expected}; its network takes "
            f"{[tensor.shape for tensor in model.inputs]} and returns {model.outputs[0].shape}. Convert it again."
        )
    for tensor in (model.inputs[0], model.outputs[0]):
        if str(tensor.dtype) not in (("int8", "uint8", "int16") if tensor.scale else ("float32",)):
            raise ModelError(
                f"{bundle.origin} has inputs or outputs of type {tensor.dtype} with a scale of {tensor.scale:g}; a detector takes "
                "float32, or 8 and 16 bits with a scale. Convert it again."
            )
    averaged = metadata.scoring is not None and metadata.scoring.rows > 1
    return TFLiteEngine(model, metadata.stateful, keep_unclipped=averaged)
