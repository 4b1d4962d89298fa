"""The steps of training a forecaster: from a series to a Keras model with metadata for the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import Series
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.forecasting.calendar import YEAR
from edgelstm.runtime.forecasting.features import NORMALIZATIONS, SECTION, InputFeatures
from edgelstm.runtime.forecasting.spread import spread
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler, fit_scaler
from edgelstm.training.fitting import Fit
from edgelstm.training.trained import Trained
from edgelstm.versions import tool_versions

from .data import Rows, origins, pairs, thin
from .holidays import holidays_of
from .intervals import fit_intervals, hours_of
from .linear_path import Equations
from .network_training import fit_network, predict
from .options import MOST, Options, layout, passes, week_of_short
from .representative_data import representative
from .several import joined, parted
from .spread import MOST as SPREAD
from .spread import with_spread

JUDGED = 4_000  # validation examples
WORTH = 0.95  # of the error relative to the last value: what another normalization has to reach
PROBED = 6_000  # that choose the normalization
LEAST = 100  # origins below which there is nothing to learn from


def train_forecaster(
    series: Series | Sequence[Series],
    options: Options,
    callbacks: Iterable[Any] = (),
    validation_start: int | None = None,
    start: Trained | None = None,
) -> Trained:
    """Train a forecaster.

    Args:
        series: Rows, the channels in this order: targets, known ones, others. Of several series, each scaled by its own rows, it
            is a model in deviations, to go on from.
        options: Settings.
        callbacks: Keras callbacks, such as a progress display.
        validation_start: First row that the weights do not see; None holds the newest 15 % of each series back.
        start: Forecaster to go on from, which decides look-back and inputs; the options are its own, see `started`.

    Raises:
        TrainingError: If there is too little data, a calendar without times, or series do not fit one another or the start.
    """
    several = 0 if isinstance(series, Series) else len(series)
    rows, cuts = parted(series, validation_start) if isinstance(series, Series) else joined(series, options.scaler)
    early, late, features, window = _planned(rows, cuts, options, start)
    seen = rows.values[_inside(rows) & (np.arange(len(cuts)) < cuts)]
    scaler = fit_scaler(seen, "none" if several else options.scaler)
    options = replace(options, epochs=options.epochs or passes(len(early) * options.targets))
    early = thin(early, MOST // options.targets)
    if options.normalize is None and start is None:
        normalize = _normalization(rows, scaler, features, window, options.horizon, early, late)
        features = replace(features, normalize=normalize)
    learn = pairs(rows, scaler, features, window, options.horizon, early)
    judge = pairs(rows, scaler, features, window, options.horizon, thin(late, JUDGED // options.targets))
    reach = (len(late), max(options.horizon, features.patch))
    before, week = start.model.get_weights() if start else (), week_of_short(rows, features.patch)
    model, course = fit_network(options, learn, judge, reach, callbacks, before, week)
    answers, few = predict(model, judge), learn.take(thin(np.arange(len(learn)), SPREAD))
    features = with_spread(features, few, predict(model, few), judge, answers)
    residuals = (judge.answers - answers) / spread(features, judge.inputs, answers)
    fitted = fit_intervals(residuals, options.targets, hours_of(judge.clock, options.horizon, rows.period))
    metadata = Metadata(
        kind="forecaster",
        window=window,
        horizon=options.horizon,
        channels=_channels(rows, cuts),
        period=rows.period,
        scaler=scaler,
        tools=tool_versions(),
        sections={
            SECTION: replace(features, **fitted).record(),
            "training": _record(options, window, course, rows) | ({"series": several} if several else {}),
            **rows.sections,
        },
    )
    return Trained(model, metadata, representative(learn, judge, options.targets), course.history, course.interrupted)


def _planned(
    series: Series, cuts: Rows, options: Options, start: Trained | None
) -> tuple[Rows, Rows, InputFeatures, int]:
    """Origins whose answers lie before the cut, those whose answers lie after it, input features and look-back."""
    if start is not None:
        features, window = _of_start(start, series)
    else:
        window, patch = layout(series, options)
        features = InputFeatures(
            patch,
            options.targets,
            options.known,
            options.calendar,
            options.calendar and float(np.ptp(series.time[np.arange(len(cuts)) < cuts])) >= 2 * YEAR,
            options.zone,
            normalize=options.normalize or "last",
        )
        if options.holidays:
            days = holidays_of(series, options.holidays, patch if options.calendar else 0)
            features = replace(features, holidays=days)
    early, late = _origins(series, cuts, window, options.horizon)
    if len(early) < LEAST and start is None and options.lookback is None and week_of_short(series, features.patch):
        window -= features.patch  # two weeks of rows are too few for eight days
        early, late = _origins(series, cuts, window, options.horizon)
    if len(early) < LEAST or not len(late):
        raise TrainingError(
            f"Training needs at least {LEAST} stretches of {window} + {options.horizon} rows without a gap, and later ones to "
            f"stop by; these {len(series.values)} rows give {len(early)} and {len(late)}. "
            "Give more rows, or a shorter --lookback or --horizon."
        )
    return early, late, features, window


def _origins(series: Series, cuts: Rows, window: int, horizon: int) -> tuple[Rows, Rows]:
    """Origins whose answers lie before the cut, and those whose answers lie after it."""
    every = origins(series, window, horizon)
    return every[every + horizon <= cuts[every]], every[every >= cuts[every]]


def _inside(series: Series) -> npt.NDArray[np.bool_]:
    """True for rows of a segment, shape (T,)."""
    inside = np.zeros(len(series.values), np.bool_)
    for first, last in series.segments:
        inside[first:last] = True
    return inside


def _of_start(start: Trained, series: Series) -> tuple[InputFeatures, int]:
    """Input features and look-back of the forecaster that training goes on from."""
    metadata = start.metadata
    if len(series.channels) != len(metadata.channels) or series.period != metadata.period:
        raise TrainingError(
            f"The model to go on from has {len(metadata.channels)} channels ({', '.join(metadata.names)}), a row every {metadata.period} s; "
            f"the rows have {len(series.channels)} ({', '.join(series.channels)}), every {series.period} s. Give rows as it was trained on."
        )
    return replace(InputFeatures.of(metadata), intervals=None, hours=None, spread=None), metadata.window


def _normalization(
    series: Series, scaler: Scaler, features: InputFeatures, window: int, horizon: int, early: Rows, late: Rows
) -> str:
    """`last`, which survives drift, unless a linear model forecasts the validation rows clearly better with another."""

    def error(kind: str) -> float:
        made = replace(features, normalize=kind)
        learn, judge = (
            pairs(series, scaler, made, window, horizon, thin(rows, PROBED // features.targets))
            for rows in (early, late)
        )
        return Equations.of(learn.history, learn.context, learn.answers).solve().error(judge)

    errors = {kind: error(kind) for kind in NORMALIZATIONS}
    best = min(errors, key=lambda kind: errors[kind])
    return best if errors[best] < WORTH * errors["last"] else "last"


def _channels(series: Series, cuts: Rows) -> tuple[Channel, ...]:
    seen = series.values[np.arange(len(cuts)) < cuts]
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    pairs_of = zip(series.channels, low, high, strict=True)
    return tuple(
        Channel(name, series.unit_of(name), train_low=float(least), train_high=float(most))
        for name, least, most in pairs_of
    )


def _record(options: Options, window: int, course: Fit, series: Series) -> dict[str, Any]:
    rule = (
        "given"
        if options.lookback
        else "a week of days (8 of less than half a year of rows, where these suffice), or 8 patches"
    )
    return {
        "options": asdict(options),
        "lookback": {"rows": window, "rule": rule, "autocorrelation": []},
        "history": {name: [round(value, 6) for value in values] for name, values in course.history.items()},
        "interrupted": course.interrupted,
        "rows": len(series.values),
        "repairs": series.repairs.record(),
    }
