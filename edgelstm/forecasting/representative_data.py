"""Examples for the converter: from the training rows, or from a file of the user's."""

import numpy as np

from edgelstm.data.series import Series
from edgelstm.keras_file import Representative
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.model_file.metadata import Metadata

from .data import Pairs, origins, pairs, thin

EMBEDDED, HELD = 256, 768  # examples that ranges are chosen on, and that prove and calibrate the converted model
EXTREME = 64  # examples with the largest values, beside those
HELD_SHARE = 0.25
LEAST = 50


def representative(learn: Pairs, judge: Pairs, targets: int) -> Representative:
    """Examples for the converter, evenly spread, and those that reach furthest; the held ones with their answers.

    Ranges have to hold what is rare: without the extremes ETTh1's quantized model clipped the validation rows, and was off
    by 15 % of the output's deviation instead of 2 %. The answers are for intervals of the converted model's own residuals.

    Args:
        learn: Examples to choose quantization ranges on.
        judge: Later ones.
        targets: Targets of an origin, one after the other.
    """

    def spread(of: Pairs, count: int) -> Pairs:
        first = thin(np.arange(len(of) // targets), max(1, count // targets))
        return of.take((first[:, None] * targets + np.arange(targets)).ravel())

    chosen, held = spread(learn, EMBEDDED), spread(judge, HELD)
    furthest = learn.take(np.argsort(np.abs(learn.history).max(axis=(1, 2)))[-EXTREME:])
    inputs = tuple(np.concatenate(both) for both in zip(chosen.inputs, furthest.inputs, strict=True))
    return Representative(inputs, (held.history, held.context), (held.answers, held.clock[:, None]))


def examples_of(metadata: Metadata, series: Series, name: str) -> Representative:
    """Examples from raw rows, the newest quarter held back.

    Args:
        metadata: The forecaster's.
        series: Raw rows, its channels.
        name: Of their file, for the error.

    Raises:
        ConversionError: If it holds too few rows.
    """
    features, window, horizon = InputFeatures.of(metadata), metadata.window, metadata.horizon
    every = origins(series, window, horizon)
    cut = len(every) - int(HELD_SHARE * len(every))
    if len(every) < LEAST or metadata.scaler is None:
        raise ConversionError(
            f"{name} holds {len(every)} stretches of {window} + {horizon} rows without a gap; at least {LEAST} are "
            "needed. Give more rows with --calibration."
        )
    scaler = metadata.scaler
    learn, judge = (
        pairs(series, scaler, features, window, horizon, thin(rows, HELD)) for rows in (every[:cut], every[cut:])
    )
    return representative(learn, judge, features.targets)
