"""Models at work on single samples, in river's words; NumPy and an interpreter suffice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.classification.classifier import SECTION as CLASSIFIER
from edgelstm.runtime.classification.classifier import Classifier
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ShapeError
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.model_file.bundle import Bundle
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.model_file.trial import load_tried_bundle

from ..data.series import Series
from .columns import library_of
from .scored_rows import ScoresRows

if TYPE_CHECKING:
    from .estimator import Estimator


def load(path: Path | str) -> LiveDetector | Forecaster | Classifier | Estimator:
    """Open a model file: a converted model to run, or a Keras model to go on with.

    Args:
        path: `.tflite` for a device, which is tried in a process of its own first; `.keras` needs the `train` extra.

    Returns:
        `LiveDetector` for a detector of anomalies; the runtime's `Forecaster` or `Classifier` for those; an
        `AnomalyDetector`, `Forecaster` or `Classifier` of `edgelstm` for a `.keras` file.

    Raises:
        ModelError: If the file is no usable model.
        InterpreterError: If no interpreter is installed.
    """
    if Path(path).suffix == ".keras":
        from .estimators import load_estimator

        return load_estimator(path)
    return open_bundle(load_tried_bundle(Path(path)))


def open_bundle(bundle: Bundle) -> LiveDetector | Forecaster | Classifier:
    """The model of a file in memory, at work."""
    if FORECAST in bundle.metadata.sections:
        return Forecaster.from_bundle(bundle)
    if CLASSIFIER in bundle.metadata.sections:
        return Classifier.from_bundle(bundle)
    return LiveDetector(bundle)


class LiveDetector(ScoresRows):
    """A converted detector on a stream of samples.

    `score_one` takes one sample after the other; `score_samples` and its like take whole tables and leave the stream alone.

    Args:
        bundle: The model file.

    >>> live = load("pump.int8.tflite")  # doctest: +SKIP
    >>> live.score_one({"flow": 61.0, "pressure": 3.1})  # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle) -> None:
        self.detector = Detector.from_bundle(bundle)
        self.bundle = bundle
        self.result: Result | None = None
        """All about the newest sample: score, threshold, each channel's part, status, events."""

    def __repr__(self) -> str:
        metadata = self.metadata
        return f"LiveDetector({metadata.kind}, {metadata.scheme}, window {metadata.window}, channels {', '.join(metadata.names)})"

    def _repr_html_(self) -> str:
        """Summary for notebooks."""
        from ..notebook_html import summary

        return summary(self.metadata, len(self.bundle.flatbuffer))

    @property
    def metadata(self) -> Metadata:
        """Description of the model."""
        return self.bundle.metadata

    @property
    def alarm(self) -> bool:
        """True while an alarm is open, after de-bounce."""
        return self.detector.alarms.debounce.active

    @property
    def events(self) -> tuple[Event, ...]:
        """Events that the newest sample opened or closed."""
        return self.result.events if self.result else ()

    def score_one(self, x: Any, time: float | datetime | None = None) -> float:
        """Take the newest sample, and return its score; high is anomalous.

        Args:
            x: Values by channel name (further names are passed over, a lacking one counts as silent), or in the model's
                order, shape (F,); NaN where a channel is silent.
            time: Seconds, or a moment; None counts rows.

        Returns:
            The score; NaN while the window fills, or where the sample cannot be scored: `result.status` says why.

        Raises:
            ShapeError: If no channel of the model is there, or their number is wrong.
        """
        if isinstance(time, datetime):
            time = (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
        self.result = self.detector.update(self._values(x), time)
        return float("nan") if self.result.score is None else self.result.score

    def learn_one(self, x: Any) -> LiveDetector:
        """Do nothing: the weights are fixed. It is there for river's pipelines, which call it after `score_one`."""
        return self

    def reset(self) -> None:
        """Forget the stream so far."""
        self.detector.reset()
        self.result = None

    def _values(self, x: Any) -> Any:
        if not (isinstance(x, Mapping) or library_of(x) == "pandas"):
            return x
        names = self.metadata.names
        if not any(name in x for name in names):
            raise ShapeError(
                f"A sample names the model's channels ({', '.join(names)}); received {', '.join(map(str, x.keys()))}."
            )
        return [float(x[name]) if name in x and x[name] is not None else float("nan") for name in names]

    def _scored_metadata(self) -> Metadata:
        return self.bundle.metadata

    def _detector(self, series: Series) -> Detector:
        return Detector.from_bundle(self.bundle)
