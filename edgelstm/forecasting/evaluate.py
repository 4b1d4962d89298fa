"""Errors and coverage of a forecaster on rows that it has not seen; the same code for Keras and TFLite."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import read_for_model
from edgelstm.keras_file import load_keras, model_parts
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.forecasting.features import SECTION, InputFeatures
from edgelstm.runtime.forecasting.spread import spread
from edgelstm.runtime.inference.interpreter import TFLiteModel

from .data import Pairs, origins, pairs, thin
from .intervals import hours_of

Array = npt.NDArray[Any]
MOST = 2_000  # origins; a longer file is strided


@dataclass(frozen=True)
class TargetQuality:
    """Forecast errors of one target, in its unit."""

    mae: float
    """Mean absolute error over all steps."""
    rmse: float
    """Root mean square error over all steps."""
    naive_mae: float
    """Mean absolute error of repeating the patch before (the day before, where a patch is a day)."""
    coverage: dict[str, float]
    """Share of values inside the interval, by what it is meant to hold, in percent."""


@dataclass(frozen=True)
class ForecastQuality:
    """Forecast errors of a model on a file."""

    model: str
    """File name."""
    scheme: str
    """keras or a quantization scheme."""
    origins: int
    """Rows that were forecast from."""
    horizon: int
    """Rows forecast from each."""
    targets: dict[str, TargetQuality]
    """By name."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def is_forecaster(path: Path | str) -> bool:
    """Tell whether a model file is for `edgelstm forecast`."""
    metadata, _ = model_parts(Path(path))
    return SECTION in metadata.sections


def evaluate(path: Path | str, data: Path | str) -> ForecastQuality:
    """Forecast from every row of a CSV file that has enough rows before and after it.

    Args:
        path: `.keras` or `.tflite`.
        data: Rows with the model's channels.

    Raises:
        ModelError: If the model cannot be used.
        SeriesError: If the data cannot be used.
    """
    path = Path(path)
    metadata, content = model_parts(path)
    features, scaler = InputFeatures.of(metadata), metadata.scaler
    series = read_for_model(metadata, data)
    rows = thin(origins(series, metadata.window, metadata.horizon), MOST)
    if not len(rows) or scaler is None:
        raise SeriesError(
            f"{Path(data).name} holds no stretch of {metadata.window} + {metadata.horizon} rows without a gap. Give more rows."
        )
    asked = pairs(series, scaler, features, metadata.window, metadata.horizon, rows)
    answers = _answers(path, content, asked)
    missed = (answers - asked.answers).reshape(len(rows), features.targets, -1)
    spreads = spread(features, asked.inputs, answers).reshape(len(rows), features.targets, 1)
    units = np.asarray(scaler.scale)[: features.targets, None] * asked.unit.reshape(len(rows), features.targets, 1)
    steps = rows[:, None] + np.arange(metadata.horizon)
    back = features.patch * (np.arange(metadata.horizon) // features.patch + 1)
    naive = np.moveaxis(series.values[steps - back] - series.values[steps], -1, 1)
    hours = hours_of(asked.clock[:: features.targets], metadata.horizon, metadata.period)
    targets = {
        name: TargetQuality(
            float(np.abs(missed[:, place] * units[:, place]).mean()),
            float(np.sqrt(((missed[:, place] * units[:, place]) ** 2).mean())),
            float(np.abs(naive[:, place]).mean()),
            coverage(-missed / spreads, features, hours, place),
        )
        for place, name in enumerate(metadata.names[: features.targets])
    }
    return ForecastQuality(path.name, metadata.scheme if content else "keras", len(rows), metadata.horizon, targets)


def coverage(
    residuals: Array, features: InputFeatures, hours: Array | None, place: int | None = None
) -> dict[str, float]:
    """Share of residuals inside each interval.

    Args:
        residuals: Measured values minus predicted ones, as multiples of the model's spread, shape (N, C, H).
        features: With the intervals.
        hours: Hour of the day of each origin's steps, shape (N, H); None where rows have no dates.
        place: Of one target; None takes all together.
    """
    chosen = slice(None) if place is None else slice(place, place + 1)
    shares = {}
    if features.hours is not None and hours is not None:
        residuals = residuals / np.moveaxis(np.asarray(features.hours)[hours], -1, 1)
    for level, ends in (features.intervals or {}).items():
        lower, upper = (np.asarray(ends[name]).T[chosen] for name in ("lower", "upper"))
        shares[level] = float(((residuals[:, chosen] >= lower) & (residuals[:, chosen] <= upper)).mean())
    return shares


def _answers(path: Path, content: bytes, asked: Pairs) -> Array:
    if not content:
        return np.asarray(load_keras(path).predict(asked.inputs, batch_size=1024, verbose=0))
    model = TFLiteModel(content)
    return np.concatenate([model(*one)[0] for one in zip(*asked.inputs, strict=True)])
