"""The classifier of machine states, or of texts, as an estimator; `edgelstm train states` and `intents` fit this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d

from edgelstm.runtime.classification.classifier import SECTION, WORDS
from edgelstm.runtime.classification.tokenizer import Vocabulary, encode_all
from edgelstm.runtime.errors import SeriesError, TrainingError
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.model_file.metadata import Metadata

from ..classification.data import Texts
from ..classification.train import Options, train_texts, train_windows
from ..data.regular_grid import runs
from ..data.series import Series
from .answers import column_like, table_like
from .columns import library_of
from .estimator import Estimator
from .frames import Wanted, read_frame, wanted_by

BATCH = 4096  # windows predicted at once
Array = npt.NDArray[Any]


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classifier of a machine's state at each row, or of texts where it is fitted on a list of them.

    Its parameters are the options of `edgelstm train states` and `edgelstm train intents`; None takes the default of the kind.

    Args:
        label_column: Column with the state, where `fit` gets no `y`; empty cells are normal.
        columns: Channels to take; None takes every number column but times and labels.
        time_column: Column with the times; None takes a pandas index of dates, or looks for a column.
        lookback: Rows a window; None for 32.
        scaler: standard, minmax, robust or none.
        units: Units of the LSTM; None for 32.
        bidirectional: Read in both directions; None for texts alone.
        dropout: Share dropped in training.
        epochs: Passes over the examples.
        batch_size: Examples a step.
        learning_rate: Start value of AdamW's; None for 0.008.
        channel_units: Units of channels by name.
        random_state: Seed of weights and shuffling.

    >>> Classifier(lookback=32).fit(frame, states).predict(frame)  # doctest: +SKIP
    """

    classes_: Array

    def __init__(
        self,
        *,
        label_column: str | None = None,
        columns: Sequence[str] | None = None,
        time_column: str | None = None,
        lookback: int | None = None,
        scaler: str = "standard",
        units: int | None = None,
        bidirectional: bool | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        channel_units: Mapping[str, str] | None = None,
        random_state: int = 0,
    ) -> None:
        self.label_column = label_column
        self.columns = columns
        self.time_column = time_column
        self.lookback = lookback
        self.scaler = scaler
        self.units = units
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.channel_units = channel_units
        self.random_state = random_state

    def options(self, texts: bool = False) -> Options:
        """The parameters as options of a training, with the defaults for texts or for rows."""
        defaults = Options() if texts else Options.for_windows()

        def chosen(*names: str) -> dict[str, Any]:
            return {name: value for name in names if (value := getattr(self, name)) is not None}

        network = replace(defaults.network, **chosen("units", "bidirectional", "dropout"))
        named = chosen("lookback", "scaler", "epochs", "batch_size", "learning_rate")
        return replace(defaults, network=network, seed=self.random_state, **named)

    def fit(self, X: Any, y: Any = None, *, callbacks: Iterable[Any] = ()) -> Classifier:
        """Train on rows in time order with the state of each, or on texts with the class of each.

        Args:
            X: pandas or polars table, array (T, F), path of a CSV file; or a list of texts.
            y: State of each row or class of each text; None takes `label_column`.
            callbacks: Keras callbacks.

        Raises:
            TrainingError: If there are too few classes or examples.
            SeriesError: If the rows cannot be read, or have no states.
        """
        if are_texts(X):
            data = Texts(tuple(X), tuple(_labels(y, len(X))))
            trained = train_texts(data, self.options(texts=True), callbacks)
        else:
            trained = train_windows(self._labelled(X, y), self.options(), callbacks)
        self._take(trained)
        if y is not None:
            self.classes_ = _as_given(self.classes_, y)
        return self

    def _labelled(self, rows: Any, states: Any) -> Series:
        if self.label_column is None and not isinstance(rows, Series):
            _required(states)
        wanted = Wanted(self.columns, self.time_column, self.label_column if states is None else None)
        series = read_frame(self._checked(rows, fitted=False), wanted, repair=states is None)
        if states is not None:  # rows and states stay side by side: gaps cut, nothing is inserted
            series = replace(series, labels=np.asarray(_labels(states, len(series.values))))
            series = replace(series, segments=runs(np.asarray(np.isfinite(series.values).all(axis=1))))
        return self._with_units(series)

    def predict(self, X: Any) -> Any:
        """State at each row, or class of each text; None, or NaN among numbers, where a row's window is not full or has a gap.

        Args:
            X: As of `fit`.
        """
        shares = self._shares(X)
        known = np.isfinite(shares).all(axis=1)
        best = np.empty(len(shares), object)
        best[known] = self.classes_[np.argmax(shares[known], axis=1)]
        if known.all():
            best = best.astype(self.classes_.dtype)
        elif self.classes_.dtype.kind in "iuf":
            best[~known] = np.nan
            best = best.astype(np.float64)
        return best if are_texts(X) else column_like(X, best, "state")

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, shape (T, C) in the order of `classes_`; NaN where there is no answer.

        Args:
            X: As of `fit`.
        """
        shares = self._shares(X)
        if are_texts(X) or library_of(X) == "numpy":
            return shares
        index = getattr(X, "index", None)
        return table_like(X, dict(zip(map(str, self.classes_), shares.T, strict=True)), index)

    def _shares(self, rows: Any) -> Array:
        check_is_fitted(self, "trained_")
        metadata = self.metadata_
        if are_texts(rows):
            if WORDS not in metadata.sections:
                raise SeriesError(f"This model takes rows of {', '.join(metadata.names)}, not texts.")
            return self._predicted(encode_all(Vocabulary.of(metadata.sections[WORDS]), tuple(rows)))
        series = read_frame(self._checked(rows, fitted=True), wanted_by(metadata, self.time_column), repair=False)
        assert metadata.scaler is not None
        scaled = metadata.scaler.transform(series.values)
        shares = np.full((len(scaled), len(self.classes_)), np.nan)
        if len(scaled) >= metadata.window:
            windows = sliding_windows(scaled, metadata.window)
            whole = np.flatnonzero(np.isfinite(windows).all(axis=(1, 2)))
            if len(whole):
                shares[whole + metadata.window - 1] = self._predicted(windows[whole])
        return shares

    def _predicted(self, inputs: Array) -> Array:
        parts = [self.model_.predict_on_batch(inputs[at : at + BATCH]) for at in range(0, len(inputs), BATCH)]
        return np.concatenate([np.asarray(part, np.float64) for part in parts])

    @classmethod
    def takes(cls, metadata: Metadata) -> bool:
        """Tell whether a model is a classifier of ours."""
        return SECTION in metadata.sections

    @classmethod
    def _parameters(cls, options: dict[str, Any], metadata: Metadata) -> dict[str, Any]:
        return {**options, **options.get("network", {})}

    def _take(self, trained: Any) -> None:
        super()._take(trained)
        self.classes_ = np.array(trained.metadata.sections[SECTION]["labels"])


def are_texts(rows: Any) -> bool:
    """Tell a list of texts from rows of numbers."""
    return (
        isinstance(rows, Sequence)
        and not isinstance(rows, str)
        and bool(rows)
        and all(isinstance(row, str) for row in rows)
    )


def _as_given(classes: Array, labels: Any) -> Array:
    """Names of classes as values of the type that the labels have: a model's file holds texts alone."""
    originals = {str(label): label for label in np.asarray(labels).ravel().tolist()}
    return np.array([originals.get(name, name) for name in classes.tolist()])


def _required(labels: Any) -> Any:
    if labels is None:
        raise TrainingError(
            "A classifier requires y to be passed, but the target y is None. Give one state a row as y, or name their "
            "column with label_column."
        )
    return labels


def _labels(labels: Any, count: int) -> list[str]:
    """Labels as texts, one a row, after scikit-learn's checks; a missing one among texts is empty, and so `normal`."""
    states = column_or_1d(_required(labels), warn=True)
    if len(states) != count:
        raise TrainingError(f"There is one state a row; received {len(states)} for {count} rows.")
    if states.dtype.kind == "f":
        assert_all_finite(states, input_name="y")
        check_classification_targets(states)
    return ["" if state is None or state != state else str(state) for state in states.tolist()]
