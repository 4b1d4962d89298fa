"""The detector: samples in, scores and events out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from .bundle import Bundle, load_bundle
from .decider import Decider, Decision
from .engine import Engine, PlainEngine, Predict, TFLiteEngine
from .errors import ModelError, ShapeError
from .events import Event, Result
from .interpreter import TFLiteModel
from .metadata import Metadata
from .scoring import Scorer

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
FAR = 1e12  # scaled units; beyond it float32 arithmetic inside a model could overflow


class Detector:
    """Scores a stream of samples against a model, and raises events.

    Args:
        metadata: What the model file says of itself.
        predict: Scaled window (W, F) to the model's output without batch axis, (W, F) or (H, F); or an `Engine`.
        decision: When scores become events; None for what the model file says, or the defaults.

    Raises:
        ModelError: If the model's kind cannot score anomalies, or its file carries no score statistics.
    """

    def __init__(self, metadata: Metadata, predict: Predict | Engine, decision: Decision | None = None) -> None:
        if metadata.kind not in ("autoencoder", "forecaster") or metadata.scaler is None:
            raise ModelError(f"A detector needs an autoencoder or a forecaster; received kind {metadata.kind}.")
        if metadata.scoring is None:
            raise ModelError("The model carries no score statistics. Convert it with --calibration normal.csv.")
        self.metadata = metadata
        channels = len(metadata.channels)
        self.engine: Engine = PlainEngine(predict, metadata.window, channels) if callable(predict) else predict
        self.scorer = Scorer(metadata.scoring)
        self.decider = Decider(metadata.names, f"{metadata.source}.{metadata.scheme}", decision)
        self.threshold = metadata.threshold.value if metadata.threshold else None
        self.index = 0
        self._forecaster = metadata.kind == "forecaster"
        self._rows = slice(0, 1) if self._forecaster else slice(-metadata.scoring.rows, None)
        self._warmup = int(metadata.sections.get("streaming", {}).get("warmup", 0)) if metadata.stateful else 0
        self._forecast: Floats | None = None
        self._shape = (channels,)
        self._offset, self._scale = metadata.scaler.arrays()
        self._double = np.empty(channels, np.float64)
        self._scaled = np.empty(channels, np.float32)

    @classmethod
    def load(cls, path: Path | str, threads: int = 1, decision: Decision | None = None) -> Detector:
        """Load a converted model.

        Raises:
            ModelError: If the file is not a usable edgelstm model.
            InterpreterError: If no interpreter is installed or it cannot load the model.
        """
        return cls.from_bundle(load_bundle(path), threads, decision)

    @classmethod
    def from_bundle(cls, bundle: Bundle, threads: int = 1, decision: Decision | None = None) -> Detector:
        """As `load`, from a file's content."""
        model = TFLiteModel(bundle.flatbuffer, threads)
        channels = len(bundle.metadata.channels)
        expected = (1, bundle.metadata.window, channels)
        if len(model.inputs) != 1 or model.inputs[0].shape != expected or model.outputs[0].shape[-1] != channels:
            raise ModelError(
                f"{bundle.origin} says it takes windows {expected}; its network takes "
                f"{[tensor.shape for tensor in model.inputs]} and gives {model.outputs[0].shape}. Convert it again."
            )
        return cls(bundle.metadata, TFLiteEngine(model, bundle.metadata.stateful), decision)

    def update(self, sample: npt.ArrayLike, time: float | None = None) -> Result:
        """Take the newest sample.

        Args:
            sample: Shape (F,), sensor units.
            time: Its time, seconds; None for a plain row count.

        Raises:
            ShapeError: If the number of channels is wrong.
        """
        values = np.asarray(sample, np.float64)
        if values.shape != self._shape:
            raise ShapeError(
                f"The model expects {len(self.metadata.channels)} channels ({', '.join(self.metadata.names)}); "
                f"received shape {values.shape}. Name the columns with --columns."
            )
        index, self.index = self.index, self.index + 1
        error = self._error(self._scale_down(values))
        if error is None:
            return Result(time, None, self.threshold, False, None, "warmup")
        score, contribution = self.scorer.update(error)
        threshold = self.threshold
        if threshold is None:
            return Result(time, score, None, False, contribution, "ok")
        event = self.decider.update(index, time, score, threshold, contribution)
        return Result(time, score, threshold, score > threshold, contribution, "ok", (event,) if event else ())

    def _scale_down(self, values: Doubles) -> Floats:
        """`Scaler.transform` without making arrays; the result is valid until the next sample."""
        np.subtract(values, self._offset, out=self._double)
        np.divide(self._double, self._scale, out=self._double)
        self._scaled[:] = self._double
        return self._scaled

    def _error(self, scaled: Floats) -> Doubles | None:
        """Absolute error a channel of the newest sample, None while warming up."""
        engine = self.engine
        if not self._forecaster:
            engine.push(scaled)
            if not engine.buffer.full:
                return None
            return self.scorer.error(engine.buffer.window(), engine.run(self._rows))
        forecast = self._forecast
        warm = engine.buffer.count >= self._warmup
        error = self.scorer.error(scaled[None], forecast) if forecast is not None and warm else None
        engine.push(scaled)
        if engine.buffer.full:
            self._forecast = engine.run(self._rows)
        return error

    def finish(self) -> tuple[Event, ...]:
        """Close what is still open, as at the end of a stream."""
        event = self.decider.finish()
        return (event,) if event else ()

    def reset(self) -> None:
        """Forget everything that came so far, as after a restart."""
        self.index = 0
        self.decider.finish()
        self.rewarm()

    def rewarm(self) -> None:
        """Forget the samples but not the alarms: what follows warms up again, as after a gap."""
        self.engine.clear()
        self.scorer.reset()
        self._forecast = None
