"""AutoARIMA and MSTL, by statsforecast: fitted once on the newest weeks, then filtered forward from each origin."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from peer_frames import Doubles, Fitted, Rows, Task, long
from statsforecast import StatsForecast
from statsforecast.models import MSTL, AutoARIMA, AutoETS

WEEKS = 8  # newest ones that are fitted on, and that each forecast filters
LATE = 40  # origins of the validation part that choose MSTL's trend and AutoARIMA's regressors
WAVES = (1, 2, 3)  # of the week; the season takes the day
ORDERS: dict[str, Any] = {
    "max_p": 2,
    "max_q": 2,
    "max_P": 1,
    "max_Q": 1,
    "max_order": 5,
    "approximation": True,
    "nmodels": 12,
}


def autoarima(task: Task) -> Fitted:
    """AutoARIMA with a season of a day, and the case's week, holidays and covariates as regressors.

    Args:
        task: The case.
    """
    tried = {}
    for columns in (task.known[[]], _regressors(task)):
        said = f"regressors: {', '.join(columns) or 'none'}"
        model = AutoARIMA(season_length=task.case.day, **ORDERS)
        tried[said] = columns, _late_error(task, _fitted(task, model, columns, task.case.ends[0], ""))
    said = min(tried, key=lambda one: tried[one][1])
    columns, error = tried[said]
    says = (
        f"season of {task.case.day} rows, orders at most (2,d,2)(1,D,1), stepwise search of at most 12 models by conditional sums of squares, "
        f"{WEEKS} weeks; {said}{' (by the validation part)' if len(tried) > 1 else ''}"
    )
    made = _fitted(task, AutoARIMA(season_length=task.case.day, **ORDERS), columns, task.case.ends[1], says)
    return replace(made, losses={"validation": error} | made.losses)


def mstl(task: Task) -> Fitted:
    """Seasons of a day and a week, the rest by AutoETS or by AutoARIMA without season, as the validation part says.

    Args:
        task: The case.
    """
    train, validation, _ = task.case.ends
    trends = {"AutoETS(ZZN)": lambda: AutoETS(model="ZZN"), "AutoARIMA": lambda: AutoARIMA(seasonal=False, **ORDERS)}
    seasons, none = [task.case.day, 7 * task.case.day], task.known[[]]
    # loess at each fourth or eighth row of a day, between them straight lines: as good, five to ten times faster
    jumps = {"seasonal_jump": task.case.day // 8, "trend_jump": task.case.day // 4, "low_pass_jump": task.case.day // 4}
    tried = {
        name: _late_error(
            task, _fitted(task, MSTL(seasons, trend_forecaster=trend(), stl_kwargs=jumps), none, train, "")
        )
        for name, trend in trends.items()
    }
    best = min(tried, key=lambda one: tried[one])
    says = f"seasons of a day and a week, the rest by {best} (by the validation part), {WEEKS} weeks"
    made = _fitted(task, MSTL(seasons, trend_forecaster=trends[best](), stl_kwargs=jumps), none, validation, says)
    return replace(made, losses={"validation": tried[best]} | made.losses)


def _late_error(task: Task, made: Fitted) -> float:
    """Mean absolute error of a model from some origins of the validation part."""
    train, validation, _ = task.case.ends
    late = np.arange(train, validation - task.case.horizon + 1, task.case.day)
    late = late[:: -(-len(late) * task.case.targets // LATE)]
    answers = np.moveaxis(task.values[late[:, None] + np.arange(task.case.horizon)], -1, 1)
    return float(np.abs(made.forecast(task, late) - answers).mean())


def _regressors(task: Task) -> pd.DataFrame:
    """The week as waves where the case has a calendar, and covariates; those that never change in the weeks fitted on are left out."""
    columns = task.known[
        [name for name in task.inputs if name not in ("day_sin", "day_cos", "week_sin", "week_cos", "weekend")]
    ].copy()
    if task.case.calendar:
        week = np.arctan2(task.known["week_sin"], task.known["week_cos"])
        for wave, (name, turn) in itertools.product(WAVES, (("sin", np.sin), ("cos", np.cos))):
            columns[f"week_{name}{wave}"] = turn(wave * week)
    newest = columns.iloc[task.case.ends[1] - WEEKS * 7 * task.case.day : task.case.ends[1]]
    return columns.loc[:, newest.nunique() > 1]


def _fitted(task: Task, model: Any, columns: pd.DataFrame, end: int, says: str) -> Fitted:
    length, horizon = WEEKS * 7 * task.case.day, task.case.horizon
    library = StatsForecast(models=[model], freq=1, n_jobs=1)
    library.fit(long(task, end - length, end, columns))
    regressors = columns.to_numpy(float) if len(columns.columns) else None

    def forecast(given: Task, origins: Rows) -> Doubles:
        rows = [[_forward(library.fitted_[n, 0], column, regressors, origin) for n, column in enumerate(given.values.T)] for origin in origins]  # fmt: skip
        return np.array(rows)

    def _forward(made: Any, column: Doubles, given: Any, origin: int) -> Doubles:
        ahead = (
            {}
            if given is None
            else {"X": given[origin - length : origin], "X_future": given[origin : origin + horizon]}
        )
        return np.asarray(made.forward(column[origin - length : origin], horizon, **ahead)["mean"])

    losses = {"training": _one_step(library)}
    orders = ", ".join(_order(library.fitted_[n, 0]) for n in range(task.case.targets))
    return Fitted(forecast, library.save, f"{says}{'; ' + orders if orders else ''}", losses)


def _order(made: Any) -> str:
    order = made.model_.get("arma") if isinstance(made.model_, dict) else None
    return "({0},{5},{1})({2},{6},{3})".format(*order) if order is not None else ""


def _one_step(library: StatsForecast) -> float:
    """Mean absolute error one row ahead on the rows fitted on."""
    found = [row[0].predict_in_sample() for row in library.fitted_]
    truth = [library.ga.data[first:last, 0] if library.ga.data.ndim > 1 else library.ga.data[first:last] for first, last in itertools.pairwise(library.ga.indptr)]  # fmt: skip
    return float(np.mean([np.nanmean(np.abs(one["fitted"] - two)) for one, two in zip(found, truth, strict=True)]))
