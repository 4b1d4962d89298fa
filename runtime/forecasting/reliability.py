"""Watch over forecasts: once their moments have come, their error beside that of a naive forecast, and their coverage."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..alarms.events import Event
from ..alarms.tracker import EventTracker, Level
from .forecaster import Forecast, Forecaster

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
KIND, REASON = "forecast", "unreliable"
MOST = 48  # forecasts under watch at a time; of longer horizons every few rows one
MEMORY = (
    7  # horizons (days, where a patch is longer) that the averages look back: a week of days holds all its weekdays
)
WORSE = (
    1.0  # error as a share of the naive one, above which the model is of no use: repeating the patch before does better
)
BETTER = 0.9  # and below which it is of use again: as far as the ratio of two means over 14 horizons wanders by chance
# Errors of neighbouring rows resemble each other, those a horizon apart hardly: an average that decays over MEMORY horizons holds
# about as many independent ones as 2 * MEMORY - 1. A share that lies 3 of its deviations below the promised one is no chance.
INDEPENDENT = 2 * MEMORY - 1


class Pending(NamedTuple):
    """A forecast whose moments are still to come, or part of them."""

    origin: int
    """Number of the row that is its first step."""
    values: Singles
    """Shape (H, C), sensor units."""
    unit: Singles
    """Sensor units per unit of its intervals' ends, shape (C,)."""
    before: Singles
    """Patch before it, shape (P, C), sensor units: repeated it is the naive forecast."""
    factors: Singles
    """Widths of its intervals, shape (25, L, 2, C); see `Intervals`."""


class Reliability:
    """Errors and coverage of the newest forecasts, decaying averages a target, and the event while they are bad.

    What lies outside the intervals moves their ends for the forecasts to come (`factors`).

    Args:
        forecaster: The forecaster that makes them.
        identity: Text that tells this model's events from another's; part of each event's id.
    """

    def __init__(self, forecaster: Forecaster, identity: str) -> None:
        self._forecaster, self._targets = forecaster, forecaster.targets
        self._patch, self._horizon = forecaster.features.patch, forecaster.metadata.horizon
        self._intervals = forecaster.intervals
        self.levels = forecaster.levels()
        """Coverages of the model's intervals, percent."""
        self._rate = 1.0 / (MEMORY * max(self._patch, self._horizon))
        self._every = -(-self._horizon // MOST)
        self._tracker = EventTracker(KIND, identity)
        self.clear()

    def clear(self) -> None:
        """Forget everything so far."""
        self._row = 0
        self._pending: deque[Pending] = deque()
        self._sums = np.zeros((3 + len(self.levels), len(self._targets)))  # weight, error, naive error, shares inside
        self.factors = self._intervals.fresh()
        """Widths of the intervals now."""
        self._tracker.finish()

    def forget_forecasts(self) -> None:
        """Forget the forecasts that were made, as after a gap; the averages stay."""
        self._pending.clear()

    def made(self, forecast: Forecast, before: Doubles) -> None:
        """Take note of a forecast.

        Args:
            forecast: From the row after the newest on.
            before: Rows before it, shape (P, C), sensor units.
        """
        if self._pending and self._pending[-1].origin == self._row:  # the same row, with more readings
            self._pending.pop()
        if self._row % self._every == 0:
            parts = (part.astype(np.float32) for part in (forecast.values, forecast.unit, before, self.factors))
            self._pending.append(Pending(self._row, *parts))

    def observe(self, index: int, time: float | None, measured: Doubles, missing: int = 0) -> tuple[Event, ...]:
        """Take a row that was measured; return the event that it opened or closed.

        Args:
            index: Number of the sample in the stream, from 0.
            time: Its time; None counts rows.
            measured: The targets, shape (C,), sensor units; NaN where one is silent.
            missing: Rows of the grid that are missing before it.
        """
        row = self._row + missing
        self._row = row + 1
        while self._pending and row - self._pending[0].origin >= self._horizon:
            self._pending.popleft()
        if not self._pending:
            return ()
        present = np.isfinite(measured)
        residuals, naive, outside = self._judge(row, float(row) if time is None else time, measured)
        shares = np.stack([np.ones_like(measured), np.abs(residuals).mean(axis=0), naive, *(1 - outside.sum(axis=1))])
        self._sums[:, present] += self._rate * (shares - self._sums)[:, present]
        return self._decide(index, time)

    def _judge(self, row: int, time: float, measured: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Return residuals (N, C), mean naive error (C,), and the shares outside each end (L, 2, C); move the ends by these."""
        steps = np.array([row - one.origin for one in self._pending])
        residuals = np.stack([measured - one.values[step] for one, step in zip(self._pending, steps, strict=True)])
        naive = np.stack([one.before[step % self._patch] for one, step in zip(self._pending, steps, strict=True)])
        units = np.stack([one.unit for one in self._pending])
        hours = np.repeat(self._intervals.hours([time]), len(steps))
        factors = np.stack([one.factors for one in self._pending]).astype(np.float64)
        ends = self._intervals.ends(steps, hours, factors) * units[:, None, None]
        beyond = np.stack([residuals[:, None] < ends[:, :, 0], residuals[:, None] > ends[:, :, 1]], axis=2)
        outside = np.where(np.isfinite(measured), beyond.mean(axis=0), np.nan)
        self.factors = self._intervals.adapted(self.factors, int(hours[0]), outside)
        return residuals, np.abs(naive - measured).mean(axis=0), outside

    def _decide(self, index: int, time: float | None) -> tuple[Event, ...]:
        weight, ratios, shares = self._sums[0], self.ratios, self.coverage
        if weight.min() < 1 - math.exp(-1):  # less than a memory of rows
            return ()
        low, middle = (_limit(self.levels, deviations) for deviations in (3, 1))
        covered = shares[0] if self.levels else np.full_like(ratios, 1.0)
        bad = (ratios > WORSE) | (covered < low)
        good = (ratios <= BETTER) & (covered >= middle)
        level = Level.ACTIVE if bad.any() else Level.QUIET if good.all() else Level.BETWEEN
        channels = tuple(name for name, one in zip(self._targets, bad, strict=True) if one)
        event = self._tracker.observe(REASON, index, time, level, round(float(ratios.max()), 4), channels)
        return (event,) if event else ()

    @property
    def ratios(self) -> Doubles:
        """Error as a share of the naive one, shape (C,)."""
        _, error, naive = self._sums[:3]
        return np.where(error > 0, error / np.maximum(naive, 1e-12), 0.0)

    @property
    def coverage(self) -> Doubles:
        """Share of the values inside each interval, shape (levels, C)."""
        return np.asarray(self._sums[3:] / np.maximum(self._sums[0], 1e-12))

    @property
    def reliable(self) -> bool:
        """True unless an event says otherwise."""
        return not self._tracker.active

    def record(self) -> dict[str, Any]:
        """Return the averages a target as plain JSON types; None before the first forecast's first moment has come."""
        seen = bool(self._sums[0].min() > 0)
        weight, shares = np.maximum(self._sums[0], 1e-12), self.coverage
        return {
            "reliable": self.reliable,
            "targets": {
                name: {
                    "mae": float(f"{self._sums[1, at] / weight[at]:.6g}") if seen else None,
                    "naive_mae": float(f"{self._sums[2, at] / weight[at]:.6g}") if seen else None,
                    "coverage": {str(n): round(float(shares[i, at]), 4) for i, n in enumerate(self.levels) if seen},
                }
                for at, name in enumerate(self._targets)
            },
        }

    def finish(self) -> tuple[Event, ...]:
        """Close the open event, as at the end of a stream."""
        return self._tracker.finish()

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types: number of the next `row`, `sums`, `excursions`, `factors`, and forecasts `pending` as Base64."""
        pending = [
            [one.origin, *(b64encode(part.tobytes()).decode() for part in one[1:] if isinstance(part, np.ndarray))]
            for one in self._pending
        ]
        state = self._tracker.to_state()
        return {
            "row": self._row,
            "sums": self._sums.tolist(),
            "factors": self.factors.tolist(),
            "excursions": state,
            "pending": pending,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned.

        Raises:
            ValueError: If it has other shapes.
        """
        self.clear()
        sums, count = np.asarray(state["sums"], np.float64), len(self._targets)
        if sums.shape != self._sums.shape:
            raise ValueError(f"averages of shape {sums.shape} are none of {self._sums.shape}")
        factors = np.asarray(state["factors"], np.float64)
        if factors.shape != self.factors.shape:
            raise ValueError(f"widths of shape {factors.shape} are none of {self.factors.shape}")
        self._row, self._sums, self.factors = int(state["row"]), sums, factors
        shapes = ((self._horizon, count), (count,), (self._patch, count), self.factors.shape)
        for origin, *texts in state["pending"]:
            parts = [
                np.frombuffer(b64decode(text), np.float32).reshape(shape)
                for text, shape in zip(texts, shapes, strict=True)
            ]
            self._pending.append(Pending(int(origin), *parts))
        self._tracker.restore(state["excursions"])


def _limit(levels: tuple[int, ...], deviations: int) -> float:
    """Return the share so many deviations below the narrowest interval's; 0 without intervals."""
    share = levels[0] / 100 if levels else 0.0
    return share - deviations * math.sqrt(share * (1 - share) / INDEPENDENT)
