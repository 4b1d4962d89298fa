"""Series of a forecaster's training as one: where each is cut, and each on its own scale where they are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgelstm.data.series import Series, one_after_another
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.model_file.scaler import fit_scaler

from .data import Rows

VALIDATION = 0.15  # newest share of the rows: chooses the epoch, the normalization and the intervals


def parted(series: Series, validation_start: int | None = None) -> tuple[Series, Rows]:
    """A series, and for each of its rows the first one that the weights do not see, shape (T,).

    Args:
        series: The rows.
        validation_start: That row; None holds the newest 15 % back.
    """
    rows = len(series.values)
    return series, np.full(rows, int((1 - VALIDATION) * rows) if validation_start is None else validation_start)


def joined(series: Sequence[Series], scaler: str) -> tuple[Series, Rows]:
    """Several series as one, each scaled by the rows of it that the weights see; and the cuts, as `parted`.

    Meters of one street differ in size by far more than in their ways.

    Args:
        series: Of the same channels and period.
        scaler: As for `fit_scaler`.

    Raises:
        TrainingError: If they are not.
    """
    if not series or len({(one.channels, one.period) for one in series}) > 1:
        raise TrainingError("Several series need the same channels, and rows of one period. Bring them to one form.")
    parts, cuts, offset = [], [], 0
    for one in series:
        part, cut = parted(one)
        scale = fit_scaler(part.values[: cut[0]], scaler)
        parts.append(replace(part, values=np.asarray(scale.transform(part.values), np.float64), units={}))
        cuts.append(cut + offset)
        offset += len(cut)
    return one_after_another(parts), np.concatenate(cuts)
