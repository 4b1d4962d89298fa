"""Training of classifiers: from labelled texts or windows to a Keras model with metadata for the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import Series
from edgelstm.keras_file import Representative
from edgelstm.runtime.classification.classifier import SECTION, WORDS
from edgelstm.runtime.classification.tokenizer import encode_all, fit_vocabulary
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import fit_scaler
from edgelstm.tensorflow import load_tensorflow
from edgelstm.training.fitting import Fit, fit
from edgelstm.training.trained import Trained
from edgelstm.versions import tool_versions

from .architectures import Network, text_classifier, window_classifier
from .data import Texts, labelled_windows, segment_states

Array = npt.NDArray[Any]
EMBEDDED = 512  # representative texts or stretches of rows stored in the .keras file
HELD = 128
MOST_WINDOWS = 20_000  # windows an epoch; neighbours resemble each other, so that a longer series is strided
LEAST = 10  # examples below which a class cannot be learnt


@dataclass(frozen=True)
class Options:
    """Settings of the training of a classifier."""

    network: Network = field(default_factory=Network)
    """Shape of the network."""
    lookback: int = 32
    """Rows a window, W (windows only)."""
    scaler: str = "standard"
    """minmax, standard, robust or none (windows only)."""
    epochs: int = 15
    """Passes over the examples; the learning rate falls to 0 along a cosine, so none is left to chance."""
    batch_size: int = 64
    """Examples a step."""
    learning_rate: float = 8e-3
    """Start value of AdamW's."""
    label_smoothing: float = 0.1
    """Probability that the target leaves to the other classes (Szegedy et al. 2016)."""
    seed: int = 0
    """Of weights and shuffling."""

    @classmethod
    def for_windows(cls) -> Options:
        """Defaults for windows of samples: many examples that resemble their neighbours need fewer passes."""
        return cls(Network(bidirectional=False, dropout=0.2), epochs=10, batch_size=128, label_smoothing=0.0)


def train_texts(data: Texts, options: Options | None = None, callbacks: Iterable[Any] = ()) -> Trained:
    """Train an intent classifier.

    Args:
        data: Labelled texts.
        options: Settings; None for the defaults.
        callbacks: Keras callbacks, such as a progress display.

    Raises:
        TrainingError: If there are too few classes or examples.
    """
    options = options or Options()
    classes, targets = _classes(data.labels)
    vocabulary = fit_vocabulary(data.texts)
    tokens = encode_all(vocabulary, data.texts)
    _seed(options)
    model = text_classifier(options.network, vocabulary, len(classes))
    course = _fit(model, tokens, targets, options, callbacks)
    order = np.random.default_rng(options.seed).permutation(len(tokens))
    held = min(HELD, len(order) // 5)
    metadata = _metadata(vocabulary.length, classes, targets, options, course)
    metadata = metadata.with_(sections={**metadata.sections, WORDS: vocabulary.record()})
    representative = Representative((tokens[order[held : held + EMBEDDED]],), (tokens[order[:held]],))
    return Trained(model, metadata, representative, course.history, course.interrupted)


def train_windows(series: Series, options: Options | None = None, callbacks: Iterable[Any] = ()) -> Trained:
    """Train a classifier of machine states over windows of samples.

    Args:
        series: Rows with a label column; an empty label is `normal`.
        options: Settings; None for the defaults.
        callbacks: Keras callbacks, such as a progress display.

    Raises:
        TrainingError: If there are too few classes or examples.
        SeriesError: If no stretch holds a window.
    """
    options = options or Options.for_windows()
    scaler = fit_scaler(np.concatenate(series.parts()), options.scaler)
    scaled = [scaler.transform(part) for part in series.parts()]
    windows, states = labelled_windows(scaled, segment_states(series), options.lookback)
    step = -(-len(windows) // MOST_WINDOWS)
    windows, states = windows[::step], states[::step]
    classes, targets = _classes(states)
    _seed(options)
    model = window_classifier(options.network, options.lookback, len(series.channels), len(classes))
    course = _fit(model, windows, targets, options, callbacks)
    metadata = _metadata(options.lookback, classes, targets, options, course)
    metadata = metadata.with_(
        sections={**metadata.sections, **series.sections},
        channels=tuple(
            Channel(name, series.unit_of(name), train_low=float(column.min()), train_high=float(column.max()))
            for name, column in zip(series.channels, np.concatenate(series.parts()).T, strict=True)
        ),
        period=series.period,
        scaler=scaler,
    )
    return Trained(model, metadata, _examples(windows, targets, options.seed), course.history, course.interrupted)


def _classes(labels: Sequence[str]) -> tuple[list[str], Array]:
    classes, targets, counts = np.unique(np.asarray(labels, str), return_inverse=True, return_counts=True)
    if len(classes) < 2 or counts.min() < LEAST:
        few = ", ".join(f"{name} {count}" for name, count in zip(classes, counts, strict=True))
        raise TrainingError(
            f"A classifier needs at least 2 classes with {LEAST} examples each; received {few}. "
            "Give more rows, or leave rare classes out."
        )
    return classes.tolist(), targets


def _seed(options: Options) -> None:
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(options.seed)


def _fit(model: Any, inputs: Array, targets: Array, options: Options, callbacks: Iterable[Any]) -> Fit:
    """Train with classes weighted by the root of their rarity: rare ones count, without drowning the common."""
    import keras

    steps = options.epochs * -(-len(inputs) // options.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=1.0)
    # compiling takes longer than a model of this size takes to train
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    counts = np.bincount(targets)
    weights = np.sqrt(counts.mean() / counts)
    one_hot = np.eye(len(counts), dtype=np.float32)[targets]
    return fit(
        model, inputs, callbacks, y=one_hot, batch_size=options.batch_size, epochs=options.epochs,
        sample_weight=weights[targets],
    )  # fmt: skip


def _metadata(window: int, classes: list[str], targets: Array, options: Options, course: Fit) -> Metadata:
    counts = np.bincount(targets).tolist()
    return Metadata(
        kind="classifier",
        window=window,
        tools=tool_versions(),
        sections={
            SECTION: {"labels": classes},
            "training": {
                "options": asdict(options),
                "lookback": {"rows": window, "rule": "given", "autocorrelation": []},
                "history": {name: [round(value, 6) for value in values] for name, values in course.history.items()},
                "interrupted": course.interrupted,
                "examples": dict(zip(classes, counts, strict=True)),
            },
        },
    )


def _examples(windows: Array, targets: Array, seed: int) -> Representative:
    """Whole windows of every class as segments: a calibration set without the rare states would clip them."""
    random = np.random.default_rng(seed)
    per_class = EMBEDDED // (2 * (int(targets.max()) + 1))
    chosen = [random.permutation(np.flatnonzero(targets == kind))[:per_class] for kind in np.unique(targets)]
    order = random.permutation(np.concatenate(chosen))
    held = max(1, len(order) // 3)
    return Representative(tuple(windows[order[held:]]), tuple(windows[order[:held]]))
