"""A Keras model in the detector's place: windows are predicted in batches, then replayed one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.engine import Predict
from edgelstm.runtime.metadata import Metadata
from edgelstm.runtime.windows import sliding_windows

Floats = npt.NDArray[np.float32]
BATCH = 512


def batched_predict(model: Any, metadata: Metadata, segments: Sequence[Floats]) -> Predict:
    """A function for `Detector` that looks outputs up which were predicted in batches beforehand.

    One window at a time takes Keras about 30 ms. A window that was not predicted beforehand is predicted then.

    Args:
        model: Keras model from (W, F) to (R, F).
        metadata: Its metadata.
        segments: Scaled segments that the detector is going to be fed.
    """
    known: dict[bytes, Floats] = {}
    for segment in segments:
        if len(segment) < metadata.window:
            continue
        windows = sliding_windows(np.asarray(segment, np.float32), metadata.window)
        for start in range(0, len(windows), BATCH):
            block = np.ascontiguousarray(windows[start : start + BATCH])
            for window, output in zip(block, np.asarray(model.predict_on_batch(block)), strict=True):
                known[window.tobytes()] = output

    def predict(window: Floats) -> Floats:
        found = known.get(np.ascontiguousarray(window).tobytes())
        return np.asarray(model.predict_on_batch(window[None]))[0] if found is None else found

    return predict
