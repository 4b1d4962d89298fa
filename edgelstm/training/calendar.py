"""The calendar of a detector in training: whether its rows bear one, and rows with the numbers of their moments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.input.calendar import WAVES, WEEK, Calendar
from edgelstm.runtime.io.time_zones import find_zone
from edgelstm.runtime.model_file.scaler import Scaler

from ..data.series import Series
from .options import Options

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
LEAST_WEEKS = 2  # of rows: what was seen once is no habit


def calendar_of(series: Series, options: Options) -> Calendar | None:
    """Return the calendar that the options ask for, with as many waves as the rows can show; None for none.

    Args:
        series: Rows of normal operation.
        options: Settings of the training.

    Raises:
        TrainingError: If the rows have no dates or too few weeks, or the model is none that forecasts.
        ConfigError: If this machine does not know the time zone.
    """
    if not options.calendar:
        if options.zone:
            raise TrainingError(f"The time zone {options.zone} is that of a calendar. Give --calendar, too.")
        return None
    if not options.architecture.forecasts:
        raise TrainingError(
            "A calendar is for forecasters: an autoencoder sees the value that it rebuilds, on any day. Leave --kind autoencoder out."
        )
    calendar = Calendar(WAVES, options.zone)
    if options.zone:
        find_zone(options.zone)
    first, last = (float(series.time[row]) for row in (series.segments[0][0], series.segments[-1][1] - 1))
    if series.period is None or not calendar.knows(first):
        raise TrainingError(
            "A calendar needs rows with dates; these have none. Name their column with --time-column, or leave --calendar out."
        )
    weeks = (last - first + series.period) / WEEK
    if weeks < LEAST_WEEKS:
        raise TrainingError(
            f"A calendar needs {LEAST_WEEKS} weeks of rows at least, so that each weekday is seen twice; these span "
            f"{7 * weeks:.3g} days. Give more rows, or leave --calendar out."
        )
    waves = min(WAVES, int(WEEK / series.period / 2))
    if waves < 1:
        raise TrainingError(f"A calendar needs rows within a week; these come every {series.period:g} s.")
    return Calendar(waves, options.zone)


def dated_parts(series: Series, calendar: Calendar | None) -> list[Doubles]:
    """Return each segment with the numbers of its moments behind the channels, shape (T_i, F) or wider.

    Args:
        series: The rows.
        calendar: None for none.
    """
    if calendar is None:
        return series.parts()
    return [
        np.hstack([series.values[start:stop], calendar.rows(series.time[start:stop])])
        for start, stop in series.segments
    ]


def scaled(scaler: Scaler, rows: Doubles) -> Floats:
    """Return rows of `dated_parts` with scaled channels.

    Args:
        scaler: Of the channels.
        rows: Shape (T, F) or wider.
    """
    channels = len(scaler.scale)
    sensors = scaler.transform(rows[:, :channels])
    return np.hstack([sensors, rows[:, channels:].astype(np.float32)]) if rows.shape[1] > channels else sensors
