"""LightGBM on lags and calendar, by mlforecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from mlforecast.target_transforms import Differences
from peer_frames import CALENDAR, Doubles, Fitted, Rows, Task, long, unstacked, windows

NAME = "lightgbm"
TREES = 600  # at most
SHARES = (1 / 3, 2 / 3, 1.0)  # of the trees, tried on the validation part
DIFFERENCES = ("day", "row", "none")
SETTINGS = {"learning_rate": 0.1, "num_leaves": 31, "objective": "l1", "verbosity": -1, "n_jobs": 1, "seed": 0}


def lightgbm(task: Task) -> Fitted:
    """Fit each candidate on the training part, keep the best of the validation part, fit it on both parts.

    Args:
        task: The case.
    """
    train, validation, _ = task.case.ends
    late = np.arange(train, validation - task.case.horizon + 1, task.case.day)
    answers = np.moveaxis(task.values[late[:, None] + np.arange(task.case.horizon)], -1, 1)
    tried: dict[tuple[str, int], float] = {}
    for differences in DIFFERENCES:
        model = _fit(task, train, differences, TREES)
        for trees in (round(share * TREES) for share in SHARES):
            tried[differences, trees] = float(np.abs(_forecast(model, task, late, trees) - answers).mean())
    differences, trees = min(tried, key=lambda one: tried[one])
    model = _fit(task, validation, differences, trees)
    says = (
        f"recursive, {trees} trees of 31 leaves, rate 0.1, absolute error, differences: {differences}; the best of {len(tried)} on the validation part; lags of "
        "hours, days and a week, means of a day and a week, time of day, weekday, day of year and what the case knows"
    )
    losses = {"validation": tried[differences, trees], "training": _training_error(model, task)}
    return Fitted(lambda given, origins: _forecast(model, given, origins, None), model.save, says, losses)


def _columns(task: Task) -> pd.DataFrame:
    """Columns known for the hours to come; past-only ones as they were a horizon before, which always is known."""
    hour = np.arctan2(task.known["day_sin"], task.known["day_cos"]) / (2 * np.pi) % 1
    columns = task.known.drop(columns=CALENDAR).assign(hour=hour.round(4), weekday=task.weekday)
    columns["year_day"] = np.asarray(task.case.series.time, float) / 86_400 % 365.2425
    step = task.case.horizon
    for name in task.past:
        columns[f"{name}_before"] = task.past[name].shift(step)
        columns[f"{name}_mean"] = task.past[name].shift(step).rolling(task.case.day).mean()
    for name in task.case.series.channels[task.case.targets :][: task.case.known]:
        columns[f"{name}_day_before"] = task.known[name].shift(task.case.day)
    if "Holiday" in task.known:
        columns["Holiday_day_before"] = task.known["Holiday"].shift(task.case.day)
    return columns.fillna(0.0)


def _fit(task: Task, last: int, differences: str, trees: int) -> MLForecast:
    day = task.case.day
    lags = sorted({1, 2, 3, 4, day // 4, day // 2, day - 1, day, day + 1, *range(2 * day, 7 * day, day), 7 * day - 1, 7 * day, 7 * day + 1, 14 * day})  # fmt: skip
    model = MLForecast(
        models={NAME: LGBMRegressor(n_estimators=trees, **SETTINGS)},
        freq=1,
        lags=lags,
        lag_transforms={1: [RollingMean(day), RollingMean(7 * day)]},
        target_transforms={"day": [Differences([day])], "row": [Differences([1])], "none": None}[differences],
        num_threads=1,
    )
    table = long(task, 0, last, _columns(task)).assign(channel=lambda rows: rows["unique_id"].astype(int))
    model.fit(table, static_features=["channel"])
    return model


def _forecast(model: MLForecast, task: Task, origins: Rows, trees: int | None) -> Doubles:
    before, ahead = windows(task, origins, 16 * task.case.day, _columns(task))
    model.models_[NAME].booster_.best_iteration = trees or -1  # `predict` stops there
    found = model.predict(h=task.case.horizon, new_df=before, X_df=ahead.drop(columns="channel"))
    return unstacked(found, NAME, task)


def _training_error(model: Any, task: Task) -> float:
    """Error of daily forecasts in the newest eighth of the rows that it was fitted on."""
    end = task.case.ends[1]
    origins = np.arange(end - end // 8, end - task.case.horizon + 1, 4 * task.case.day)
    answers = np.moveaxis(task.values[origins[:, None] + np.arange(task.case.horizon)], -1, 1)
    return float(np.abs(_forecast(model, task, origins, None) - answers).mean())
