"""The detector: samples in, scores and events out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .bundle import load_bundle
from .errors import ModelError, ShapeError
from .events import Result
from .interpreter import TFLiteModel
from .metadata import Metadata
from .scoring import Scorer
from .windows import WindowBuffer

Floats = npt.NDArray[np.float32]
Predict = Callable[[Floats], Floats]


class Detector:
    """Scores a stream of samples against a model.

    Args:
        metadata: What the model file says of itself.
        predict: Scaled window (W, F) to the model's output without batch axis, (W, F) or (H, F).

    Raises:
        ModelError: If the model's kind cannot score anomalies, or its file carries no score statistics.
    """

    def __init__(self, metadata: Metadata, predict: Predict) -> None:
        if metadata.kind not in ("autoencoder", "forecaster") or metadata.scaler is None:
            raise ModelError(f"A detector needs an autoencoder or a forecaster; received kind {metadata.kind}.")
        if metadata.scoring is None:
            raise ModelError("The model carries no score statistics. Convert it with --calibration normal.csv.")
        self.metadata = metadata
        self.predict = predict
        self.scaler = metadata.scaler
        self.scorer = Scorer(metadata.scoring)
        self.buffer = WindowBuffer(metadata.window, len(metadata.channels))
        self.threshold = metadata.threshold.value if metadata.threshold else None
        self._forecast: Floats | None = None

    @classmethod
    def load(cls, path: Path | str, threads: int = 1) -> Detector:
        """Load a converted model.

        Raises:
            ModelError: If the file is not a usable edgelstm model.
            InterpreterError: If no interpreter is installed or it cannot load the model.
        """
        bundle = load_bundle(path)
        model = TFLiteModel(bundle.flatbuffer, threads)
        return cls(bundle.metadata, lambda window: model(window)[0][0])

    def update(self, sample: npt.ArrayLike, time: float | None = None) -> Result:
        """Take the newest sample.

        Args:
            sample: Shape (F,), sensor units.
            time: Its time, seconds; None for a plain row count.

        Raises:
            ShapeError: If the number of channels is wrong.
        """
        values = np.asarray(sample, np.float64)
        if values.shape != (len(self.metadata.channels),):
            raise ShapeError(
                f"The model expects {len(self.metadata.channels)} channels ({', '.join(self.metadata.names)}); "
                f"received shape {values.shape}. Name the columns with --columns."
            )
        scaled = self.scaler.transform(values)
        error = self._error(scaled)
        if error is None:
            return Result(time, None, self.threshold, False, None, "warmup", None)
        score, contribution = self.scorer.update(error)
        anomaly = self.threshold is not None and score > self.threshold
        return Result(time, score, self.threshold, anomaly, contribution, "ok", None)

    def _error(self, scaled: Floats) -> npt.NDArray[np.float64] | None:
        if self.metadata.kind == "autoencoder":
            self.buffer.push(scaled)
            if not self.buffer.full:
                return None
            window = self.buffer.window()
            return self.scorer.error(window, self.predict(window))
        error = None if self._forecast is None else self.scorer.error(scaled[None], self._forecast[None])
        self.buffer.push(scaled)
        if self.buffer.full:
            self._forecast = np.asarray(self.predict(self.buffer.window())[0])
        return error

    def reset(self) -> None:
        """Forget everything that came so far, as after a restart."""
        self.buffer.clear()
        self.scorer.reset()
        self._forecast = None
