"""Prediction intervals from the residuals of rows that the weights never saw (split conformal prediction)."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.keras_file import Representative
from edgelstm.runtime.forecasting.features import SECTION, Recipe
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.metadata import Metadata

LEVELS = (80, 95)  # percent


def fit_intervals(answers: npt.NDArray[Any], predicted: npt.NDArray[Any], targets: int) -> dict[str, Any]:
    """Lower and upper residual of each step and target, with conformal prediction's correction for few examples.

    Args:
        answers: What came, in the model's unit, shape (N * C, H).
        predicted: What the model said, same shape.
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


def refit_intervals(metadata: Metadata, model: TFLiteModel, representative: Representative | None) -> Metadata:
    """Metadata with the intervals of a converted model's own residuals; as they were where no answers ride along."""
    if representative is None or not representative.answers:
        return metadata
    recipe = Recipe.of(metadata)
    predicted = np.concatenate([model(*given)[0] for given in zip(*representative.held, strict=True)])
    fitted = fit_intervals(representative.answers[0], predicted, recipe.targets)
    return metadata.with_(sections={**metadata.sections, SECTION: replace(recipe, intervals=fitted).record()})
