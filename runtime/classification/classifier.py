"""Classification on the device: a text's intent, or a machine's state over a window of samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, ShapeError
from ..inference.interpreter import TFLiteModel
from ..model_file.bundle import Bundle, load_bundle
from ..model_file.metadata import Metadata
from .tokenizer import Vocabulary, split_words

Predict = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
SECTION, WORDS = "classifier", "vocabulary"


@dataclass(frozen=True)
class Classification:
    """Answer of a classifier."""

    label: str | None
    """The most probable class; None when there was nothing to go by."""
    confidence: float
    """Its probability, 0 without a label."""
    reason: str
    """Reason for no label: `empty` (no word in it) or `unknown` (no word of it is known); else empty."""
    probabilities: dict[str, float]
    """Every class with its probability, most probable first; empty without a label."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types, probabilities to four digits."""
        return {
            "label": self.label,
            "confidence": round(self.confidence, 4),
            "reason": self.reason,
            "probabilities": {name: round(value, 4) for name, value in self.probabilities.items()},
        }


class Classifier:
    """A classifier over text or over windows of samples.

    Args:
        metadata: The model's, of kind classifier.
        predict: The model: one input without its batch axis to the classes' probabilities, shape (C,).

    Raises:
        ModelError: If the model is no classifier.

    >>> Classifier.load("intents.int8.tflite").text("turn on the light").label  # doctest: +SKIP
    'light_on'
    """

    def __init__(self, metadata: Metadata, predict: Predict) -> None:
        section = metadata.sections.get(SECTION)
        if metadata.kind != "classifier" or not section:
            raise ModelError(
                f"Classifying needs a model of kind classifier; received a {metadata.kind}. "
                "Train one with `edgelstm train intents` or `edgelstm train states`."
            )
        self.metadata = metadata
        self.labels: tuple[str, ...] = tuple(section["labels"])
        words = metadata.sections.get(WORDS)
        self.vocabulary = Vocabulary.of(words) if words else None
        self._predict = predict

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Classifier:
        """Create a classifier over a model file in memory."""
        model = TFLiteModel(bundle.flatbuffer, target=bundle.metadata.target)
        return cls(bundle.metadata, lambda inputs: model(inputs)[0][0])

    @classmethod
    def load(cls, path: Path | str) -> Classifier:
        """Create a classifier over a `.tflite` file.

        Raises:
            ModelError: If the file is no classifier of this tool.
        """
        return cls.from_bundle(load_bundle(path))

    def text(self, text: str) -> Classification:
        """Classify a text; one without any known word gets no label rather than a guess.

        Raises:
            ModelError: If the model takes windows of samples.
        """
        if self.vocabulary is None:
            raise ModelError(f"This model takes windows of {', '.join(self.metadata.names)}, not text. Give it rows.")
        if not split_words(text):
            return Classification(None, 0.0, "empty", {})
        if not self.vocabulary.known(text):
            return Classification(None, 0.0, "unknown", {})
        return self._best(self.vocabulary.encode(text))

    def window(self, rows: npt.ArrayLike) -> Classification:
        """Classify the state at the end of a window.

        Args:
            rows: Sensor units, shape (W, F), oldest first.

        Raises:
            ModelError: If the model takes text.
            ShapeError: If the window has another shape.
        """
        if self.metadata.scaler is None:
            raise ModelError("This model takes text, not windows of samples. Give it a sentence.")
        values = np.asarray(rows, np.float64)
        wanted = (self.metadata.window, len(self.metadata.channels))
        if values.shape != wanted:
            raise ShapeError(f"The model expects windows of shape {wanted}; received {values.shape}.")
        if not np.isfinite(values).all():
            return Classification(None, 0.0, "empty", {})
        return self._best(self.metadata.scaler.transform(values))

    def _best(self, inputs: npt.NDArray[Any]) -> Classification:
        shares = np.asarray(self._predict(inputs), np.float64).ravel()
        order = np.argsort(-shares, kind="stable")
        ranked = {self.labels[place]: float(shares[place]) for place in order.tolist()}
        best = self.labels[int(order[0])]
        return Classification(best, ranked[best], "", ranked)
