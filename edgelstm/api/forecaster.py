"""The forecaster of target columns as an estimator; `edgelstm train forecaster` fits this one."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from edgelstm.runtime.alarms.local_time import is_date
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.forecasting.features import SECTION
from edgelstm.runtime.forecasting.forecaster import Forecast
from edgelstm.runtime.forecasting.recent_notes import recent_notes
from edgelstm.runtime.forecasting.time_grid import Recent, recent_of
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.series import Series
from ..forecasting.architecture import Network
from ..forecasting.keras_forecaster import forecaster_over
from ..forecasting.options import Options
from ..forecasting.train import train_forecaster
from ..training.trained import Trained
from .answers import moments_like, table_like
from .columns import library_of
from .estimator import AUTO, Estimator
from .frames import Wanted, read_frame, wanted_by


def _several(rows: Any) -> bool:
    """Tell a list of tables, arrays, paths or series from the rows of one."""
    kinds = (Series, str, Path)
    return isinstance(rows, list | tuple) and any(
        isinstance(one, kinds) or library_of(one) != "numpy" or np.ndim(one) == 2 for one in rows
    )


class Forecaster(Estimator):
    """Forecaster of the rows that follow, with intervals.

    Its parameters are the options of `edgelstm train forecaster`.

    Args:
        target: Column or columns to forecast; None for every channel.
        horizon: Rows to forecast.
        covariates: Columns that are known for the rows to come.
        columns: Further columns whose past is an input.
        time_column: Column with the times; None takes a pandas index of dates, or looks for a column.
        calendar: Hour, weekday and season of the rows to come are inputs.
        zone: Time zone of the calendar, such as Europe/Berlin; empty takes times as they are written.
        holidays: Country or region whose public holidays are inputs, as US or DE-BY, or a file with a date a line.
        normalize: Level that windows are relative to: last, window or none; None for last, unless another is clearly better.
        lookback: Rows looked back, or "auto".
        scaler: standard, minmax, robust or none.
        units: Units of the LSTM; None for 44.
        dropout: Share dropped in training; None for 0.1.
        epochs: Passes over 10,000 examples; None goes by the amount of data.
        batch_size: Examples a step.
        learning_rate: Start value of AdamW's.
        channel_units: Units of channels by name.
        random_state: Seed of weights and shuffling.

    >>> Forecaster("demand", horizon=48, calendar=True).fit(frame).predict(frame)  # doctest: +SKIP
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        horizon: int = 1,
        covariates: Sequence[str] = (),
        columns: Sequence[str] = (),
        time_column: str | None = None,
        calendar: bool = False,
        zone: str = "",
        holidays: str = "",
        normalize: str | None = None,
        lookback: int | str = AUTO,
        scaler: str = "standard",
        units: int | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        channel_units: Mapping[str, str] | None = None,
        random_state: int = 0,
    ) -> None:
        self.target = target
        self.horizon = horizon
        self.covariates = covariates
        self.columns = columns
        self.time_column = time_column
        self.calendar = calendar
        self.zone = zone
        self.holidays = holidays
        self.normalize = normalize
        self.lookback = lookback
        self.scaler = scaler
        self.units = units
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.channel_units = channel_units
        self.random_state = random_state

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the columns to forecast; empty for every channel."""
        return (self.target,) if isinstance(self.target, str) else tuple(self.target or ())

    def options(self, channels: int = 1) -> Options:
        """The parameters as options of a training.

        Args:
            channels: Number of targets where none are named.
        """
        network: dict[str, Any] = {"units": self.units, "dropout": self.dropout}
        return Options(
            horizon=self.horizon,
            targets=len(self.targets) or channels,
            known=len(self.covariates),
            calendar=self.calendar,
            zone=self.zone,
            holidays=self.holidays,
            lookback=None if self.lookback in (AUTO, None) else int(self.lookback),
            normalize=self.normalize,
            network=Network(**{name: value for name, value in network.items() if value is not None}),
            scaler=self.scaler,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.random_state,
        )

    def wanted(self) -> list[str] | None:
        """Columns in the order of training: targets, covariates, others; None for every number column."""
        return list(dict.fromkeys([*self.targets, *self.covariates, *self.columns])) or None

    def fit(self, X: Any, y: Any = None, *, callbacks: Iterable[Any] = ()) -> Forecaster:
        """Train on rows in time order; the newest 15 % choose the epoch and the intervals.

        Args:
            X: pandas or polars table, array (T, F), path of a CSV file, or a `Series`. A list of these is several series, such as
                meters, each scaled by its own rows: a model in deviations, to `fine_tune` for each.
            y: Not used: targets are columns of X.
            callbacks: Keras callbacks.

        Raises:
            TrainingError: If there are too few rows.
            SeriesError: If the rows cannot be read.
        """
        return self._train(X, None, callbacks)

    def fine_tune(self, X: Any, *, callbacks: Iterable[Any] = ()) -> Forecaster:
        """Go on from the fitted weights on other rows of the same kind, which scale and intervals are fitted to.

        The network stays as it was trained; epochs, batch size, learning rate (a third of it), seed and names of columns are
        this object's parameters.

        Args:
            X: Rows as of `fit`.
            callbacks: Keras callbacks.

        Raises:
            sklearn.exceptions.NotFittedError: If there are no weights to go on from.
            TrainingError: If there are too few rows, or they or the named columns are of another form.
            SeriesError: If the rows cannot be read.
        """
        check_is_fitted(self, "trained_")
        self._check_roles(self.metadata_)
        return self._train(X, self.trained_, callbacks)

    def _check_roles(self, metadata: Metadata) -> None:
        """Refuse names of targets and covariates that the network, which stays as it is, would take for something else."""
        section = metadata.sections[SECTION]
        for role, named, count in (
            ("targets", self.targets, section["targets"]),
            ("covariates", tuple(self.covariates), section["known"]),
        ):
            if self.targets and len(named) != count:
                raise TrainingError(
                    f"The number of {role} is {count} in the model to go on from; named are {len(named)} "
                    f"({', '.join(named)}). Name as many, in their order, or train a model of its own."
                )

    def _train(self, rows: Any, start: Trained | None, callbacks: Iterable[Any]) -> Forecaster:
        wanted = Wanted(self.wanted(), self.time_column)
        parts = [read_frame(self._checked(part, fitted=False), wanted) for part in (rows if _several(rows) else [rows])]
        parts = [self._with_units(part) for part in parts]
        options = self.options(len(parts[0].channels))
        if start is not None:
            built = self.with_options(start.metadata).options(len(start.metadata.channels))
            own = {name: getattr(options, name) for name in ("epochs", "batch_size", "learning_rate", "seed")}
            options = replace(built, **own)
        series = parts if _several(rows) else parts[0]
        self._take(train_forecaster(series, options, callbacks, start=start))
        self.notes_ = tuple(sentence for part in parts for sentence in part.repairs.sentences())
        return self

    def forecast(self, X: Any, level: int | None = None) -> Forecast:
        """Forecast the rows after X, as arrays.

        Warns, as the command line does, where the newest rows lack a target or values lie far outside of training.

        Args:
            X: Recent rows, at least as many as the model looks back; where there are covariates, the rows to come follow
                with these filled and the targets empty.
            level: Percent that the interval is meant to hold; None is the lowest that the model carries.
        """
        return self._forecast(X, level)

    def predict(self, X: Any, level: int | None = None) -> Any:
        """Forecast the rows after X, as a table of the same library.

        Args:
            X: As of `forecast`.
            level: As of `forecast`.

        Returns:
            A table of the horizon's rows: a column a target, and its interval as `NAME_low80` and `NAME_high80`; times in
            the zone of X. For an array the forecast alone, shape (H, C).
        """
        made = self._forecast(X, level)
        if library_of(X) == "numpy" and not isinstance(X, str):
            return made.values
        columns: dict[str, npt.NDArray[Any]] = {}
        for place, target in enumerate(made.targets):
            columns[target] = made.values[:, place]
            if made.lower is not None and made.upper is not None:
                columns[f"{target}_low{made.level}"] = made.lower[:, place]
                columns[f"{target}_high{made.level}"] = made.upper[:, place]
        return table_like(X, columns, moments_like(X, made.times, self.time_column))

    def _forecast(self, rows: Any, level: int | None) -> Forecast:
        """Forecast with warnings that name the line which called a method of this class."""
        forecaster, recent = forecaster_over(self.model_, self.metadata_), self._recent(rows)
        made = forecaster.forecast(recent.values, recent.times, level=level)
        dates = library_of(rows) != "numpy" and recent.dated

        def written(time: float) -> str:
            return str(moments_like(rows, np.array([time]), self.time_column)[0])

        for note in recent_notes(forecaster, recent, written if dates else None):
            warnings.warn(note, UserWarning, stacklevel=3)
        return made

    def _recent(self, rows: Any) -> Recent:
        """The newest rows on the model's grid."""
        metadata = self.metadata_
        series: Series = read_frame(
            self._checked(rows, fitted=True), wanted_by(metadata, self.time_column), repair=False
        )
        period = None if series.period is None else metadata.period
        dated = bool(len(series.time)) and is_date(float(series.time[0]))
        return recent_of(np.array(series.values), np.asarray(series.time), period, dated)

    @classmethod
    def takes(cls, metadata: Metadata) -> bool:
        """Tell whether a model forecasts target columns."""
        return SECTION in metadata.sections

    @classmethod
    def _parameters(cls, options: dict[str, Any], metadata: Metadata) -> dict[str, Any]:
        targets, known = options.pop("targets", 1), options.pop("known", 0)
        names = list(metadata.names)
        columns = {"target": names[:targets], "covariates": names[targets : targets + known]}
        columns["columns"] = names[targets + known :]
        return {**options, **options.get("network", {}), **columns, "lookback": options.get("lookback") or AUTO}
