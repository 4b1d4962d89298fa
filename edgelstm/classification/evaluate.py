"""Accuracy, macro F1 and confusion of a classifier on labelled data; the same code for Keras and TFLite."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import read_for_model
from edgelstm.keras_file import load_keras, model_parts
from edgelstm.runtime.classification.classifier import Classifier
from edgelstm.runtime.classification.tokenizer import encode_all
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.metadata import Metadata

from .data import labelled_windows, read_texts, segment_states

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Quality:
    """Accuracy of a classifier on labelled examples."""

    model: str
    """File name."""
    scheme: str
    """keras or a quantization scheme."""
    examples: int
    """Texts or windows judged."""
    accuracy: float
    """Share of right answers; no answer counts as wrong."""
    macro_f1: float
    """Mean over the classes that occur of the harmonic mean of precision and recall: rare ones count alike."""
    classes: tuple[str, ...]
    """Row and column names of the confusion matrix; the last one, empty, is no answer."""
    confusion: tuple[tuple[int, ...], ...] = field(repr=False)
    """Examples by true class (row) and answer (column)."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def measure(
    name: str, scheme: str, truth: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]
) -> Quality:
    """Compare answers with the truth.

    Args:
        name: File name.
        scheme: keras or a quantization scheme.
        truth: True class of each example.
        answers: The classifier's, None for no answer.
        labels: Classes that the model knows; others in the truth are listed after them.
    """
    classes = [*labels, *sorted(set(truth) - set(labels)), ""]
    place = {label: index for index, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), int)
    for right, answer in zip(truth, answers, strict=True):
        counts[place[right], place[answer or ""]] += 1
    return Quality(
        name, scheme, len(truth), *rates(counts), tuple(classes), tuple(tuple(row) for row in counts.tolist())
    )


def rates(counts: Array) -> tuple[float, float]:
    """Accuracy and macro F1 of a confusion matrix (truth, answer); 0 for an empty one.

    >>> rates(np.array([[1, 0], [0, 1]]))
    (1.0, 1.0)
    """
    hits, asked, answered = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    occurring = asked > 0
    if not occurring.any():
        return 0.0, 0.0
    scores = 2 * hits[occurring] / (asked + answered)[occurring]
    return float(hits.sum() / counts.sum()), float(scores.mean())


def is_classifier(path: Path | str) -> bool:
    """Tell whether a model file is a classifier."""
    metadata, _ = model_parts(Path(path))
    return metadata.kind == "classifier"


def evaluate(path: Path | str, data: Path | str, label_column: str | None = None, text_column: str = "text") -> Quality:
    """Measure a classifier file on a labelled CSV file.

    Args:
        path: `.keras` or `.tflite`.
        data: CSV of texts, or of rows with the model's channels, with a label column.
        label_column: Its name; None is `intent` for texts and `state` for rows.
        text_column: Column with the text.

    Raises:
        ModelError: If the model cannot be used.
        SeriesError: If the data cannot be used.
    """
    path = Path(path)
    metadata, content = model_parts(path)
    examples = read_examples(metadata, data, label_column, text_column)
    shares = (
        TFLiteModel(content, target=metadata.target).predict(examples.inputs)
        if content
        else _keras(path, examples.inputs)
    )
    answers = examples.answers(shares)
    return measure(path.name, metadata.scheme if content else "keras", examples.truth, answers, examples.labels)


@dataclass(frozen=True)
class Examples:
    """Labelled examples as a classifier takes them."""

    inputs: Array
    """Scaled windows (N, W, F), or texts (N, L, K) as pieces."""
    truth: tuple[str, ...] = field(repr=False)
    """True class of each."""
    known: tuple[bool, ...] = field(repr=False)
    """True if each can be answered: a text without a known word cannot."""
    labels: tuple[str, ...]
    """Classes that the model knows."""

    def answers(self, shares: Array) -> list[str | None]:
        """The classifier's answers, None for none, from its outputs (N, C)."""
        best = shares.argmax(axis=1).tolist()
        return [self.labels[place] if known else None for place, known in zip(best, self.known, strict=True)]


def read_examples(
    metadata: Metadata, data: Path | str, label_column: str | None = None, text_column: str = "text"
) -> Examples:
    """Read labelled examples from a CSV file.

    Args:
        metadata: The classifier's.
        data: CSV of texts, or of rows with the model's channels, with a label column.
        label_column: Its name; None is `intent` for texts and `state` for rows.
        text_column: Column with the text.

    Raises:
        ModelError: If the model is no classifier.
        SeriesError: If the data cannot be used.
    """
    classifier = Classifier(metadata, lambda given: given)
    if classifier.vocabulary is not None:
        texts = read_texts([data], text_column, label_column or "intent")
        known = tuple(classifier.vocabulary.known(text) for text in texts.texts)
        return Examples(encode_all(classifier.vocabulary, texts.texts), texts.labels, known, classifier.labels)
    assert metadata.scaler is not None
    series = read_for_model(metadata, data, label_column=label_column or "state")
    scaled = [metadata.scaler.transform(part) for part in series.parts()]
    inputs, truth = labelled_windows(scaled, segment_states(series), metadata.window)
    return Examples(inputs, tuple(truth), (True,) * len(truth), classifier.labels)


def _keras(path: Path, inputs: Array) -> Array:
    return np.asarray(load_keras(path).predict(inputs, batch_size=256, verbose=0))
