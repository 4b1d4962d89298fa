"""Coverage of forecasts' intervals as a device shows them: a forecast at each row, ends moved by what came before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.intervals import HOURS, Intervals

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def as_on_a_device(
    residuals: Doubles, units: Doubles, features: InputFeatures, period: float | None, times: Doubles
) -> dict[str, Any]:
    """Coverage by level, in the mean and at the worst hours of the day; and the CRPS from quantiles.

    Args:
        residuals: Measured minus forecast values from every row, in the model's unit, shape (N, C, H).
        units: Deviations per unit of the model's answer, shape (N, C).
        features: The model's, with intervals.
        period: Seconds between rows.
        times: Of the moments that are forecast, shape (N + H - 1,).

    Returns:
        `fixed`, the model file's own intervals, and `live`, those that follow; each by level `mean`, `least` and `most` over hours
        and targets, and `width` in deviations; `crps` in deviations, twice the mean quantile loss of the forecast and all ends.
    """
    horizon = residuals.shape[2]
    intervals = Intervals(features, horizon, period)
    hours = intervals.hours(times)
    report = {}
    for name, moving in (("fixed", False), ("live", True)):
        ends = _all_ends(residuals, intervals, hours, moving)  # (N, H, L, 2, C)
        report[name] = _report(np.moveaxis(residuals, 1, 2), ends, units, intervals.levels, hours)
    return report


def _all_ends(residuals: Doubles, intervals: Intervals, hours: Rows, moving: bool) -> Doubles:
    count, _, horizon = residuals.shape
    steps, factors, made = np.arange(horizon), intervals.fresh(), []
    for origin in range(count):
        made.append(intervals.ends(steps, hours[origin : origin + horizon], factors))
        if moving:  # the row at this origin arrives, and is held against the forecasts that were made of it
            before = np.arange(max(0, origin - horizon + 1), origin + 1)
            ends = np.stack([made[at][origin - at] for at in before])
            known = np.stack([residuals[at, :, origin - at] for at in before])[:, None]
            missed = np.stack([known < ends[:, :, 0], known > ends[:, :, 1]], axis=2).mean(axis=0)
            factors = intervals.adapted(factors, int(hours[origin]), missed)
    return np.stack(made)


def _report(residuals: Doubles, ends: Doubles, units: Doubles, levels: tuple[int, ...], hours: Rows) -> dict[str, Any]:
    count, horizon, _ = residuals.shape
    by_step = hours[np.arange(count)[:, None] + np.arange(horizon)]
    found: dict[str, Any] = {}
    losses = [_loss(residuals, 0.5)]
    for place, level in enumerate(levels):
        lower, upper = ends[:, :, place, 0], ends[:, :, place, 1]
        inside = (residuals >= lower) & (residuals <= upper)
        shares = np.stack([inside[by_step == hour].mean(axis=0) for hour in range(HOURS) if (by_step == hour).any()])
        found[str(level)] = {
            "mean": float(inside.mean()), "least": float(shares.min()), "most": float(shares.max()),
            "targets": inside.mean(axis=(0, 1)).tolist(), "width": float(((upper - lower) * units[:, None]).mean()),
        }  # fmt: skip
        tail = (1 - level / 100) / 2
        losses += [_loss(residuals - lower, tail), _loss(residuals - upper, 1 - tail)]
    found["crps"] = float(2 * np.mean([(loss * units[:, None]).mean() for loss in losses]))
    return found


def _loss(beyond: Doubles, share: float) -> Doubles:
    """Quantile loss of values that lie `beyond` a quantile."""
    return np.maximum(share * beyond, (share - 1) * beyond)
