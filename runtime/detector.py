"""The detector: samples in, scores and events out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import sub, truediv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .alarm_stage import AlarmStage
from .alarms.abandoned import close_abandoned
from .alarms.debounce import DebounceRules
from .alarms.events import Event, Result
from .alarms.expectation import Expectation
from .error_stream import open_engine, open_stream
from .errors import ModelError, ShapeError
from .inference.engine import Engine, Predict
from .input.moments import Moments
from .input.policies import Policies, typical_sample, warmup
from .input.sensor_faults import SensorFaults
from .input.validator import Admission, Validator
from .model_file.bundle import Bundle, load_bundle
from .model_file.metadata import Metadata
from .scoring.registry import scorer_of
from .snapshot import SNAPSHOT_SCHEMA, check_snapshot, refusing_misfits

REGULAR = Admission("ok", None)


class Detector:
    """A model that scores a stream of samples and raises events.

    A sample passes the validator, the error stream (window and model), the scorer and the alarm stage.

    Args:
        metadata: The model's metadata.
        predict: Function from a scaled window (W, F) to the model's output without a batch axis, (W, F) or (H, F); or
            an `Engine`.
        debounce: Conditions under which scores become events; None for those of the model, or the defaults.
        policies: Limits of the input policies; None for the defaults.
        adapt: Largest factor, up or down, by which the threshold may follow the scores; None for a fixed threshold.

    Raises:
        ModelError: If the model's kind cannot score anomalies, or its file carries no score statistics.
    """

    def __init__(
        self,
        metadata: Metadata,
        predict: Predict | Engine,
        *,
        debounce: DebounceRules | None = None,
        policies: Policies | None = None,
        adapt: float | None = None,
    ) -> None:
        if metadata.kind not in ("autoencoder", "forecaster") or metadata.scaler is None:
            raise ModelError(f"A detector needs an autoencoder or a forecaster; received kind {metadata.kind}.")
        if metadata.scoring is None or not metadata.scoring.scale:
            raise ModelError("The model carries no score statistics. Convert it with --calibration normal.csv.")
        self.metadata = metadata
        form = "stream." if metadata.stateful else ""
        identity = self.identity = f"{metadata.source}.{form}{metadata.scheme}"
        self.validator = Validator(metadata, policies)
        self.faults = SensorFaults(metadata, identity, self.validator.recover)
        self.stream = open_stream(metadata, predict)
        self.scorer = scorer_of(metadata.scoring)
        self.alarms = AlarmStage(metadata, self.faults, debounce, adapt)
        self.index = 0
        """Number of samples taken so far."""
        self.expectation = Expectation(metadata)
        self._offset, self._scale = metadata.scaler.offset, metadata.scaler.scale
        self._moments = Moments(metadata)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        threads: int = 1,
        debounce: DebounceRules | None = None,
        policies: Policies | None = None,
        adapt: float | None = None,
    ) -> Detector:
        """Load a converted model.

        Args:
            path: The `.tflite` file.
            threads: Threads of the interpreter.
            debounce: See `Detector`.
            policies: See `Detector`.
            adapt: See `Detector`.

        Raises:
            ModelError: If the file is not a usable edgelstm model.
            InterpreterError: If no interpreter is installed or it cannot load the model.
        """
        return cls.from_bundle(load_bundle(path), threads=threads, debounce=debounce, policies=policies, adapt=adapt)

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        *,
        threads: int = 1,
        debounce: DebounceRules | None = None,
        policies: Policies | None = None,
        adapt: float | None = None,
    ) -> Detector:
        """As `load`, from the content of a file."""
        return cls(bundle.metadata, open_engine(bundle, threads), debounce=debounce, policies=policies, adapt=adapt)

    @property
    def threshold(self) -> float | None:
        """The threshold in force, None where the model carries none."""
        return self.alarms.threshold

    @property
    def engine(self) -> Engine:
        """The model with its window."""
        return self.stream.engine

    @property
    def expected(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Expectations of the newest sample, and distances in which normal values lie, sensor units, shape (F,) each."""
        return self.expectation.read(self.stream.judged_by), self.expectation.within

    def expect(self, samples: npt.ArrayLike, times: Sequence[float | None] | npt.NDArray[np.float64]) -> None:
        """Prepare for samples that are known beforehand: an integer model runs them in batches; results are the same.

        Args:
            samples: Shape (T, F), sensor units.
            times: Shape (T,), seconds.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.asarray(samples, np.float64).reshape(-1, len(self._offset))
            scaled = ((values - self._offset) / self._scale).astype(np.float32)
        self.engine.expect(self._moments.beside(scaled, times))

    def update(self, sample: npt.ArrayLike, time: float | None = None, arrival: float | None = None) -> Result:
        """Take the newest sample.

        Args:
            sample: Shape (F,), sensor units; NaN where a channel is silent.
            time: Its time, seconds; None for a plain row count, which a model with a calendar does not take.
            arrival: Arrival on a clock that never jumps (`time.monotonic`): tells a jump of the wall clock from a gap.

        Raises:
            ShapeError: If the number of channels is wrong.
            SeriesError: If the stream of a model with a calendar begins without a date.
        """
        values = self._values(sample)
        time = self._moments.dated(time, not self.index)
        index, self.index = self.index, self.index + 1
        scaled = self._scaled(values)
        admission = self.validator.admit(values, time, arrival, math.hypot(*scaled))
        if admission is not None:
            return self._irregular(index, time, admission)
        error = self.stream.push(scaled, self._moments.at(time))
        events = self._watch_input(index, time)
        if error is None:
            return self._no_score(index, time, "warmup", events)
        return self._score(index, time, error, REGULAR, events)

    def _values(self, sample: npt.ArrayLike) -> list[float]:
        if isinstance(sample, list) and len(sample) == len(self._offset) and isinstance(sample[0], float):
            return sample  # nearly always, without a detour through an array
        array = np.asarray(sample, np.float64)
        if array.shape != (len(self._offset),):
            raise ShapeError(
                f"The model expects {len(self._offset)} channels ({', '.join(self.metadata.names)}); "
                f"received shape {array.shape}. Name the columns with --columns."
            )
        values: list[float] = array.tolist()
        return values

    def _scaled(self, values: Sequence[float]) -> tuple[float, ...]:
        return tuple(map(truediv, map(sub, values, self._offset), self._scale))

    def _score(
        self, index: int, time: float | None, error: Iterable[float], admission: Admission, events: tuple[Event, ...]
    ) -> Result:
        """Turn an error into a score, and the score into events beside those about the input."""
        events += self.faults.unscored.scored(index, time) if self.faults.unscored.any else ()
        threshold = self.threshold
        score, parts, bar = self.alarms.judge(self.scorer, error, admission)
        alarms = self.alarms.update(index, time, score, bar, parts, self.stream, admission.replace)
        events = alarms[:1] + events + alarms[1:] if alarms and alarms[0].kind == "anomaly" else events + alarms
        anomaly = bar is not None and score > bar
        return Result(time, score, threshold, anomaly, parts, admission.status, events)

    def _no_score(self, index: int, time: float | None, status: str, events: tuple[Event, ...]) -> Result:
        events += self.faults.unscored.missed(index, self.validator.usable(time))
        return Result(time, None, self.threshold, False, None, status, events)

    def _watch_input(self, index: int, time: float | None) -> tuple[Event, ...]:
        """Return events about the input."""
        if self.validator.fault_possible or self.faults.open:
            return self.faults.update(index, time, self.validator.faults())
        return ()

    def _irregular(self, index: int, time: float | None, admission: Admission) -> Result:
        """Return the result of a row that an input policy applies to."""
        events: tuple[Event, ...] = ()
        if admission.restart:  # an anomaly cannot go on over samples that nobody saw
            self.warm_up_again()
            events = self.alarms.end_anomaly()
        if admission.values is None:
            events += self._watch_input(index, time) if admission.status == "missing" else ()
            return self._no_score(index, time, admission.status, events)
        if admission.replace:
            self.stream.undo()
        for before, row in zip(range(len(admission.fill), 0, -1), admission.fill, strict=True):
            self.stream.push(self._scaled(row), self._moments.at(time, before))
        events += self._watch_input(index, time)
        error = self.stream.push_filled(self._scaled(admission.values), admission.held, self._moments.at(time))
        masked, count = admission.masked, len(self._offset)
        if error is None or len(masked) == count:
            status = "warmup" if error is None else admission.status
            return self._no_score(index, time, status, events)
        counted = [0.0 if place % count in masked else value for place, value in enumerate(error)]
        return self._score(index, time, counted, admission, events)

    def probe(self) -> None:
        """Run the model on its typical sample until it gives a finite score, then start over.

        Raises:
            ModelError: If it does not.
        """
        for row in range(2 + warmup(self.metadata)):
            result = self.update(typical_sample(self.metadata), self._moments.example(row))
        self.reset()
        if result.score is None or not math.isfinite(result.score):
            raise ModelError(f"The model gives the score {result.score} for a typical sample. Convert it again.")

    def finish(self) -> tuple[Event, ...]:
        """Close all open events, as at the end of a stream."""
        return self.alarms.end_anomaly() + self.faults.finish() + self.alarms.finish()

    def reset(self) -> None:
        """Forget everything so far, as after a restart."""
        self.index = 0
        self.faults.finish()
        self.validator.clear()
        self.alarms.clear()
        assert self.metadata.scoring
        self.scorer = scorer_of(self.metadata.scoring)
        self.warm_up_again()

    def warm_up_again(self) -> None:
        """Forget the samples but not the events, as after a gap."""
        self.stream.clear()
        self.scorer.reset()

    def snapshot(self) -> dict[str, Any]:
        """Return all that `restore` needs to continue without a difference, as plain JSON types.

        Keys: `schema` of the snapshot, `model` for the model's identity, `samples` taken so far, and the states of
        `validator`, `faults`, `stream`, `scorer` and `alarms`; see the `to_state` of each.
        """
        return {
            "schema": SNAPSHOT_SCHEMA,
            "model": self.identity,
            "samples": self.index,
            "validator": self.validator.to_state(),
            "faults": self.faults.to_state(),
            "stream": self.stream.to_state(),
            "scorer": self.scorer.to_state(),
            "alarms": self.alarms.to_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot of the same model.

        Raises:
            ModelError: If it is of another model or another version, or damaged; the detector is as after `reset` then.
        """
        with refusing_misfits(self.reset):
            check_snapshot(state, self.identity)
            self.index = int(state["samples"])
            self.validator.restore(state["validator"])
            self.faults.restore(state["faults"])
            self.stream.restore(state["stream"])
            self.scorer.restore(state["scorer"])
            self.alarms.restore(state["alarms"])

    def succeed(self, state: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a stream over from the snapshot of another model, with a warm-up; return its open events, closed.

        Raises:
            ModelError: If the snapshot is of another version or damaged.
        """
        self.reset()
        with refusing_misfits():
            check_snapshot(state, state["model"])
            closed, self.index = close_abandoned(state), int(state["samples"])  # ids of events stay unique
        return closed
