"""The detector of anomalies as a scikit-learn estimator; `edgelstm train` fits this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

from sklearn.base import OutlierMixin

from edgelstm.runtime.detector import Detector
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.series import Series, without_labelled
from ..training.architectures import Architecture
from ..training.options import BEST, Options
from ..training.train import train
from .estimator import AUTO, Estimator
from .frames import Wanted, read_frame
from .scored_rows import ScoresRows

Tell = Callable[[str], None]


class AnomalyDetector(ScoresRows, OutlierMixin, Estimator):  # type: ignore[misc]  # scikit-learn has no types
    """Detector of anomalies on rows of several sensors over time.

    Its parameters are the options of `edgelstm train`. Rows stand in time order; a row's score depends on the rows before
    it, so that rows must be neither shuffled nor subsampled.

    Args:
        kind: forecaster (of the next row), autoencoder, or linear, without recurrent layers.
        lookback: Rows a window, "auto" for a choice by the autocorrelation, or "best" for half, once or twice that, whichever
            finds most injected faults.
        horizon: Rows that a forecaster predicts.
        columns: Channels to take; None takes every number column but times and labels.
        time_column: Column with the times; None takes a pandas index of dates, or looks for a column.
        label_column: Column that says which rows are not normal; they are left out of the training.
        scaler: standard, minmax, robust or none.
        units: Units of the stacked layers.
        cell: lstm, or gru.
        bidirectional: Read windows in both directions (autoencoders).
        attention: Attention over the encoder's sequence.
        dropout: Share of inputs dropped between layers while training.
        initializer: glorot, he or orthogonal.
        streaming: Learn on long stretches, for the form that takes one row a call (LSTM forecasters).
        epochs: Passes over the windows at most; stops early.
        patience: Epochs without progress before it stops.
        batch_size: Windows a step; None goes by the amount of data.
        learning_rate: Start value of Adam's.
        clipnorm: Largest norm of a gradient; None for 1, or for none beside clipvalue.
        clipvalue: Largest element of a gradient.
        minimum: Rows above the threshold before an alarm opens; None for the model's default.
        cooldown: Quiet rows before an alarm is over; None for the model's default.
        calendar: Take hour and weekday as inputs (forecasters): what is normal on a Monday may be a fault on a Sunday.
        zone: Time zone of the calendar, such as Europe/Berlin; empty takes times as they are written.
        keep_all: Also train on rows that look unlike all others.
        score_rule: From errors to a score; None for witnesses (forecasters) or mean (autoencoders).
        smoothing: Weight of the newest score in an average (not for ewma).
        threshold_rule: Rule of the alarm threshold, such as "alarms:0.1" (a day); None goes by the score.
        limits: Measure the smallest faults that are found, after the training.
        channel_units: Units of channels by name, such as {"pressure": "bar"}; else those of `frame.attrs["units"]`, or in
            brackets at the end of names.
        random_state: Seed of weights and shuffling.

    >>> detector = AnomalyDetector(lookback="auto").fit(frame)  # doctest: +SKIP
    >>> detector.predict(frame)  # doctest: +SKIP
    """

    def __init__(
        self,
        kind: str = "forecaster",
        *,
        lookback: int | str = AUTO,
        horizon: int = 1,
        columns: Sequence[str] | None = None,
        time_column: str | None = None,
        label_column: str | None = None,
        scaler: str = "standard",
        units: Sequence[int] = (24,),
        cell: str = "lstm",
        bidirectional: bool = False,
        attention: bool = False,
        dropout: float = 0.0,
        initializer: str = "glorot",
        streaming: bool = False,
        epochs: int = 60,
        patience: int = 8,
        batch_size: int | None = None,
        learning_rate: float = 3e-3,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        minimum: int | None = None,
        cooldown: int | None = None,
        calendar: bool = False,
        zone: str = "",
        keep_all: bool = False,
        score_rule: str | None = None,
        smoothing: float = 1.0,
        threshold_rule: str | None = None,
        limits: bool = True,
        channel_units: Mapping[str, str] | None = None,
        random_state: int = 0,
    ) -> None:
        self.kind = kind
        self.lookback = lookback
        self.horizon = horizon
        self.columns = columns
        self.time_column = time_column
        self.label_column = label_column
        self.scaler = scaler
        self.units = units
        self.cell = cell
        self.bidirectional = bidirectional
        self.attention = attention
        self.dropout = dropout
        self.initializer = initializer
        self.streaming = streaming
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.minimum = minimum
        self.cooldown = cooldown
        self.calendar = calendar
        self.zone = zone
        self.keep_all = keep_all
        self.score_rule = score_rule
        self.smoothing = smoothing
        self.threshold_rule = threshold_rule
        self.limits = limits
        self.channel_units = channel_units
        self.random_state = random_state

    def options(self) -> Options:
        """The parameters as options of a training.

        Raises:
            TrainingError: If they are not usable.
        """
        shape = {field.name: getattr(self, field.name) for field in fields(Architecture) if field.name != "linear"}
        decision = {"minimum": self.minimum, "cooldown": self.cooldown}
        return Options(
            Architecture(**{**shape, "units": tuple(self.units)}),
            lookback=self._lookback(),
            horizon=self.horizon,
            scaler=self.scaler,
            epochs=self.epochs,
            patience=self.patience,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            clipnorm=self.clipnorm or (None if self.clipvalue else 1.0),
            clipvalue=self.clipvalue,
            seed=self.random_state,
            leave_out=not self.keep_all,
            calendar=self.calendar,
            zone=self.zone,
            score=self.score_rule,
            smoothing=self.smoothing,
            threshold_rule=self.threshold_rule,
            decision={name: value for name, value in decision.items() if value is not None},
            limits=self.limits,
        )

    def _lookback(self) -> int | Literal["best"] | None:
        if self.lookback in (AUTO, None):
            return None
        return BEST if self.lookback == BEST else int(self.lookback)

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        options: Options | None = None,
        callbacks: Iterable[Any] = (),
        tell: Tell = lambda _: None,
    ) -> AnomalyDetector:
        """Train on rows of normal operation, in time order.

        Args:
            X: pandas or polars table, array (T, F), path of a CSV file, or a `Series`. Short gaps are filled, long ones cut.
            y: Not used; a table's own labels are named with `label_column`.
            options: Options of the training, such as the design of a search; None for those of the parameters.
            callbacks: Keras callbacks; they are told of epochs, not of batches.
            tell: Called with each sentence of `notes_`.

        Raises:
            TrainingError: If there are too few rows.
            SeriesError: If the rows cannot be read.
        """
        notes: list[str] = []
        series = self._training_rows(X)

        def note(sentence: str) -> None:
            notes.append(sentence)
            tell(sentence)

        self._take(train(series, options or self.options(), callbacks, note))
        self.notes_ = (*series.repairs.sentences(), *notes)
        """Sentences about repairs, rows left out, and the forecast that was chosen."""
        return self

    def _training_rows(self, rows: Any) -> Series:
        series = read_frame(
            self._checked(rows, fitted=False), Wanted(self.columns, self.time_column, self.label_column)
        )
        series = series if series is rows else without_labelled(series)
        return self._with_units(series)

    def _rows(self, rows: Any) -> Series:
        return super()._rows(self._checked(rows, fitted=True))

    def _scored_metadata(self) -> Metadata:
        return self.metadata_

    def _detector(self, series: Series) -> Detector:
        from ..evaluation.keras_detector import keras_detector

        return keras_detector(self.model_, self.metadata_, (series.values, series.time))

    @classmethod
    def takes(cls, metadata: Metadata) -> bool:
        """Tell whether a model is a detector of anomalies."""
        return metadata.scoring is not None and FORECAST not in metadata.sections

    @classmethod
    def _parameters(cls, options: dict[str, Any], metadata: Metadata) -> dict[str, Any]:
        shape, decision = options.pop("architecture", {}), options.pop("decision", {})
        renamed = {"score_rule": options.pop("score", None), "lookback": options.pop("lookback", None) or AUTO}
        renamed["keep_all"] = not options.pop("leave_out", True)
        return {**shape, **options, **decision, **renamed, "columns": list(metadata.names)}
