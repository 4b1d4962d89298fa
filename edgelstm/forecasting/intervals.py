"""Prediction intervals from the residuals of rows that the weights never saw (split conformal prediction)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.keras_file import Representative
from edgelstm.runtime.forecasting.features import SECTION, InputFeatures
from edgelstm.runtime.forecasting.intervals import HOURS
from edgelstm.runtime.forecasting.spread import spread
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.metadata import Metadata

LEVELS = (80, 95)  # percent
LONGEST_PERIOD = 7200.0  # seconds between rows: with fewer than 12 rows a day hours say little
ENOUGH = 30  # residuals of an hour from which it has a size of its own
LEAST = 0.05  # of the mean size: an hour without any error yet is not one that will have none
TURNS = 4  # of fitting the parts of step and hour
DIGITS = 3  # significant ones in the file: by chance a quantile of 768 residuals is off by some 5 %, the fourth digit is noise
Predict = Callable[[tuple[npt.NDArray[Any], ...]], npt.NDArray[Any]]
"""A model's forecasts for examples, (N, ...) an input."""


def fit_intervals(residuals: npt.NDArray[Any], targets: int, hours: npt.NDArray[Any] | None = None) -> dict[str, Any]:
    """Lower and upper residual of each step and target, with conformal prediction's correction for few examples.

    Args:
        residuals: Measured values minus predicted ones, in the model's unit or as multiples of the spread, shape (N * C, H).
        targets: C.
        hours: Hour of the day of each, same shape; None where rows have no dates.

    Returns:
        `intervals`, by coverage in percent: `lower` and `upper`, lists of shape (H, C); and `hours`, the usual residual at each
        hour of the day that these are multiples of, a list of shape (24, C), or None.
    """
    by_target = np.asarray(residuals, np.float64).reshape(-1, targets, residuals.shape[1])
    scale = None
    if hours is not None:
        places = hours.reshape(by_target.shape)[:, 0]
        scale = np.stack([_usual_by_hour(np.abs(by_target[:, target]), places) for target in range(targets)], axis=1)
        by_target = by_target / np.moveaxis(scale[places], -1, 1)
    return {
        "intervals": {str(level): _ends(by_target, level / 100) for level in LEVELS},
        "hours": None if scale is None else _short(scale),
    }


def _usual_by_hour(sizes: npt.NDArray[Any], hours: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Usual size of residuals at each hour beside that of their steps, mean 1, shape (24,).

    Sizes (N, H) are taken as a product of a part of the step and one of the hour, each fitted in turn on the other's.
    """
    seen, usual = np.bincount(hours.ravel(), minlength=HOURS), np.ones(HOURS)
    for _ in range(TURNS):
        by_step = np.maximum((sizes / usual[hours]).mean(axis=0), 1e-12)
        totals = np.bincount(hours.ravel(), (sizes / by_step).ravel(), minlength=HOURS)
        usual = np.where(seen >= ENOUGH, totals / np.maximum(seen, 1), 1.0)
        usual = np.maximum(usual / usual.mean(), LEAST)
    return np.asarray(usual / usual.mean())


def hours_of(clock: npt.NDArray[Any], horizon: int, period: float | None) -> npt.NDArray[Any] | None:
    """Hour of the day of each step, shape (N, H); None where rows have no dates, or come less than once in two hours.

    Args:
        clock: Seconds since midnight of each first step, shape (N,); NaN without dates.
        horizon: Steps, H.
        period: Seconds between them.

    >>> hours_of(np.array([81_000.0]), 3, 3600.0).tolist()
    [[22, 23, 0]]
    """
    if period is None or period > LONGEST_PERIOD or not np.isfinite(clock).all():
        return None
    return np.asarray(((clock[:, None] + period * np.arange(horizon)) // 3600).astype(np.int64) % HOURS)


def _ends(residuals: npt.NDArray[Any], coverage: float) -> dict[str, Any]:
    """Order statistics k of n such that a new residual lies outside with (1 - coverage) / 2 on each side."""
    count = len(residuals)
    rank = min(count, int(np.ceil((count + 1) * (1 + coverage) / 2)))
    ordered = np.sort(residuals, axis=0)
    upper, lower = ordered[rank - 1], ordered[count - rank]
    return {"lower": _short(lower.T), "upper": _short(upper.T)}


def _short(numbers: npt.NDArray[Any]) -> list[list[float]]:
    """Round numbers as a model file holds them."""
    return [[float(f"{number:.{DIGITS}g}") for number in row] for row in numbers]


def refit_intervals(metadata: Metadata, predict: Predict, representative: Representative | None) -> Metadata:
    """Fit the intervals to another model's own residuals; they stay as they are where no answers are stored.

    Args:
        metadata: The Keras model's.
        predict: The other model, a converted or a smaller one.
        representative: Held-back examples with their answers.
    """
    if representative is None or not representative.answers:
        return metadata
    features, (answers, *clock) = InputFeatures.of(metadata), representative.answers
    hours = hours_of(clock[0][:, 0], answers.shape[1], metadata.period) if clock else None  # files of earlier versions
    predicted = predict(representative.held)
    residuals = (answers - predicted) / spread(features, representative.held, predicted)
    fitted = fit_intervals(residuals, features.targets, hours)
    return metadata.with_(sections={**metadata.sections, SECTION: replace(features, **fitted).record()})


def predict_with(model: TFLiteModel) -> Predict:
    """A converted model as `refit_intervals` takes it."""
    return lambda inputs: np.concatenate([model(*example)[0] for example in zip(*inputs, strict=True)])
