"""Conversion of one's own Keras models, from memory or from a file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgelstm.runtime.errors import ConversionError

from .columns import library_of
from .frames import Wanted, read_frame

if TYPE_CHECKING:
    from ..deployment.convert import Converted


def convert(
    model: Any,
    calibration: Any = None,
    scheme: str = "int8",
    *,
    custom_objects: Mapping[str, Any] | None = None,
    scaler: Any = None,
    kind: str | None = None,
    lookback: int | None = None,
    time_column: str | None = None,
    **options: Any,
) -> Converted:
    """Convert a Keras model to TFLite, validated as `edgelstm convert` does it.

    Args:
        model: A Keras model in memory, or the path of a `.keras` or `.h5` file.
        calibration: Rows of normal operation: pandas or polars table, array (T, F), CSV file; or windows just as the model
            takes them: array (N, W, F), `.npy` or `.npz` file. None for a file of `edgelstm train`, which carries its own.
        scheme: float32, float16, dynamic, int8 or int16x8.
        custom_objects: Classes and functions of your own in the model, by name. It is converted in this process then.
        scaler: The one that the model was trained with, from scikit-learn (or its file); or the kind to fit on the rows:
            standard, minmax, robust, none. None compares all of them.
        kind: autoencoder, forecaster or generic; None infers it from the shapes.
        lookback: Rows, for a model with an open time axis.
        time_column: Column of a table with the times; None looks for one.
        options: `streaming`, `target`, `threshold_rule`, `io`, `allow_drop` and `tell`, as of
            `edgelstm.deployment.convert.convert_file`.

    Raises:
        ModelError: If it is no Keras model.
        ConversionError: If it has no right TFLite form, the error is above the limits, or the rows do not fit.

    >>> small = convert(model, calibration=frame)  # doctest: +SKIP
    >>> small.validation.error, small.save("theirs.int8.tflite")  # doctest: +SKIP
    """
    from ..deployment.convert import convert_file
    from ..runtime.model_file.scaler import SCALERS

    scaling = {"scaler" if isinstance(scaler, str) and scaler in SCALERS else "scaler_from": scaler}
    options |= {**scaling, "kind": kind, "lookback": lookback, "custom_objects": custom_objects}
    rows = _rows(calibration, time_column)
    if isinstance(model, str | Path):
        return convert_file(model, (scheme,), calibration=rows, **options)[scheme]
    if rows is None and not hasattr(model, "trained_"):
        raise ConversionError(
            "A Keras model carries no rows of normal operation, which ranges and alarm threshold come from; received no "
            "calibration. Give them: convert(model, frame)."
        )
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
        file = Path(folder) / "model.keras"
        model.save(file)
        return convert_file(file, (scheme,), calibration=rows, **options)[scheme]


def _rows(calibration: Any, time_column: str | None) -> Any:
    """Rows as a series, windows and files as they are."""
    if calibration is None or isinstance(calibration, str | Path):
        return calibration
    if library_of(calibration) == "numpy" and np.ndim(calibration) > 2:
        return np.asarray(calibration)
    return read_frame(calibration, Wanted(time_column=time_column))
