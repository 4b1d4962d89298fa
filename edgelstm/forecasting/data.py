"""Inputs and targets of a forecaster, from a series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import Series
from edgelstm.runtime.alarms.local_time import is_date
from edgelstm.runtime.forecasting.calendar import DAY
from edgelstm.runtime.forecasting.features import InputFeatures, examples
from edgelstm.runtime.io.time_zones import local_seconds
from edgelstm.runtime.model_file.scaler import Scaler

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
NOISE = 0.05  # deviations added to histories while training, as a share of their own: weights stay fit for 8 bits


@dataclass(frozen=True)
class Pairs:
    """Inputs and answers of N origins for C targets each, in the model's units."""

    history: Floats
    """Shape (N * C, W / P, P), the targets of an origin one after the other."""
    context: Floats
    """Shape (N * C, K)."""
    answers: Floats
    """Shape (N * C, H)."""
    unit: Floats
    """Scaled units per unit of the answers, shape (N * C, 1)."""
    clock: Floats
    """Seconds since midnight of the first step, on the calendar's clock, shape (N * C,); NaN where rows have no dates."""

    @property
    def inputs(self) -> list[Floats]:
        """As the Keras model takes them."""
        return [self.history, self.context]

    def __len__(self) -> int:
        return len(self.history)

    def take(self, chosen: Any) -> Pairs:
        """Some of them."""
        return Pairs(
            self.history[chosen], self.context[chosen], self.answers[chosen], self.unit[chosen], self.clock[chosen]
        )


def origins(series: Series, window: int, horizon: int) -> Rows:
    """Rows that can be forecast from: W rows before each and H from it on lie in one segment.

    Args:
        series: The rows.
        window: Rows looked back, W.
        horizon: Rows to forecast, H.
    """
    stretches = [np.arange(first + window, last - horizon + 1) for first, last in series.segments]
    return np.concatenate([*stretches, np.zeros(0, np.int64)]).astype(np.int64)


def thin(rows: Rows, most: int) -> Rows:
    """Select at most so many rows, evenly spread; their distances differ by one, so that all hours of the day come by.

    Args:
        rows: Row numbers.
        most: Number of rows at most.
    """
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)] if len(rows) > most else rows


def pairs(series: Series, scaler: Scaler, features: InputFeatures, window: int, horizon: int, rows: Rows) -> Pairs:
    """Inputs and answers at some origins.

    Args:
        series: The rows.
        scaler: Scaling of the channels.
        features: Input features.
        window: Rows looked back, W.
        horizon: Rows to forecast, H.
        rows: Rows to forecast from.
    """
    scaled = scaler.transform(series.values)
    inputs = examples(features, window, horizon, scaled, series.time, rows)
    future = scaled[rows[:, None] + np.arange(horizon)][..., : features.targets]
    answers = inputs.answers(np.moveaxis(future, -1, 1))
    count = len(rows) * features.targets
    return Pairs(
        inputs.history.reshape(count, *inputs.history.shape[2:]), inputs.context.reshape(count, -1),
        answers.reshape(count, -1), inputs.unit.reshape(count, -1), np.repeat(_clock(series, features, rows), features.targets),
    )  # fmt: skip


def _clock(series: Series, features: InputFeatures, rows: Rows) -> Floats:
    """Seconds since midnight of some rows, NaN where they have no dates."""
    times = series.time[rows]
    if series.period is None or not all(map(is_date, times)):
        return np.full(len(rows), np.nan, np.float32)
    return (local_seconds(times, features.zone) % DAY).astype(np.float32)


def drawn(learn: Pairs, batch_size: int, seed: int) -> Iterator[Any]:
    """Yield endless batches in random order, each example once before any comes again; errors weigh in scaled units.

    Args:
        learn: The examples.
        batch_size: Examples a batch, at most.
        seed: Of their order and noise.
    """
    random = np.random.default_rng(seed)
    size = min(batch_size, len(learn))
    noise = np.float32(NOISE * learn.history.std())
    while True:
        order = random.permutation(len(learn))
        for start in range(0, len(order) - size + 1, size):
            batch = learn.take(order[start : start + size])
            shaken = batch.history + noise * random.standard_normal(batch.history.shape, np.float32)
            yield (shaken, batch.context), batch.answers, batch.unit[:, 0]
