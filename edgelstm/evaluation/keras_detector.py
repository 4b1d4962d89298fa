"""Detectors over Keras models, those of other tools included."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.input.calendar import scaled_inputs
from edgelstm.runtime.model_file.metadata import Metadata

from .batched_predict import batched_predict

Segments = Sequence[npt.NDArray[Any]]
Rows = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def check_detector(name: str, model: Any, metadata: Metadata) -> None:
    """Refuse a Keras model whose output cannot be compared with sensor rows.

    Args:
        name: Its file, for the error.
        model: The Keras model.
        metadata: Its kind, window (W), horizon (H) and channels (F).

    Raises:
        ModelError: Unless an autoencoder returns (W, F), or a forecaster (F,) or (H, F), once for each witness.
    """
    outputs = [tuple(tensor.shape[1:]) for tensor in model.outputs]
    rows, channels = metadata.window, len(metadata.channels)
    if metadata.kind == "autoencoder":
        expected: list[tuple[int, ...]] = [(rows, channels)]
    elif metadata.kind == "forecaster":
        witnesses = metadata.scoring.witnesses if metadata.scoring else 1
        single = metadata.horizon <= 1 and witnesses == 1
        expected = [(max(1, metadata.horizon) * witnesses, channels), *([(channels,)] if single else [])]
    else:
        raise ModelError(
            f"{name} is a {metadata.kind} model and gives no anomaly score. Name its --kind (autoencoder or forecaster) "
            "if its output is to be compared with the sensors."
        )
    if len(outputs) != 1 or not any(_fits(outputs[0], shape) for shape in expected):
        raise ModelError(
            f"A detector of kind {metadata.kind} on {channels} channels returns {' or '.join(map(str, expected))}; "
            f"{name} returns {', '.join(map(str, outputs))}. Retrain it to return every channel, or give rows with just "
            "the channels that it returns."
        )


def _fits(shape: tuple[int | None, ...], expected: tuple[int, ...]) -> bool:
    return len(shape) == len(expected) and all(
        size in (None, wanted) for size, wanted in zip(shape, expected, strict=True)
    )


def keras_detector(model: Any, metadata: Metadata, rows: Rows, normal: Segments = ()) -> Detector:
    """A detector over a Keras model, which predicts the rows in batches beforehand.

    Args:
        model: The Keras model.
        metadata: Its metadata; scores and threshold are fitted where they lack.
        rows: Values (T, F), sensor units, and times (T,) that the detector is going to be fed.
        normal: Scaled segments of normal operation, for that fit, each (T_i, F).
    """
    if metadata.scoring is None:
        metadata = fit_detector(metadata, batched_predict(model, metadata, normal), normal)
    return Detector(metadata, batched_predict(model, metadata, [scaled_inputs(metadata, *rows)]))
