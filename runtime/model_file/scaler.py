"""Scaling of sensor values, shared by training and the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
SCALERS = ("minmax", "standard", "robust", "none")
NOISE = 1e-9  # of a constant channel's level: what it moves by rounding is not a spread


@dataclass(frozen=True)
class Scaler:
    """Affine scaling of each channel: scaled = (value - offset) / scale."""

    kind: str
    """Rule by which it was fitted: minmax, standard, robust or none."""
    offset: tuple[float, ...]
    """Offset of each channel, sensor units."""
    scale: tuple[float, ...]
    """Sensor units per scaled unit of each channel, never 0."""

    def transform(self, values: npt.ArrayLike) -> Floats:
        """Convert sensor units, shape (..., F), to scaled values of the same shape.

        The subtraction is done in double precision: float32 would lose a large offset's small changes.
        """
        offset, scale = self.arrays()
        return ((np.asarray(values, dtype=np.float64) - offset) / scale).astype(np.float32)

    def inverse(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert scaled values, shape (..., F), back to sensor units."""
        offset, scale = self.arrays()
        return np.asarray(values, dtype=np.float64) * scale + offset

    def arrays(self) -> tuple[Doubles, Doubles]:
        """Return offset and scale, each of shape (F,)."""
        return np.asarray(self.offset, dtype=np.float64), np.asarray(self.scale, dtype=np.float64)


def fit_scaler(values: npt.ArrayLike, kind: str = "standard") -> Scaler:
    """Fit a scaler on rows of normal operation; NaN are left out, a constant channel gets scale 1.

    Args:
        values: Samples, shape (T, F), sensor units.
        kind: `minmax` (to 0..1), `standard` (mean 0, deviation 1), `robust` (median 0, interquartile
            range 1.349, so that a normal distribution gets deviation 1) or `none`.

    Raises:
        ConfigError: If the kind is unknown.

    >>> fit_scaler([[0.0, 5.0], [10.0, 5.0]], "minmax").transform([[5.0, 6.0]])
    array([[0.5, 1. ]], dtype=float32)
    """
    data = np.asarray(values, dtype=np.float64)
    if kind == "minmax":
        offset, scale = np.nanmin(data, axis=0), np.nanmax(data, axis=0) - np.nanmin(data, axis=0)
    elif kind == "standard":
        offset, scale = np.nanmean(data, axis=0), np.nanstd(data, axis=0)
    elif kind == "robust":
        low, offset, high = np.nanpercentile(data, [25, 50, 75], axis=0)
        spread = (high - low) / 1.349
        scale = np.where(spread > 0, spread, np.nanstd(data, axis=0))
    elif kind == "none":
        offset, scale = np.zeros(data.shape[1]), np.ones(data.shape[1])
    else:
        raise ConfigError(f"A scaler is one of {', '.join(SCALERS)}; received {kind!r}.")
    scale = np.where(scale > NOISE * np.maximum(1e-3, np.abs(offset)), scale, 1.0)
    return Scaler(kind, tuple(map(float, offset)), tuple(map(float, scale)))


def width_of(low: float, high: float) -> float:
    """Width of a training range, sensor units; of a constant channel its level, 1 at least.

    Args:
        low: Lowest value of training.
        high: Highest one.

    >>> width_of(20.0, 70.0), width_of(30.0, 30.0 + 1e-13)  # rounding noise of a constant is no range
    (50.0, 30.0000000000001)
    """
    level = max(abs(low), abs(high))
    return high - low if high - low > NOISE * max(1e-3, level) else max(level, 1.0)
