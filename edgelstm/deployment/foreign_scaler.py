"""Scaling of a model that another program trained: the user's own scaler from a file, or the one that suits the model."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.model_file.scaler import SCALERS, Scaler, fit_scaler

Array = npt.NDArray[Any]
Affine = tuple[Array, Array]
BETTER = 0.5  # of the standard scaler's error: another one must be that much better to be taken
FORMS = (
    '{"offset": […], "scale": […]}, {"mean": […], "std": […]}, {"median": […], "iqr": […]} or {"min": […], "max": […]}'
)
# (offset's name, scale's name), a trailing underscore left out, as a file may have them
PAIRS = (("offset", "scale"), ("mean", "std"), ("mean", "scale"), ("median", "iqr"), ("center", "scale"))


def read_scaler(given: Any, channels: Sequence[str]) -> Scaler:
    """Read a scaler from a .json file, or from scikit-learn's in a .joblib or .pkl file; or take one in memory.

    Args:
        given: The file, or what it would hold. Loading a .joblib or .pkl file runs what it holds: only take those of a
            trusted origin.
        channels: Names of the model's channels, in order. Numbers in the file go by name where it has these names.

    Raises:
        ConversionError: If it cannot be read, or holds no affine scaling of these channels.
    """
    if not isinstance(given, Path):
        return _scaler(type(given).__name__, given, channels)
    path = given
    try:
        record: Any = json.loads(path.read_text()) if path.suffix == ".json" else _unpickled(path)
    except FileNotFoundError as error:
        raise ConversionError(f"There is no file {path}. Check the name.") from error
    except ConversionError:
        raise
    except Exception as error:  # a pickle raises what it likes
        raise ConversionError(f"Cannot read a scaler from {path.name}: {error}.") from error
    return _scaler(path.name, record, channels)


def _scaler(name: str, record: Any, channels: Sequence[str]) -> Scaler:
    if isinstance(record, Scaler):
        return record
    if isinstance(record, Mapping):
        kind, (offset, scale) = _from_numbers(name, record, channels)
    else:
        kind, (offset, scale) = _from_sklearn(name, record, channels)
    if offset.shape != (len(channels),) or scale.shape != offset.shape:
        raise ConversionError(
            f"{name} scales {max(offset.size, scale.size)} channels; the model has {len(channels)} "
            f"({', '.join(channels)})."
        )
    if not (np.isfinite(offset).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise ConversionError(f"Scales are finite and above 0; {name} holds {scale.tolist()}.")
    return Scaler(kind, tuple(map(float, offset)), tuple(map(float, scale)))


def _unpickled(path: Path) -> Any:
    if path.suffix not in (".joblib", ".pkl", ".pickle"):
        raise ConversionError(f"--scaler-from takes a .json, .joblib or .pkl file; received {path.name}.")
    import joblib

    return joblib.load(path)


def _from_numbers(name: str, record: Mapping[str, Any], channels: Sequence[str]) -> tuple[str, Affine]:
    if set(channels) <= set(record) and all(isinstance(record[channel], Mapping) for channel in channels):
        keys = {key for channel in channels for key in record[channel]}
        record = {key: [record[channel].get(key) for channel in channels] for key in keys}
    numbers = {key.rstrip("_").removeprefix("data_"): value for key, value in record.items()}

    def column(key: str) -> Array:
        values = numbers[key]
        if isinstance(values, Mapping):
            values = [values.get(channel) for channel in channels]
        return np.atleast_1d(np.asarray(values, np.float64))

    try:
        if {"min", "max"} <= set(numbers):
            low, high = numbers.get("feature_range", (0.0, 1.0))
            scale = (column("max") - column("min")) / (float(high) - float(low))
            return "minmax", (column("min") - float(low) * scale, scale)
        for offset, scale_key in PAIRS:
            if {offset, scale_key} <= set(numbers):
                kind = "robust" if offset in ("median", "center") else "standard"
                return kind, (column(offset), column(scale_key))
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{name} holds something else than a number a channel ({error}).") from error
    raise ConversionError(f"{name} holds no scaler: it has {', '.join(map(str, record)) or 'nothing'}. Write {FORMS}.")


def _from_sklearn(name: str, fitted: Any, channels: Sequence[str]) -> tuple[str, Affine]:
    steps = [step for _, step in fitted.steps] if hasattr(fitted, "steps") else [fitted]
    steps = [step for step in steps if step not in (None, "passthrough")]
    names: list[str] = []
    offset, scale, kind = np.zeros(1), np.ones(1), "none"
    for step in steps:
        kind, (first, by) = _one_step(name, step)
        # (x - offset) / scale, then (… - first) / by
        offset, scale = offset + scale * first, scale * by
        names = names or list(map(str, getattr(step, "feature_names_in_", ())))
    if names and set(channels) <= set(names):
        order = [names.index(channel) for channel in channels]
        offset, scale = offset[order], scale[order]
    return kind, (offset, scale)


def _one_step(name: str, step: Any) -> tuple[str, Affine]:
    kind = type(step).__name__
    if kind == "MinMaxScaler" and not getattr(step, "clip", False) and hasattr(step, "scale_"):
        return "minmax", (-np.asarray(step.min_) / np.asarray(step.scale_), 1 / np.asarray(step.scale_))
    if kind == "MaxAbsScaler" and hasattr(step, "scale_"):
        return "minmax", (np.zeros_like(step.scale_), np.asarray(step.scale_))
    if kind in ("StandardScaler", "RobustScaler") and hasattr(step, "scale_"):
        center = step.mean_ if kind == "StandardScaler" and step.with_mean else getattr(step, "center_", None)
        scale = step.scale_
        known = scale if center is None else center
        if known is not None:
            zeros, ones = np.zeros_like(known, np.float64), np.ones_like(known, np.float64)
            pair = (zeros if center is None else np.asarray(center), ones if scale is None else np.asarray(scale))
            return kind.removesuffix("Scaler").lower(), pair
    raise ConversionError(
        f"{name} holds a {kind}, which is no fitted affine scaling. Give a MinMaxScaler (without clip), StandardScaler, "
        f"RobustScaler or MaxAbsScaler, a Pipeline of these, or JSON: {FORMS}."
    )


def suitable_scaler(rows: Array, error: Callable[[Scaler], float]) -> tuple[Scaler, str]:
    """Fit the scaler with which the model works best: the standard one, unless another's error is less than half.

    Args:
        rows: Rows of normal operation, sensor units, shape (T, F).
        error: The model's error with a scaler, as a share of the deviation of what it is to give.

    Returns:
        The scaler, and one sentence for the user.
    """
    scalers = {kind: fit_scaler(rows, kind) for kind in ("standard", *(kind for kind in SCALERS if kind != "standard"))}
    errors = {kind: error(scaler) for kind, scaler in scalers.items()}
    best = min(errors, key=lambda kind: errors[kind])
    if best == "standard" or not errors[best] < BETTER * errors["standard"]:
        return scalers[
            "standard"
        ], f"an error of {errors['standard']:.0%} of the rows' deviation; no other suits better"
    return scalers[best], (
        f"with it the model's error is {errors[best]:.0%} of the rows' deviation, with standard {errors['standard']:.0%}"
    )
