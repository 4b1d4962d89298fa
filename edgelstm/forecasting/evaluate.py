"""Errors and coverage of a forecaster on rows that it has not seen; the same code for Keras and TFLite."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import read_for_model
from edgelstm.keras_file import load_keras, model_parts
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.forecasting.features import SECTION, Recipe
from edgelstm.runtime.inference.interpreter import TFLiteModel

from .data import Pairs, origins, pairs, thin

Array = npt.NDArray[Any]
MOST = 2_000  # origins; a longer file is strided


@dataclass(frozen=True)
class TargetQuality:
    """How well one target is forecast, in its unit."""

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
    """How well a forecaster does on a file."""

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
    """Whether a model file is for `edgelstm forecast`."""
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
    recipe, scaler = Recipe.of(metadata), metadata.scaler
    series = read_for_model(metadata, data)
    rows = thin(origins(series, metadata.window, metadata.horizon), MOST)
    if not len(rows) or scaler is None:
        raise SeriesError(
            f"{Path(data).name} holds no stretch of {metadata.window} + {metadata.horizon} rows without a gap. Give more rows."
        )
    given = pairs(series, scaler, recipe, metadata.window, metadata.horizon, rows)
    missed = (_answers(path, content, given) - given.answers).reshape(len(rows), recipe.targets, -1)
    units = np.asarray(scaler.scale)[: recipe.targets, None] * given.unit.reshape(len(rows), recipe.targets, 1)
    steps = rows[:, None] + np.arange(metadata.horizon)
    back = recipe.patch * (np.arange(metadata.horizon) // recipe.patch + 1)
    naive = np.moveaxis(series.values[steps - back] - series.values[steps], -1, 1)
    found = {
        name: TargetQuality(
            float(np.abs(missed[:, place] * units[:, place]).mean()),
            float(np.sqrt(((missed[:, place] * units[:, place]) ** 2).mean())),
            float(np.abs(naive[:, place]).mean()),
            coverage(-missed, recipe, place),
        )
        for place, name in enumerate(metadata.names[: recipe.targets])
    }
    return ForecastQuality(path.name, metadata.scheme if content else "keras", len(rows), metadata.horizon, found)


def coverage(residuals: Array, recipe: Recipe, place: int | None = None) -> dict[str, float]:
    """Share of residuals inside each interval.

    Args:
        residuals: What came minus what the model said, in its unit, shape (N, C, H).
        recipe: With the intervals.
        place: Of one target; None takes all together.
    """
    chosen = slice(None) if place is None else slice(place, place + 1)
    found = {}
    for level, ends in (recipe.intervals or {}).items():
        lower, upper = (np.asarray(ends[name]).T[chosen] for name in ("lower", "upper"))
        found[level] = float(((residuals[:, chosen] >= lower) & (residuals[:, chosen] <= upper)).mean())
    return found


def _answers(path: Path, content: bytes, given: Pairs) -> Array:
    if not content:
        return np.asarray(load_keras(path).predict(given.inputs, batch_size=1024, verbose=0))
    model = TFLiteModel(content)
    return np.concatenate([model(*one)[0] for one in zip(*given.inputs, strict=True)])
