"""The newest rows of a stream on the model's grid, and what is known of the rows to come."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model_file.metadata import Metadata
from .features import InputFeatures
from .time_grid import bridged

Doubles = npt.NDArray[np.float64]
MOST_AHEAD = 20_000  # rows to come that are kept: a year of half-hours


class RecentRows:
    """As many rows as a forecast looks back, their gaps as they are; short ones are bridged when a forecast is made.

    Args:
        metadata: The model's.
        features: Its input features.
    """

    def __init__(self, metadata: Metadata, features: InputFeatures) -> None:
        self._window, self._horizon = metadata.window, metadata.horizon
        self._step = metadata.period or 1.0
        self._targets, self._known = features.targets, features.known
        self._channels = len(metadata.channels)
        self._ahead: dict[float, list[float]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget the rows so far, but not what is known of those to come."""
        self._rows = np.full((self._window, self._channels), np.nan)
        self._time = -math.inf
        self.count = 0
        """Rows taken in a row, gaps between them included."""

    def tells_ahead(self, values: Sequence[float], time: float) -> bool:
        """Tell whether a row holds only what is known of a moment to come.

        Args:
            values: Sensor units, shape (F,).
            time: Its time.
        """
        end = self._targets + self._known
        return (
            self._known > 0
            and time > self._time
            and not any(map(math.isfinite, values[: self._targets]))
            and all(map(math.isfinite, values[self._targets : end]))
        )

    def keep_ahead(self, values: Sequence[float], time: float) -> None:
        """Keep what is known of a moment to come; newer knowledge replaces older.

        Args:
            values: Sensor units, shape (F,).
            time: Its time.
        """
        self._ahead[time] = list(values[self._targets : self._targets + self._known])
        if len(self._ahead) > MOST_AHEAD:
            del self._ahead[max(self._ahead)]

    def add(self, values: Sequence[float], time: float, missing: int = 0) -> None:
        """Take the newest row.

        Args:
            values: Sensor units, shape (F,); NaN where a channel is silent.
            time: Its time.
            missing: Rows of the grid that are missing before it.
        """
        for gap in range(missing, -1, -1):
            self._rows[:-1] = self._rows[1:]
            self._rows[-1] = np.nan if gap else values
            self._complete(time - gap * self._step)
        self._time = time
        self.count += missing + 1
        self._ahead = {moment: known for moment, known in self._ahead.items() if moment > time}

    def replace(self, values: Sequence[float]) -> None:
        """Replace the newest row by itself with more readings."""
        self._rows[-1] = values

    def _complete(self, time: float) -> None:
        """Fill in what was told beforehand of the newest row."""
        told = self._told(time)
        if told is not None:
            known = self._rows[-1, self._targets : self._targets + self._known]
            known[np.isnan(known)] = np.asarray(told)[np.isnan(known)]

    def _told(self, time: float) -> list[float] | None:
        told = self._ahead.get(time)
        if told is None and self._ahead:
            nearest = min(self._ahead, key=lambda moment: abs(moment - time))
            told = self._ahead[nearest] if abs(nearest - time) < self._step / 2 else None
        return told

    @property
    def newest(self) -> Doubles:
        """Newest row as it came, shape (F,)."""
        return np.asarray(self._rows[-1])

    def inputs(self) -> tuple[Doubles, Doubles] | str:
        """Return rows (W + H, F) and their times; or, as a status, why there is no forecast now."""
        if self.count < self._window:
            return "warmup"
        past = bridged(self._rows)
        if np.isnan(past).any():
            return "missing" if np.isnan(past[-1]).any() else "warmup"
        times: Doubles = self._time + self._step * np.arange(1.0 - self._window, self._horizon + 1.0)
        rows: Doubles = np.full((len(times), self._channels), np.nan)
        rows[: self._window] = past
        if self._known:
            told = [self._told(time) for time in times[self._window :]]
            if None in told:
                return "covariates"
            rows[self._window :, self._targets : self._targets + self._known] = told
        return rows, times

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types: `rows` as Base64 of float64, `time`, `count`, and `ahead` by time."""
        rows = b64encode(self._rows.tobytes()).decode()
        time = self._time if math.isfinite(self._time) else None
        return {"rows": rows, "time": time, "count": self.count, "ahead": list(self._ahead.items())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned.

        Raises:
            ValueError: If it holds other rows.
        """
        rows = np.frombuffer(b64decode(state["rows"]), np.float64)
        if rows.size != self._rows.size:
            raise ValueError(f"a state of {rows.size} values is none of {self._rows.size}")
        self._rows = rows.reshape(self._rows.shape).copy()
        self._time = -math.inf if state["time"] is None else float(state["time"])
        self.count = int(state["count"])
        self._ahead = {float(time): list(map(float, known)) for time, known in state["ahead"]}
