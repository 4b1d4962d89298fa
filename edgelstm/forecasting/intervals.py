"""Prediction intervals from the residuals of rows that the weights never saw (split conformal prediction)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.keras_file import Representative
from edgelstm.runtime.forecasting.features import SECTION, InputFeatures
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.metadata import Metadata

LEVELS = (80, 95)  # percent
Predict = Callable[[tuple[npt.NDArray[Any], ...]], npt.NDArray[Any]]
"""A model's forecasts for examples, (N, ...) an input."""


def fit_intervals(answers: npt.NDArray[Any], predicted: npt.NDArray[Any], targets: int) -> dict[str, Any]:
    """Lower and upper residual of each step and target, with conformal prediction's correction for few examples.

    Args:
        answers: Measured values, in the model's unit, shape (N * C, H).
        predicted: Predicted values, same shape.
        targets: C.

    Returns:
        By coverage in percent: `lower` and `upper`, lists of shape (H, C).
    """
    residuals = np.asarray(answers, np.float64) - predicted
    by_target = residuals.reshape(-1, targets, residuals.shape[1])
    return {str(level): _ends(by_target, level / 100) for level in LEVELS}


def _ends(residuals: npt.NDArray[Any], coverage: float) -> dict[str, Any]:
    """Order statistics k of n such that a new residual lies outside with (1 - coverage) / 2 on each side."""
    count = len(residuals)
    rank = min(count, int(np.ceil((count + 1) * (1 + coverage) / 2)))
    ordered = np.sort(residuals, axis=0)
    upper, lower = ordered[rank - 1], ordered[count - rank]
    return {"lower": np.round(lower.T, 5).tolist(), "upper": np.round(upper.T, 5).tolist()}


def refit_intervals(metadata: Metadata, predict: Predict, representative: Representative | None) -> Metadata:
    """Fit the intervals to another model's own residuals; they stay as they are where no answers are stored.

    Args:
        metadata: The Keras model's.
        predict: The other model, a converted or a smaller one.
        representative: Held-back examples with their answers.
    """
    if representative is None or not representative.answers:
        return metadata
    features = InputFeatures.of(metadata)
    fitted = fit_intervals(representative.answers[0], predict(representative.held), features.targets)
    return metadata.with_(sections={**metadata.sections, SECTION: replace(features, intervals=fitted).record()})


def predict_with(model: TFLiteModel) -> Predict:
    """A converted model as `refit_intervals` takes it."""
    return lambda inputs: np.concatenate([model(*example)[0] for example in zip(*inputs, strict=True)])
