"""Windows that overlap: what holds for single rows is computed once a row, not once a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def on_rows(function: Callable[[Array], Array], windows: Array) -> Array:
    """Apply a function of single values to windows; those that overlap share their rows.

    Args:
        function: Of single values.
        windows: Shape (N, W, F).
    """
    if not overlapping(windows):
        return function(windows)
    made = function(rows_of(windows))
    return np.lib.stride_tricks.sliding_window_view(made, windows.shape[1], axis=0).transpose(0, 2, 1)


def overlapping(windows: Array) -> bool:
    """Return whether windows (N, W, F) lie one row apart in one array of rows."""
    return windows.ndim == 3 and len(windows) > 1 and windows.strides[0] == windows.strides[1] > 0


def rows_of(windows: Array) -> Array:
    """Return the rows of overlapping windows, shape (N + W - 1, F)."""
    count, length, channels = windows.shape
    shape, strides = (count + length - 1, channels), windows.strides[1:]
    return np.lib.stride_tricks.as_strided(windows, shape, strides, writeable=False)
