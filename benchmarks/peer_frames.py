"""A forecasting case as the tables that forecasting libraries take: one row a moment, origins as series of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from edgelstm.runtime.forecasting.calendar import DAY, calendar_features, day_numbers
from edgelstm.runtime.model_file.scaler import fit_scaler
from forecast_data import Case

from edgelstm.forecasting.holidays import holiday_days

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
WEEKDAYS = slice(6, 13)  # of calendar_features
CALENDAR = ["day_sin", "day_cos", "week_sin", "week_cos", "weekend"]


@dataclass(frozen=True)
class Task:
    """The inputs of a peer."""

    case: Case
    """The series and its parts."""
    values: Doubles
    """Targets in deviations of the training part, shape (T, C)."""
    known: pd.DataFrame
    """Columns that are known for the hours to come, T rows: calendar, holidays, covariates."""
    past: pd.DataFrame
    """Columns that are known up to now alone, T rows."""
    weekday: Rows
    """0 for Monday, shape (T,)."""

    @property
    def inputs(self) -> list[str]:
        """Names of the known columns that the case has: its calendar is left out where edgelstm's own is."""
        return [name for name in self.known if self.case.calendar or name not in CALENDAR]

    def until(self, row: int) -> Task:
        """The same with every target and past-only value from a row on missing."""
        values, past = self.values.copy(), self.past.copy()
        values[row:], past.iloc[row:] = np.nan, np.nan
        return replace(self, values=values, past=past)


@dataclass(frozen=True)
class Fitted:
    """A peer after its training."""

    forecast: Callable[[Task, Rows], Doubles]
    """Forecasts from origins, shape (N, C, H), of what lies before each."""
    save: Callable[[Path], Any]
    """Write the model as its library does."""
    says: str
    """Description for the reader."""
    losses: dict[str, float]
    """Mean absolute errors of training and validation, in deviations, by name."""


def task_of(case: Case, zone: str) -> Task:
    """A case's values and columns.

    Args:
        case: The case.
        zone: IANA name of the calendar's clock; empty takes times as they are.
    """
    targets = case.series.values[:, : case.targets]
    scaler = fit_scaler(targets[: case.ends[0]])
    values = (targets - np.array(scaler.offset)) / np.array(scaler.scale)
    given = case.series.values[:, case.targets :]
    past_scaler = fit_scaler(given[: case.ends[0]]) if given.shape[1] else None
    if past_scaler:
        given = (given - np.array(past_scaler.offset)) / np.array(past_scaler.scale)
    names = list(case.series.channels[case.targets :])
    columns = pd.DataFrame(given, columns=names)
    times = np.asarray(case.series.time, float)
    features = calendar_features(times, zone, yearly=False)
    weekday = features[:, WEEKDAYS].argmax(axis=1).astype(np.int64)
    known = _calendar(features, weekday).join(columns[names[: case.known]])
    if case.holidays:
        days = holiday_days(case.holidays, times[0], times[-1])
        known["Holiday"] = np.isin(day_numbers(times, zone), days).astype(float)
    return Task(case, values, known, columns[names[case.known :]], weekday)


def _calendar(features: npt.NDArray[np.float32], weekday: Rows) -> pd.DataFrame:
    hour = np.arctan2(features[:, 0], features[:, 3]) / (2 * np.pi) % 1  # share of the day
    week = 2 * np.pi * (weekday + hour) / 7
    parts = [features[:, 0], features[:, 3], np.sin(week), np.cos(week), weekday >= 5]
    return pd.DataFrame(dict(zip(CALENDAR, np.array(parts, float), strict=True)))


def long(task: Task, first: int, last: int, columns: pd.DataFrame) -> pd.DataFrame:
    """Rows of all targets, one series each; a moment is its row's number, so that no clock change leaves a gap.

    Args:
        task: The case.
        first: Its first row.
        last: The row after the last one.
        columns: Further columns, T rows.
    """
    rows = np.arange(first, last)
    parts = [
        columns.iloc[rows].assign(unique_id=f"{number}", ds=rows, y=column[rows])
        for number, column in enumerate(task.values.T)
    ]
    return pd.concat(parts, ignore_index=True)


def windows(task: Task, origins: Rows, length: int, columns: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows before each origin and rows to forecast, each origin and target a series of its own.

    Args:
        task: The case.
        origins: First rows to forecast, shape (N,).
        length: Rows before each.
        columns: Further columns, T rows; those of the rows to forecast must be known.
    """
    before = _stacked(task, origins, np.arange(-length, 0), columns)
    ahead = _stacked(task, origins, np.arange(task.case.horizon), columns)
    return before, ahead.drop(columns="y")


def _stacked(task: Task, origins: Rows, steps: Rows, columns: pd.DataFrame) -> pd.DataFrame:
    rows = (origins[:, None] + steps).ravel()
    parts = []
    for number, column in enumerate(task.values.T):
        names = np.repeat([f"{origin:07d}_{number}" for origin in origins], len(steps))
        parts.append(columns.iloc[rows].assign(unique_id=names, ds=rows, y=column[rows], channel=number))
    return pd.concat(parts, ignore_index=True)


def unstacked(found: pd.DataFrame, name: str, task: Task) -> Doubles:
    """A library's answer for `windows` as shape (N, C, H).

    Args:
        found: Its table.
        name: Column of the forecasts.
        task: The case.
    """
    if "unique_id" not in found.columns:
        found = found.reset_index()
    answers = found.sort_values(["unique_id", "ds"])[name].to_numpy(float)
    return answers.reshape(-1, task.case.targets, task.case.horizon)


__all__ = ["CALENDAR", "DAY", "Doubles", "Fitted", "Rows", "Task", "long", "task_of", "unstacked", "windows"]
