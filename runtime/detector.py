"""The detector: samples in, scores and events out."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from operator import sub, truediv
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
        decision = decision or Decision.of(metadata.sections.get("decision", {}))
        self.decider = Decider(metadata.names, f"{metadata.source}.{metadata.scheme}", decision)
        self.threshold = metadata.threshold.value if metadata.threshold else None
        self.index = 0
        self._forecaster = metadata.kind == "forecaster"
        self._rows = metadata.scoring.rows
        self._warmup = int(metadata.sections.get("streaming", {}).get("warmup", 0)) if metadata.stateful else 0
        self._forecast: list[float] | None = None
        self._shape = (channels,)
        self._offset, self._scale = metadata.scaler.offset, metadata.scaler.scale
        single = struct.Struct(f"={channels}f")  # to float32 and back, as Scaler.transform rounds
        self._pack, self._unpack = single.pack, single.unpack

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
        array = sample if isinstance(sample, np.ndarray) else np.asarray(sample, np.float64)
        if array.shape != self._shape:
            raise ShapeError(
                f"The model expects {len(self._offset)} channels ({', '.join(self.metadata.names)}); "
                f"received shape {array.shape}. Name the columns with --columns."
            )
        index, self.index = self.index, self.index + 1
        error = self.error(array.tolist())
        if error is None:
            return Result(time, None, self.threshold, False, None, "warmup")
        score, parts = self.scorer.update(error)
        threshold = self.threshold
        if threshold is None:
            return Result(time, score, None, False, parts)
        event = self.decider.update(index, time, score, threshold, parts)
        return Result(time, score, threshold, score > threshold, parts, "ok", (event,) if event else ())

    def error(self, values: list[float]) -> Iterable[float] | None:
        """Absolute error a channel of the newest sample, None while warming up."""
        packed = self._pack(*map(truediv, map(sub, values, self._offset), self._scale))
        scaled, engine = self._unpack(packed), self.engine
        if self._forecaster:
            forecast = self._forecast if engine.buffer.count >= self._warmup else None
            engine.push(scaled, packed)
            self._forecast = engine.run(0) if engine.buffer.full else None
            return None if forecast is None else map(abs, map(sub, scaled, forecast))
        engine.push(scaled, packed)
        if not engine.buffer.full:
            return None
        if self._rows > 1:
            errors: list[float] = self.scorer.error(engine.buffer.window(), engine.run_rows(self._rows)).tolist()
            return errors
        return map(abs, map(sub, scaled, engine.run(-1)))

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
