"""Forecaster input features, shared by training and device.

A model sees one target at a time: its past in patches (a day each, where rows have times), relative to a level, and a
context of what is known about the hours to come. Its forecast is relative to that level, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from ..model_file.field_types import check_fields
from ..model_file.metadata import Metadata
from .calendar import calendar_features, calendar_size, day_numbers

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
SECTION = "forecast"
NORMALIZATIONS = ("none", "last", "window")
SAMPLES = 24  # values of a covariate that the context holds, at most, before and after the origin each
FAR = (
    4.0  # deviations that are 1 in the context: it shares an 8-bit scale with states within -1 and 1, and is cut there
)
MOVES = 7  # numbers beside the context that tell how far past and forecast move, see `spread`
DAYS_BEFORE = 7  # for which the context says whether they are holidays: the past week is what a forecast goes by
FLAT = 1e-2  # least deviation of a window that it is divided by, in scaled units


@dataclass(frozen=True)
class InputFeatures:
    """Input features of a forecaster. Channels come in this order: targets, known ones, others."""

    patch: int
    """Rows a patch, P; the model reads window / P of them."""
    targets: int
    """Channels that are forecast, C."""
    known: int = 0
    """Further channels whose values are also known for the hours to come (a weather forecast, holidays)."""
    calendar: bool = False
    """True if hour and weekday of the hours to come are inputs."""
    yearly: bool = False
    """True if their day of the year is, too: training rows of less than two years do not show a season."""
    zone: str = ""
    """IANA time zone of the calendar; empty takes times as they are written."""
    normalize: str = "last"
    """Level and unit of a window: `last` (its last value, 1), `window` (its mean and deviation) or `none` (0, 1)."""
    intervals: Mapping[str, Any] | None = None
    """Residuals by coverage in percent: `lower` and `upper` of shape (H, C), in the model's unit; see `Intervals`."""
    hours: Any = None
    """Usual residual at each hour of the day, which `intervals` are multiples of: mean 1, shape (24, C); None for 1."""
    spread: Any = None
    """Usual size of a forecast's errors, weights of its logarithm and their constant, shape (1 + K + 7 + 1,), which `intervals` are
    multiples of as well; None for 1."""
    holidays: Any = None
    """Days that are public holidays, since 1970 on the zone's calendar, rising; None where they are no inputs."""

    @classmethod
    def of(cls, metadata: Metadata) -> InputFeatures:
        """Read the features from a model's metadata.

        Raises:
            ModelError: If the model was not trained for this.
        """
        section = metadata.sections.get(SECTION)
        if metadata.kind != "forecaster" or not section:
            raise ModelError(
                f"Forecasting needs a model that was trained for it; received a {metadata.kind} that is not. "
                "Train one with `edgelstm train forecaster --target COLUMN --horizon ROWS`."
            )
        names = {item.name for item in fields(cls)}
        try:
            features = cls(**{name: value for name, value in section.items() if name in names})
            _check(features, metadata)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ModelError(
                f"The model's forecast section is damaged ({str(error)[:200]}). Convert it again."
            ) from error
        return features

    def record(self) -> dict[str, Any]:
        """Return them as plain JSON types."""
        return asdict(self)


def _check(features: InputFeatures, metadata: Metadata) -> None:
    """Raise ValueError where the features do not fit one another or the model."""
    check_fields(features)
    if not 0 < features.patch <= metadata.window or metadata.window % features.patch:
        raise ValueError(f"patches of {features.patch} rows in a window of {metadata.window}")
    if features.targets < 1 or features.known < 0 or features.targets + features.known > len(metadata.channels):
        raise ValueError(f"{features.targets} targets and {features.known} known channels of {len(metadata.channels)}")
    if features.normalize not in NORMALIZATIONS:
        raise ValueError(f"normalize {features.normalize!r} is none of {', '.join(NORMALIZATIONS)}")
    if features.holidays is not None and np.asarray(features.holidays, np.int64).ndim != 1:
        raise ValueError("holidays are a list of days")
    if features.hours is not None:
        scale = np.asarray(features.hours, np.float64)
        if scale.shape != (24, features.targets) or not (np.isfinite(scale) & (scale > 0)).all():
            raise ValueError(f"usual residuals by hour, shape {scale.shape}")
    if features.spread is not None:
        weights = np.asarray(features.spread, np.float64)
        wanted = (1 + context_size(features, metadata.horizon, len(metadata.channels)) + MOVES + 1,)
        if weights.shape != wanted or not np.isfinite(weights).all() or not weights[0] > 0:
            raise ValueError(f"weights of the spread, shape {weights.shape}")
    for level, ends in (features.intervals or {}).items():
        for end in (ends["lower"], ends["upper"]):
            shape = np.asarray(end, np.float64).shape
            if not 0 < int(level) < 100 or shape != (metadata.horizon, features.targets):
                raise ValueError(f"intervals of {level} percent, shape {shape}")


@dataclass(frozen=True)
class Examples:
    """Inputs of N origins and C targets, and the level and unit that the answers are relative to."""

    history: Floats
    """Shape (N, C, W / P, P)."""
    context: Floats
    """Shape (N, C, K)."""
    level: Floats
    """Scaled units, shape (N, C, 1)."""
    unit: Floats
    """Scaled units per unit of the model's answer, shape (N, C, 1)."""

    def answers(self, values: Floats) -> Floats:
        """Convert scaled values (N, C, H) to answers, relative to level and unit."""
        return np.asarray((values - self.level) / self.unit, np.float32)


def examples(
    features: InputFeatures, window: int, horizon: int, values: Floats, times: Doubles, origins: Rows
) -> Examples:
    """Compute the inputs at some origins.

    Args:
        features: The input features.
        window: Rows looked back, W, a multiple of the patch.
        horizon: Rows forecast, H.
        values: Scaled rows, shape (T, F); from an origin on only the known channels count.
        times: Seconds since 1970, shape (T,); any numbers without a calendar.
        origins: First row to forecast, shape (N,), each with W rows before it and H from it on.
    """
    before = origins[:, None] + np.arange(-window, 0)
    past = np.moveaxis(values[before][..., : features.targets], -1, 1)
    level, unit = _level(past, features.normalize)
    history = ((past - level) / unit).reshape(*past.shape[:2], -1, features.patch)
    shared = np.concatenate(_shared(features, horizon, values, times, origins), axis=1)
    context = np.concatenate(
        [
            np.clip(level / FAR, -1, 1),
            np.clip(unit / FAR, 0, 1),
            np.repeat(shared[:, None], features.targets, axis=1),
            np.broadcast_to(
                _one_hot(features.targets), (len(origins), features.targets, _one_hot(features.targets).shape[1])
            ),
        ],
        axis=-1,
    )
    return Examples(history.astype(np.float32), context.astype(np.float32), level, unit)


def _level(past: Floats, normalize: str) -> tuple[Floats, Floats]:
    """Level and unit of each window, shapes (N, C, 1)."""
    if normalize == "window":
        return past.mean(axis=-1, keepdims=True), np.maximum(past.std(axis=-1, keepdims=True), np.float32(FLAT))
    level = past[..., -1:] if normalize == "last" else np.zeros_like(past[..., -1:])
    return level, np.ones_like(level)


def _one_hot(targets: int) -> Floats:
    """One-hot code of each of C targets; no columns when there is but one."""
    return np.eye(targets, dtype=np.float32) if targets > 1 else np.zeros((1, 0), np.float32)


def _shared(features: InputFeatures, horizon: int, values: Floats, times: Doubles, origins: Rows) -> list[Floats]:
    """Parts of the context that all targets of an origin have in common, each (N, ...)."""
    count = len(origins)
    parts = [np.zeros((count, 0), np.float32)]
    if features.calendar:
        moments = times[origins[:, None] + calendar_steps(horizon, features.patch)]
        parts.append(calendar_features(moments, features.zone, features.yearly).reshape(count, -1))
    if features.holidays is not None:
        days = day_numbers(times[origins], features.zone)[:, None] + _days(features, horizon)
        parts.append(np.isin(days, np.asarray(features.holidays, np.int64)).astype(np.float32))
    others = np.clip(values[:, features.targets :] / np.float32(FAR), -1, 1)
    if others.shape[1]:
        parts.append(others[origins[:, None] - 1 - _steps(features.patch)].reshape(count, -1))
    if features.known:
        parts.append(others[:, : features.known][origins[:, None] + _steps(horizon)].reshape(count, -1))
    return parts


def calendar_steps(horizon: int, patch: int) -> Rows:
    """Steps of the horizon at which the context holds the calendar: each half patch, and the last.

    Args:
        horizon: Rows to forecast, H.
        patch: Rows a patch, P.

    >>> calendar_steps(48, 48).tolist()
    [0, 24, 47]
    """
    return np.unique(np.r_[0 : horizon : max(1, patch // 2), horizon - 1])


def _days(features: InputFeatures, horizon: int) -> Rows:
    """Days around an origin's for which the context says whether they are holidays: a patch is a day."""
    return np.arange(-DAYS_BEFORE, -(-horizon // features.patch) + 1)


def _steps(rows: int) -> Rows:
    """At most 24 of some rows, evenly spread."""
    return np.arange(0, rows, -(-rows // SAMPLES))


def context_size(features: InputFeatures, horizon: int, channels: int) -> int:
    """Numbers in a context, K.

    Args:
        features: The input features.
        horizon: Rows to forecast, H.
        channels: Channels of the model.
    """
    others = channels - features.targets
    calendar = calendar_size(features.yearly) * len(calendar_steps(horizon, features.patch)) if features.calendar else 0
    calendar += 0 if features.holidays is None else len(_days(features, horizon))
    one_hot = features.targets if features.targets > 1 else 0
    return 2 + calendar + one_hot + others * len(_steps(features.patch)) + features.known * len(_steps(horizon))
