"""Forecasters of targets: examples with answers, and a forecast to look at."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import Series
from edgelstm.deployment.representative_data import Source
from edgelstm.forecasting.data import Rows, origins, pairs, thin
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.forecasting.features import FAR, InputFeatures
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.model_file.metadata import Metadata

from .judge_outputs import MOST, Windows
from .plot_data import Predict, channel_name
from .plot_schema import Example
from .schema import KERAS

Array = npt.NDArray[Any]
PAST = 4  # horizons of history that an example shows


def held_examples(source: Source) -> Windows | None:
    """Read the examples stored in the model file; None where their answers are not."""
    representative = source.representative
    if representative is None or not representative.answers:
        return None
    features, (history, context) = InputFeatures.of(source.metadata), representative.held
    unit = context[:, 1:2] * FAR if features.normalize == "window" else 1.0
    return Windows((history, context), representative.answers[0], features.targets, unit)


def forecast_examples(metadata: Metadata, series: Series) -> tuple[Windows, int]:
    """Examples of a series, and the number of their origins.

    Args:
        metadata: The forecaster's.
        series: The rows.

    Raises:
        SeriesError: If there is no stretch that is long enough.
    """
    features, window, horizon = InputFeatures.of(metadata), metadata.window, metadata.horizon
    every, rows = origins(series, window, horizon), _origins(metadata, series)
    if not len(every) or metadata.scaler is None:
        raise SeriesError(f"No stretch without a gap holds {window} + {horizon} rows. Give more rows with --data.")
    made = pairs(series, metadata.scaler, features, window, horizon, rows)
    # forecasts share what they are of: origins a horizon and a patch apart hardly depend on each other
    reach = features.targets * -(-(horizon + features.patch) * len(rows) // len(every))
    return Windows((made.history, made.context), made.answers, reach, made.unit), len(rows)


def forecast_example(
    series: Series, windows: Windows, models: Mapping[str, Metadata], predicts: Mapping[str, Predict]
) -> Example:
    """The forecast whose Keras error is the median one, in sensor units.

    Args:
        series: What the examples are of.
        windows: Its examples, from `forecast_examples`.
        models: Metadata of Keras and of another model.
        predicts: Those models.
    """
    metadata = models[KERAS]
    features, horizon = InputFeatures.of(metadata), metadata.horizon
    rows = _origins(metadata, series)
    errors = windows.errors(np.asarray(predicts[KERAS](windows.inputs)))[:, 0].reshape(len(rows), -1).sum(axis=1)
    origin = int(rows[np.argsort(errors, kind="stable")[len(errors) // 2]])
    outputs = {name: _columns(_forecast(models[name], predicts[name], series, origin)) for name in models}
    first = max(origin - metadata.window, origin - PAST * horizon)
    names = tuple(channel_name(metadata, channel) for channel in range(features.targets))
    past = series.values[first : origin + horizon, : features.targets]
    return Example("the forecast with the median error", names, _columns(past), outputs)


def _origins(metadata: Metadata, series: Series) -> Rows:
    every = origins(series, metadata.window, metadata.horizon)
    return thin(every, max(1, MOST // InputFeatures.of(metadata).targets))


def _forecast(metadata: Metadata, predict: Predict, series: Series, origin: int) -> Array:
    """Sensor units, shape (H, C)."""
    forecaster = Forecaster(metadata, lambda history, context: predict((history[None], context[None]))[0])
    return forecaster.forecast(series.values, series.time, origin).values


def _columns(values: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(f"{value:.5g}") for value in column) for column in values.T)
