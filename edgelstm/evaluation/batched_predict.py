"""A Keras model in the detector's place: windows are predicted in batches, then looked up one by one."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.inference.engine import Predict
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.split import usable

Floats = npt.NDArray[np.float32]
BATCH = 512


def batched_predict(model: Any, metadata: Metadata, segments: Sequence[Floats]) -> Predict:
    """A function for `Detector` that predicts a batch when its first window is asked for.

    One window at a time takes Keras about 30 ms. A window that is in no segment is predicted alone. Two batches are kept,
    so that memory does not grow with the rows.

    Args:
        model: Keras model from (W, F) to (R, F), or to (F,) for one row.
        metadata: Its metadata.
        segments: Scaled segments that the detector is going to be fed, in this order.
    """
    length = metadata.window
    parts = [np.asarray(part, np.float32) for part in usable(segments, length)]
    views = [sliding_windows(part, length) for part in parts]
    ends = np.cumsum([len(view) for view in views])
    expected = 0  # the window that most likely is asked for next, counted over all segments

    def rows_of(windows: Floats) -> Floats:
        """Outputs (N, R, F); a plain dense layer gives one row without a row axis."""
        outputs = np.asarray(model.predict_on_batch(windows))
        return outputs[:, None] if outputs.ndim == 2 else outputs

    def window_at(number: int) -> Floats:
        part = int(np.searchsorted(ends, number, side="right"))
        window: Floats = views[part][number - (ends[part - 1] if part else 0)]
        return window

    def find(window: Floats) -> int | None:
        """Number of the next equal window, or of any; found by its newest row."""
        starts = [0, *ends[:-1]]
        hits = [
            np.flatnonzero((part[length - 1 :] == window[-1]).all(axis=1)) + start
            for part, start in zip(parts, starts, strict=True)
        ]
        numbers = np.concatenate(hits) if hits else np.zeros(0, int)
        later, earlier = numbers[numbers >= expected], numbers[numbers < expected]
        return next((int(at) for at in (*later, *earlier) if np.array_equal(window_at(int(at)), window)), None)

    @lru_cache(maxsize=2)
    def batch(number: int) -> Floats:
        numbers = range(number * BATCH, min((number + 1) * BATCH, int(ends[-1])))
        return rows_of(np.stack([window_at(at) for at in numbers]))

    def predict(window: Floats) -> Floats:
        nonlocal expected
        scaled = np.asarray(window, np.float32)
        is_next = len(ends) and expected < ends[-1] and np.array_equal(window_at(expected), scaled)
        at = expected if is_next else find(scaled)
        if at is None:
            alone: Floats = rows_of(scaled[None])[0]
            return alone
        expected = at + 1
        output: Floats = batch(at // BATCH)[at % BATCH]
        return output

    return predict
