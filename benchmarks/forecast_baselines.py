"""Baselines for forecasting, on the same rows and origins. All work on standardised values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from forecast_data import Case

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
RIDGE = 1.0
FIT_DAYS = 56  # newest days of the training part that exponential smoothing and SARIMA are fitted on
ORDER, SEASONAL = (2, 0, 1), (1, 1, 1)


def truth(values: Doubles, origins: Rows, horizon: int) -> Doubles:
    """Observed values, shape (N, C, H)."""
    return np.moveaxis(values[origins[:, None] + np.arange(horizon)], -1, 1)


def errors(predicted: Doubles, case: Case, values: Doubles, every_row: bool) -> dict[str, Any]:
    """MAE and MSE of forecasts from each row, or from daily origins alone, in deviations."""
    origins = case.origins if every_row else case.origins[:: case.day]
    missed = predicted - truth(values, origins, case.horizon)
    record = {}
    for name, part in (
        ("daily", missed[:: case.day] if every_row else missed),
        ("stride_1", missed if every_row else None),
    ):
        if part is not None:
            record[name] = {"mae": float(np.abs(part).mean()), "mse": float((part**2).mean())}
    return record


def repeat(values: Doubles, origins: Rows, horizon: int, lag: int) -> Doubles:
    """The newest value a whole number of lags before."""
    steps = np.arange(horizon)
    back = lag * (steps // lag + 1) - steps
    return np.moveaxis(values[origins[:, None] - back], -1, 1)


def _windows(values: Doubles, rows: Rows, window: int) -> tuple[Doubles, Doubles]:
    """Past of every origin and channel minus its last value, and that value: (N * C, W), (N * C, 1)."""
    past = np.moveaxis(values[rows[:, None] + np.arange(-window, 0)], -1, 1).reshape(-1, window)
    return past - past[:, -1:], past[:, -1:]


def ridge(values: Doubles, case: Case) -> tuple[Doubles, Doubles]:
    """Ridge regression on the inputs minus the last value, one map for all channels: kernel (W, H) and bias (H,)."""
    window, horizon = case.ridge_window, case.horizon
    gram: Any = 0.0
    moment: Any = 0.0
    rows = np.arange(window, case.ends[0] - horizon + 1)
    for block in np.array_split(rows, max(1, len(rows) // 2048)):
        past, last = _windows(values, block, window)
        answers = truth(values, block, horizon).reshape(-1, horizon) - last
        inputs = np.c_[past, np.ones(len(past))]
        gram, moment = gram + inputs.T @ inputs, moment + inputs.T @ answers
    penalty = np.full(window + 1, RIDGE)
    penalty[-1] = 0
    solved = np.linalg.solve(gram + np.diag(penalty), moment)
    return solved[:-1], solved[-1]


def absolute(values: Doubles, case: Case, start: tuple[Doubles, Doubles], epochs: int = 15) -> tuple[Doubles, Doubles]:
    """The same map fitted on absolute error (Adam from the ridge solution; the validation part chooses the epoch)."""
    import keras

    keras.utils.set_random_seed(0)
    window, horizon, (train, validation, _) = case.ridge_window, case.horizon, case.ends
    model = keras.Sequential([keras.Input((window,)), keras.layers.Dense(horizon)])
    model.layers[-1].set_weights(list(start))
    parts = []
    for rows in (np.arange(window, train - horizon + 1), np.arange(train, validation - horizon + 1)):
        chosen = rows[:: max(1, len(rows) * values.shape[1] // 30_000)]
        past, last = _windows(values, chosen, window)
        parts.append((past.astype("f"), (truth(values, chosen, horizon).reshape(-1, horizon) - last).astype("f")))
    (inputs, answers), late = parts
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, epochs * len(inputs) // 256)), "mae"
    )
    best: list[Any] = [model.evaluate(*late, batch_size=2048, verbose=0), model.get_weights()]
    for _ in range(epochs):
        found = model.fit(inputs, answers, batch_size=256, verbose=0, validation_data=late, validation_batch_size=2048)
        if found.history["val_loss"][0] < best[0]:
            best = [found.history["val_loss"][0], model.get_weights()]
    kernel, bias = best[1]
    return kernel, bias


def linear(values: Doubles, case: Case, weights: tuple[Doubles, Doubles]) -> Doubles:
    """A linear map's forecasts at the test origins, shape (N, C, H)."""
    past, last = _windows(values, case.origins, case.ridge_window)
    return (past @ weights[0] + weights[1] + last).reshape(len(case.origins), values.shape[1], case.horizon)


def smoothing(values: Doubles, case: Case) -> tuple[Doubles, str]:
    """Holt-Winters' additive exponential smoothing without trend; season a day or a week, by the validation part."""
    tried = {season: _smoothed(values, case, season) for season in (case.day, 7 * case.day)}
    late = np.arange(case.ends[0], case.ends[1] - case.horizon + 1, case.day)
    errors = {
        season: np.abs(_at(parts, late, case.horizon, season) - truth(values, late, case.horizon)).mean()
        for season, parts in tried.items()
    }
    season = min(errors, key=lambda one: errors[one])
    said = f"additive season of {season} rows, no trend, fitted on {FIT_DAYS} days, filtered forward"
    return _at(tried[season], case.origins[:: case.day], case.horizon, season), said


def _smoothed(values: Doubles, case: Case, season: int) -> list[tuple[Doubles, Doubles]]:
    """Level before each row, and the newest seasonal term of each phase at that row, a channel."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    first, train = case.ends[0] - FIT_DAYS * case.day, case.ends[0]
    found = []
    for column in values.T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = ExponentialSmoothing(
                column[first:train], seasonal="add", seasonal_periods=season, initialization_method="heuristic"
            )
            given = model.fit().params
        found.append(
            _filter(
                column,
                first,
                given["smoothing_level"],
                given["smoothing_seasonal"],
                given["initial_level"],
                given["initial_seasons"],
            )
        )
    return found


def _filter(
    column: Doubles, first: int, alpha: float, gamma: float, level: float, seasons: Doubles
) -> tuple[Doubles, Doubles]:
    """Go on with fitted weights, row by row: the recursions of Holt-Winters as statsmodels writes them."""
    season, rows = len(seasons), len(column)
    levels, terms = np.zeros(rows + 1), np.zeros(rows + season)
    levels[first], terms[first : first + season] = level, seasons
    for row in range(first, rows):
        term = terms[row]
        levels[row + 1] = alpha * (column[row] - term) + (1 - alpha) * levels[row]
        # of the level before, as in statsmodels
        terms[row + season] = gamma * (column[row] - levels[row]) + (1 - gamma) * term
    return levels, terms


def _at(parts: list[tuple[Doubles, Doubles]], origins: Rows, horizon: int, season: int) -> Doubles:
    ahead = origins[:, None] + np.arange(horizon) % season
    return np.stack([levels[origins][:, None] + terms[ahead] for levels, terms in parts], axis=1)


def sarima(values: Doubles, case: Case) -> tuple[Doubles, str]:
    """SARIMA, fitted once at the end of the training part, then filtered forward a day at a time without refitting."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    seasonal = (*SEASONAL, case.day)
    first, train = case.ends[0] - FIT_DAYS * case.day, case.ends[0]
    origins = case.origins[:: case.day]
    found = []
    for column in values.T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # differenced beforehand the filter has half as many states: the same likelihood, several times faster
            fitted = SARIMAX(column[first:train], order=ORDER, seasonal_order=seasonal, simple_differencing=True).fit(
                disp=0, maxiter=50
            )
            result = SARIMAX(column[first : origins[0]], order=ORDER, seasonal_order=seasonal).filter(fitted.params)
            rows = [result.forecast(case.horizon)]
            for origin in origins[1:]:
                result = result.extend(column[origin - case.day : origin])
                rows.append(result.forecast(case.horizon))
        found.append(np.stack(rows))
    said = f"order {ORDER}, seasonal {SEASONAL} of {case.day} rows, fitted on {FIT_DAYS} days, filtered forward without refitting"
    return np.stack(found, axis=1), said
