"""The last rows of normal operation, on which a new model is tried before it takes over."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import EdgelstmError
from ..io.atomic_files import write_atomic

Doubles = npt.NDArray[np.float64]
MOST_ROWS = 1000  # of 8 channels 72 KB
NAME = "normal_rows.npy"


class NormalRows:
    """A ring of rows, kept in the folder of the models.

    Args:
        folder: That folder.
        channels: Number of channels, F.
        most: Rows that are kept.
    """

    def __init__(self, folder: Path, channels: int, most: int = MOST_ROWS) -> None:
        self.path = folder / NAME
        rows = load_normal_rows(folder)
        known = rows.tolist() if rows.shape[1] == channels + 1 else []
        self._rows: deque[Sequence[float]] = deque(known, maxlen=most)
        self._new = False

    def add(self, time: float | None, values: Sequence[float]) -> None:
        """Keep a row.

        Args:
            time: Its time, seconds; None where rows have none.
            values: Shape (F,), sensor units.
        """
        self._rows.append((np.nan if time is None else time, *values))
        self._new = True

    def save(self) -> None:
        """Write the rows, where there are new ones; a full disk is no reason to stop."""
        if not self._new:
            return
        self._new = False
        buffer = io.BytesIO()
        np.save(buffer, np.array(list(self._rows), np.float64))
        with suppress(EdgelstmError):
            write_atomic(self.path, buffer.getvalue(), 0o600)


def load_normal_rows(folder: Path) -> Doubles:
    """Read the rows, shape (T, 1 + F), the time first and NaN where there is none; shape (0, 0) when there are none."""
    try:
        rows = np.load(folder / NAME, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        rows = np.empty((0, 0))
    return rows if rows.ndim == 2 and rows.dtype == np.float64 else np.empty((0, 0))
