"""Forecasts of a live stream: each new row makes a new forecast, and is held against those made before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..alarms.events import Event, Result
from ..alarms.local_time import is_date
from ..alarms.tracker import EventTracker
from ..errors import ModelError, SeriesError, ShapeError
from ..input.policies import Policies, typical_sample
from ..input.sensor_faults import SensorFaults
from ..input.validator import Admission, Validator
from ..model_file.metadata import Metadata
from ..snapshot import SNAPSHOT_SCHEMA, check_snapshot, refusing_misfits
from .forecaster import Forecaster
from .recent_rows import RecentRows
from .record import record
from .reliability import KIND, Reliability
from .time_grid import FILL

NO_FORECAST: dict[str, Any] = {}
EXAMPLE = 1e9  # a moment as good as any, seconds since 1970


class LiveForecaster:
    """A forecaster at work on a stream, in the place of a detector.

    A row passes the validator, as a detector's does, and joins the recent rows. Where the model has covariates, rows with
    these and empty targets tell them beforehand.

    Args:
        forecaster: The forecaster.
        policies: Limits of the input policies; None for the defaults, with gaps bridged as in training.
        level: Percent that the intervals are meant to hold; None for the lowest that the model carries.

    Raises:
        ModelError: If the model carries no such interval, or covariates come without times.
    """

    def __init__(self, forecaster: Forecaster, policies: Policies | None = None, level: int | None = None) -> None:
        self.forecaster, metadata = forecaster, forecaster.metadata
        self.level = forecaster.chosen(level)
        if forecaster.known and metadata.period is None:
            raise ModelError(
                f"{', '.join(forecaster.known)} must be told for moments to come, and this model was trained on rows without times. "
                "Train it with a time column."
            )
        policies = policies or Policies()
        if policies.bridge is None:
            policies = replace(policies, bridge=FILL)
        self.identity = f"{metadata.source}.{metadata.scheme}"
        self.validator = Validator(metadata, policies)
        self.faults = SensorFaults(metadata, self.identity, self.validator.recover)
        self.rows = RecentRows(metadata, forecaster.features)
        self.reliability = Reliability(forecaster, self.identity)
        self.index = 0
        """Number of samples taken so far."""

    @property
    def metadata(self) -> Metadata:
        """The model's metadata."""
        return self.forecaster.metadata

    @property
    def expected(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """See `Detector`: nothing, a forecast says more."""
        return (), ()

    def update(self, sample: npt.ArrayLike, time: float | None = None, arrival: float | None = None) -> Result:
        """Take the newest row; the result holds the forecast from it on.

        Args:
            sample: Shape (F,), sensor units; NaN where a channel is silent.
            time: Its time, seconds; None for a plain row count.
            arrival: Arrival on a clock that never jumps.

        Raises:
            ShapeError: If the number of channels is wrong.
            SeriesError: If the first row has no time, and the model needs one.
        """
        values = np.asarray(sample, np.float64)
        if values.shape != (len(self.metadata.channels),):
            raise ShapeError(
                f"The model expects {len(self.metadata.channels)} channels ({', '.join(self.metadata.names)}); "
                f"received shape {values.shape}. Name the columns with --columns."
            )
        row: list[float] = values.tolist()
        index, self.index = self.index, self.index + 1
        moment = self._moment(time, index)
        if moment is not None and self.rows.tells_ahead(row, moment):
            self.rows.keep_ahead(row, moment)
            return _result(time, "ahead")
        admission = self.validator.admit(row, moment, arrival) or Admission("ok", row)
        result = self._take(index, time, admission)
        unscored = self.faults.unscored
        watched = unscored.scored if result.forecast else unscored.missed
        events = watched(index, self.validator.usable(time))
        return result._replace(events=result.events + events)

    def _moment(self, time: float | None, index: int) -> float | None:
        """Return the time as the validator takes it; NaN, which is dropped, where one is needed and the row has none."""
        if time is not None or self.metadata.period is None:
            return time
        if not index:
            raise SeriesError(
                "The rows have no time, which this model needs. Give a time column, or name it with --time-column."
            )
        return math.nan

    def _take(self, index: int, time: float | None, admission: Admission) -> Result:
        if admission.restart:
            self.rows.clear()
            self.reliability.forget_forecasts()
        events = self.faults.update(index, time, self.validator.faults()) if self._input_watched else ()
        if admission.values is None:
            return _result(time, admission.status, events)
        row = np.asarray(admission.values)
        row[list(admission.held)] = np.nan
        if admission.replace:
            self.rows.replace(row.tolist())
        else:
            at = float(index) if time is None else time
            missing = len(admission.fill)
            self.rows.add(row.tolist(), at, missing)
            measured = self.rows.newest[: len(self.forecaster.targets)]
            events += self.reliability.observe(index, time, measured, missing)
        return self._forecast(time, admission.status, events)

    @property
    def _input_watched(self) -> bool:
        return self.validator.fault_possible or self.faults.open

    def _forecast(self, time: float | None, status: str, events: tuple[Event, ...]) -> Result:
        inputs = self.rows.inputs()
        if isinstance(inputs, str):
            return _result(time, inputs, events)
        rows, times = inputs
        window, targets = self.metadata.window, len(self.forecaster.targets)
        forecast = self.forecaster.forecast(rows, times, window, self.level, self.reliability.factors)
        self.reliability.made(forecast, rows[window - self.forecaster.features.patch : window, :targets])
        told = {
            "first": float(forecast.times[0]),
            "step": self.metadata.period or 1.0,
            **record(forecast, is_date(time)),
            "quality": self.reliability.record(),
        }
        return _result(time, status, events, told)

    def probe(self) -> None:
        """Forecast from the model's typical sample, then start over.

        Raises:
            ModelError: If the forecast is not finite.
        """
        window, horizon = self.metadata.window, self.metadata.horizon
        rows = np.tile(typical_sample(self.metadata), (window + horizon, 1))
        times = EXAMPLE + (self.metadata.period or 1.0) * np.arange(len(rows))
        if not np.isfinite(self.forecaster.forecast(rows, times, window).values).all():
            raise ModelError("The model's forecast for a typical sample is not finite. Convert it again.")

    def finish(self) -> tuple[Event, ...]:
        """Close all open events, as at the end of a stream."""
        return self.faults.finish() + self.reliability.finish()

    def reset(self) -> None:
        """Forget everything so far, as after a restart."""
        self.index = 0
        self.faults.finish()
        self.validator.clear()
        self.rows = RecentRows(self.metadata, self.forecaster.features)
        self.reliability.clear()

    def snapshot(self) -> dict[str, Any]:
        """Return all that `restore` needs to continue without a difference, as plain JSON types.

        Keys: `schema` of the snapshot, `model` for the model's identity, `samples` taken so far, and the states of
        `validator`, `faults`, `recent` rows and `reliability`; see the `to_state` of each.
        """
        return {
            "schema": SNAPSHOT_SCHEMA,
            "model": self.identity,
            "samples": self.index,
            "validator": self.validator.to_state(),
            "faults": self.faults.to_state(),
            "recent": self.rows.to_state(),
            "reliability": self.reliability.to_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot of the same model.

        Raises:
            ModelError: If it is of another model or another version, or damaged; all is as after `reset` then.
        """
        with refusing_misfits(self.reset):
            check_snapshot(state, self.identity)
            self.index = int(state["samples"])
            self.validator.restore(state["validator"])
            self.faults.restore(state["faults"])
            self.rows.restore(state["recent"])
            self.reliability.restore(state["reliability"])

    def succeed(self, state: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a stream over from the snapshot of another model, with a warm-up; return its open events, closed.

        Raises:
            ModelError: If the snapshot is of another version or no forecaster's, or damaged.
        """
        self.reset()
        closed: tuple[Event, ...] = ()
        with refusing_misfits():
            check_snapshot(state, state["model"])
            for kind, known in (("sensor_fault", state["faults"]), (KIND, state["reliability"]["excursions"])):
                tracker = EventTracker(kind, str(state["model"]))
                tracker.restore(known)
                closed += tracker.finish()
            self.index = int(state["samples"])  # ids of events stay unique
        return closed


def _result(
    time: float | None, status: str, events: tuple[Event, ...] = (), forecast: Mapping[str, Any] = NO_FORECAST
) -> Result:
    return Result(time, None, None, False, None, status, events, forecast)
