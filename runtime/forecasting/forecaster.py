"""Forecasts on the device: recent rows go in, the rows to come with their intervals come out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, SeriesError, ShapeError
from ..inference.interpreter import TFLiteModel
from ..model_file.bundle import Bundle, load_bundle
from ..model_file.metadata import Metadata
from .features import Examples, InputFeatures, examples
from .intervals import Intervals
from .spread import spread

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


class Predict(Protocol):
    """A model: histories (n, P) and context (K,) of one target to its next H values, relative to the level."""

    def __call__(self, history: Floats, context: Floats, /) -> npt.NDArray[Any]:
        """One forecast, shape (H,)."""


@dataclass(frozen=True)
class Forecast:
    """A forecast in sensor units."""

    times: Doubles
    """Seconds since 1970 or the rows' own count, shape (H,)."""
    targets: tuple[str, ...]
    """Names, C of them."""
    values: Doubles
    """Shape (H, C)."""
    lower: Doubles | None
    """Lower end of the interval, shape (H, C); None when the model carries none."""
    upper: Doubles | None
    """Upper end."""
    level: int
    """Percent of the values that the interval is meant to hold."""
    unit: Doubles
    """Sensor units per unit of its intervals' ends, shape (C,)."""


class Forecaster:
    """Forecasts the rows that follow.

    Args:
        metadata: The model's, with a section `forecast`.
        predict: The model.

    Raises:
        ModelError: If the model was not trained for this.

    >>> Forecaster.load("load.int8.tflite").forecast(rows, times).values  # doctest: +SKIP
    """

    def __init__(self, metadata: Metadata, predict: Predict) -> None:
        self.metadata, self.features = metadata, InputFeatures.of(metadata)
        if metadata.scaler is None:
            raise ModelError("The model's metadata hold no scaling. Convert it again.")
        self._scaler = metadata.scaler
        self._predict = predict
        self.intervals = Intervals(self.features, metadata.horizon, metadata.period)
        """The model's intervals."""

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Forecaster:
        """Create a forecaster over a model file in memory."""
        model = TFLiteModel(bundle.flatbuffer, target=bundle.metadata.target)
        return cls(bundle.metadata, lambda history, context: model(history, context)[0][0])

    @classmethod
    def load(cls, path: Path | str) -> Forecaster:
        """Create a forecaster over a `.tflite` file.

        Raises:
            ModelError: If the file is no forecaster of this tool.
        """
        return cls.from_bundle(load_bundle(path))

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the forecast channels."""
        return self.metadata.names[: self.features.targets]

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the channels that must be known for the hours to come."""
        return self.metadata.names[self.features.targets : self.features.targets + self.features.known]

    def levels(self) -> tuple[int, ...]:
        """Coverages, in percent, that the model carries intervals for."""
        return self.intervals.levels

    def chosen(self, level: int | None) -> int:
        """Return the coverage of the interval that is asked for, in percent; 0 where the model carries none.

        Args:
            level: Percent; None for the lowest that the model carries.

        Raises:
            ModelError: If the model carries no such interval.
        """
        levels = self.levels()
        chosen = level if level is not None else (levels[0] if levels else 0)
        if chosen and chosen not in levels:
            listed = ", ".join(map(str, levels)) or "none"
            raise ModelError(f"The model carries intervals of {listed} percent; received {level}. Choose one of them.")
        return chosen

    def forecast(
        self,
        values: npt.ArrayLike,
        times: npt.ArrayLike,
        origin: int | None = None,
        level: int | None = None,
        factors: Doubles | None = None,
    ) -> Forecast:
        """Forecast the H rows from an origin on; `recent_notes` tells of rows that it cannot be trusted for.

        Args:
            values: Sensor units, shape (T, F), on the model's time grid; from the origin on only the known channels count.
            times: Shape (T,).
            origin: First row to forecast; None is the one after the last row that holds every target.
            level: Percent that the interval is meant to hold; None is the lowest that the model carries.
            factors: Widths of the intervals, see `Intervals`; None are the model's own.

        Raises:
            ShapeError: If there are other channels, or too few rows.
            SeriesError: If a value is missing.
            ModelError: If the model carries no such interval.
        """
        rows, moments = np.asarray(values, np.float64), np.asarray(times, np.float64)
        start = self.origin(rows) if origin is None else origin
        rows, moments = self._checked(rows, moments, start)
        scaled = self._scaler.transform(rows)
        window, horizon = self.metadata.window, self.metadata.horizon
        inputs = examples(self.features, window, horizon, scaled, moments, np.array([start]))
        pairs = zip(inputs.history[0], inputs.context[0], strict=True)
        answer = np.stack([np.asarray(self._predict(*pair), np.float64) for pair in pairs])
        return self._finish(answer, inputs, moments[start : start + horizon], level, factors)

    def origin(self, rows: Doubles) -> int:
        """Return the first row to forecast: the one after the last row that holds every target.

        Args:
            rows: Sensor units, shape (T, F).

        Raises:
            ShapeError: If there are other channels.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.metadata.channels):
            raise ShapeError(
                f"The model expects {len(self.metadata.channels)} channels ({', '.join(self.metadata.names)}); "
                f"received an array of shape {rows.shape}."
            )
        whole = np.flatnonzero(np.isfinite(rows[:, : self.features.targets]).all(axis=1))
        return int(whole[-1]) + 1 if len(whole) else 0

    def _checked(self, rows: Doubles, moments: Doubles, start: int) -> tuple[Doubles, Doubles]:
        """Rows up to the end of the horizon, all that the model needs present."""
        window, horizon, features = self.metadata.window, self.metadata.horizon, self.features
        if start < window:
            raise ShapeError(f"A forecast needs {window} rows before it; received {start}. Give more recent rows.")
        rows = np.array(rows[: start + horizon])
        known = rows[start:, features.targets : features.targets + features.known]
        ahead = int(np.isfinite(known).all(axis=1).sum())
        if features.known and ahead < horizon:
            raise SeriesError(
                f"{', '.join(self.known)} must be known for the {horizon} rows to forecast; "
                f"received {ahead}. Append rows with these columns and empty targets."
            )
        empty = np.argwhere(~np.isfinite(rows[start - window : start]))
        if len(empty):
            name = self.metadata.names[int(empty[0][1])]
            raise SeriesError(
                f"{name} is missing {window - int(empty[0][0])} rows before the forecast; the last {window} rows must "
                "be whole. Fill the gap, or wait until it has passed."
            )
        lacking = start + horizon - len(rows)
        if lacking > 0:
            step = self.metadata.period or 1.0
            rows = np.concatenate([rows, np.full((lacking, rows.shape[1]), np.nan)])
            moments = np.concatenate([moments, moments[-1] + step * np.arange(1, lacking + 1)])
        return rows, moments

    def _finish(
        self, answer: Doubles, inputs: Examples, times: Doubles, level: int | None, factors: Doubles | None
    ) -> Forecast:
        offset, scale = (part[: self.features.targets] for part in self._scaler.arrays())
        values = (answer * inputs.unit[0] + inputs.level[0]).T * scale + offset
        sizes = spread(self.features, (inputs.history[0], inputs.context[0]), answer)
        unit = inputs.unit[0, :, 0] * sizes[:, 0] * scale
        chosen = self.chosen(level)
        if not chosen:
            return Forecast(times, self.targets, values, None, None, 0, unit)
        made = self.intervals
        ends = made.ends(np.arange(len(times)), made.hours(times), made.fresh() if factors is None else factors)
        lower, upper = np.moveaxis(values[:, None] + ends[:, made.levels.index(chosen)] * unit, 1, 0)
        return Forecast(times, self.targets, values, lower, upper, chosen, unit)
