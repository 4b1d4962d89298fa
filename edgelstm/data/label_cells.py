"""Cells of a label column as booleans."""

import numpy as np
import numpy.typing as npt

NORMAL_LABELS = {"", "false", "normal", "none", "nan", "no", "ok"}  # and zero


def read_labels(labels: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Label cells as booleans: zero, false, normal, none and empty are normal, all else is anomalous.

    >>> read_labels(np.array(["0.000", "1", "leak", "nan", "False"])).tolist()
    [False, True, True, False, False]
    """
    cells = [cell.strip().casefold() for cell in labels.tolist()]
    normal = {cell for cell in set(cells) if cell in NORMAL_LABELS or _is_zero(cell)}
    return np.asarray([cell not in normal for cell in cells], bool)


def _is_zero(cell: str) -> bool:
    try:
        return float(cell) == 0
    except ValueError:
        return False
