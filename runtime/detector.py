"""The detector: samples in, scores and events out."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from operator import sub, truediv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .alarms.debounce import Decider, Decision
from .alarms.events import Event, Result
from .drift.monitor import LongTerm
from .errors import ModelError, ShapeError
from .inference.engine import Engine, PlainEngine, Predict, TFLiteEngine
from .inference.interpreter import TFLiteModel
from .input.policies import Policies, warmup
from .input.sensor_faults import Faults
from .input.validator import Admission, Guard
from .model_file.bundle import Bundle, load_bundle
from .model_file.metadata import Metadata
from .scoring.ewma import scorer_of
from .scoring.scorers import mean_error

SNAPSHOT_SCHEMA = 3


class Detector:
    """Scores a stream of samples against a model, and raises events.

    Args:
        metadata: What the model file says of itself.
        predict: Scaled window (W, F) to the model's output without batch axis, (W, F) or (H, F); or an `Engine`.
        decision: When scores become events; None for what the model file says, or the defaults.
        policies: What to do with troubled input; None for the defaults.
        adapt: How many times up or down the threshold may follow the scores; None leaves it alone.

    Raises:
        ModelError: If the model's kind cannot score anomalies, or its file carries no score statistics.
    """

    def __init__(
        self,
        metadata: Metadata,
        predict: Predict | Engine,
        decision: Decision | None = None,
        policies: Policies | None = None,
        adapt: float | None = None,
    ) -> None:
        if metadata.kind not in ("autoencoder", "forecaster") or metadata.scaler is None:
            raise ModelError(f"A detector needs an autoencoder or a forecaster; received kind {metadata.kind}.")
        if metadata.scoring is None or not metadata.scoring.scale:
            raise ModelError("The model carries no score statistics. Convert it with --calibration normal.csv.")
        self.metadata = metadata
        channels = len(metadata.channels)
        self.engine: Engine = PlainEngine(predict, metadata.window, channels) if callable(predict) else predict
        self.scorer = scorer_of(metadata.scoring)
        decision = decision or Decision.of(metadata.sections.get("decision", {}))
        form = "stream." if metadata.stateful else ""
        identity = self.identity = f"{metadata.source}.{form}{metadata.scheme}"
        self.decider = Decider(metadata.names, identity, decision)
        self.guard = Guard(metadata, policies)
        self.faults = Faults(metadata.names, identity, self.guard.recover)
        self.threshold = metadata.threshold.value if metadata.threshold else None
        self.longterm = LongTerm.of(metadata, identity, adapt)
        self.index = 0
        self._forecaster = metadata.kind == "forecaster"
        self._rows = metadata.scoring.rows
        self._warmup = warmup(metadata) if metadata.stateful else 0
        self._forecast: Sequence[float] | None = None
        self._output: Sequence[float] = ()
        self._packed = b""
        self._shape = (channels,)
        self._offset, self._scale = metadata.scaler.offset, metadata.scaler.scale
        single = struct.Struct(f"={channels}f")  # to float32 and back, as Scaler.transform rounds
        self._pack, self._unpack = single.pack, single.unpack

    @classmethod
    def load(cls, path: Path | str, threads: int = 1, **options: Any) -> Detector:
        """Load a converted model; options are `decision`, `policies` and `adapt`.

        Raises:
            ModelError: If the file is not a usable edgelstm model.
            InterpreterError: If no interpreter is installed or it cannot load the model.
        """
        return cls.from_bundle(load_bundle(path), threads, **options)

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        threads: int = 1,
        decision: Decision | None = None,
        policies: Policies | None = None,
        adapt: float | None = None,
    ) -> Detector:
        """As `load`, from a file's content."""
        if "forecast" in bundle.metadata.sections:
            raise ModelError(
                f"{bundle.origin} forecasts and gives no anomaly scores: use `edgelstm forecast`. "
                "For scores train with --kind forecaster alone, or --kind autoencoder."
            )
        model = TFLiteModel(bundle.flatbuffer, threads, target=bundle.metadata.target)
        channels = len(bundle.metadata.channels)
        expected = (1, bundle.metadata.window, channels)
        if len(model.inputs) != 1 or model.inputs[0].shape != expected or model.outputs[0].shape[-1] != channels:
            raise ModelError(
                f"{bundle.origin} says it takes windows {expected}; its network takes "
                f"{[tensor.shape for tensor in model.inputs]} and gives {model.outputs[0].shape}. Convert it again."
            )
        averaged = bundle.metadata.scoring is not None and bundle.metadata.scoring.rows > 1
        engine = TFLiteEngine(model, bundle.metadata.stateful, apart=averaged)
        return cls(bundle.metadata, engine, decision, policies, adapt)

    def update(self, sample: npt.ArrayLike, time: float | None = None, arrival: float | None = None) -> Result:
        """Take the newest sample.

        Args:
            sample: Shape (F,), sensor units; NaN where a channel is silent.
            time: Its time, seconds; None for a plain row count.
            arrival: When it came on a clock that never jumps (`time.monotonic`), for live sources: it tells a jump of
                the wall clock from a gap.

        Raises:
            ShapeError: If the number of channels is wrong.
        """
        values = self._values(sample)
        index, self.index = self.index, self.index + 1
        scaled = self._scaled(values)
        admission = self.guard.admit(values, time, arrival, math.hypot(*scaled))
        if admission is not None:
            return self._troubled(index, time, admission)
        error = self._error(scaled)
        if error is None:
            return Result(time, None, self.threshold, False, None, "warmup", self._watch(index, time))
        return self._decide(index, time, error, "ok")

    def _values(self, sample: npt.ArrayLike) -> list[float]:
        if isinstance(sample, list) and len(sample) == len(self._offset) and isinstance(sample[0], float):
            return sample  # the usual case, without a detour through an array
        array = np.asarray(sample, np.float64)
        if array.shape != self._shape:
            raise ShapeError(
                f"The model expects {len(self._offset)} channels ({', '.join(self.metadata.names)}); "
                f"received shape {array.shape}. Name the columns with --columns."
            )
        values: list[float] = array.tolist()
        return values

    def _decide(
        self, index: int, time: float | None, error: Iterable[float], status: str, masked: tuple[int, ...] = ()
    ) -> Result:
        score, parts = self.scorer.update(error, masked)
        threshold = self.threshold
        if threshold is None:
            return Result(time, score, None, False, parts, status, self._watch(index, time))
        event = self.decider.update(index, time, score, threshold, parts)
        events = self._watch(index, time) if self.guard.uneasy or self.faults.open else ()
        longterm = self.longterm
        if longterm is not None and longterm.take(self._packed, score):
            events += self._look(longterm, index, time, parts)
        if event:
            events = (event, *events)
        # as Result(...), in half the time
        return tuple.__new__(Result, (time, score, threshold, score > threshold, parts, status, events))

    def _look(self, longterm: LongTerm, index: int, time: float | None, parts: tuple[float, ...]) -> tuple[Event, ...]:
        """Events about drift, and the threshold for the samples to come."""
        events = longterm.look(index, time, parts, self.faults.channels, self.decider.active)
        if longterm.adaptation is not None:
            self.threshold = longterm.adaptation.threshold
        return events

    def _watch(self, index: int, time: float | None) -> tuple[Event, ...]:
        """Events about the input."""
        if self.guard.uneasy or self.faults.open:
            return self.faults.update(index, time, self.guard.faults())
        return ()

    def _troubled(self, index: int, time: float | None, admission: Admission) -> Result:
        """A row that the policies had to deal with."""
        events = self._restart() if admission.restart else ()
        if admission.values is None:
            found = self._watch(index, time) if admission.status == "missing" else ()
            return Result(time, None, self.threshold, False, None, admission.status, events + found)
        for row in admission.fill:
            self.error(row)
        events += self._watch(index, time)
        error = self._held_error(admission.values, admission.held)
        masked = admission.masked
        if error is None or len(masked) == len(self._offset):
            status = "warmup" if error is None else admission.status
            return Result(time, None, self.threshold, False, None, status, events)
        kept = [0.0 if channel in masked else value for channel, value in enumerate(error)]
        if self.faults.blind:
            score, parts = self.scorer.update(kept, masked)
            anomaly = self.threshold is not None and score > self.threshold
            event = self.decider.finish()
            events += (event,) if event else ()
            return Result(time, score, self.threshold, anomaly, parts, admission.status, events)
        result = self._decide(index, time, kept, admission.status, masked)
        return result._replace(events=events + result.events)

    def _held_error(self, values: list[float], held: tuple[int, ...]) -> list[float] | None:
        """As `error`, for a row in which the model's own expectation stands for the held channels."""
        expected = self._forecast if self._forecaster else self._output
        if held and expected:
            values = self._expect(values, held, expected)
        error = self.error(values)
        if held and error is not None and not self._forecaster:
            self.engine.undo()  # what the model makes of the held value comes nearer to the truth: once more with that
            error = self.error(self._expect(values, held, self._output))
        return None if error is None else list(error)

    def _expect(self, values: list[float], held: tuple[int, ...], scaled: Sequence[float]) -> list[float]:
        return [scaled[i] * self._scale[i] + self._offset[i] if i in held else value for i, value in enumerate(values)]

    def _scaled(self, values: list[float]) -> tuple[float, ...]:
        return tuple(map(truediv, map(sub, values, self._offset), self._scale))

    def _restart(self) -> tuple[Event, ...]:
        """Warm up again; an anomaly cannot go on over what was not seen."""
        self.rewarm()
        event = self.decider.finish()
        return (event,) if event else ()

    def error(self, values: list[float]) -> Iterable[float] | None:
        """Error a channel of the newest sample, signed (absolute when averaged over rows), None while warming up."""
        return self._error(self._scaled(values))

    def _error(self, scaled: tuple[float, ...]) -> Iterable[float] | None:
        engine = self.engine
        self._packed = packed = self._pack(*scaled)
        scaled = self._unpack(packed)
        engine.push(scaled, packed)
        if self._forecaster:
            forecast = self._forecast if engine.buffer.count > self._warmup else None
            self._forecast = engine.run(0) if engine.buffer.full else None
            return None if forecast is None else map(sub, scaled, forecast)
        if not engine.buffer.full:
            return None
        if self._rows > 1:
            output = engine.run_rows(self._rows)
            self._output = output[-1].tolist()
            errors: list[float] = mean_error(engine.buffer.window(), output, self._rows).tolist()
            return errors
        self._output = engine.run(-1)
        return map(sub, scaled, self._output)

    def probe(self) -> None:
        """Run the model on its typical sample until it gives a finite score, then start over.

        Raises:
            ModelError: If it does not.
        """
        typical = [(c.train_low + c.train_high) / 2 if c.train_low is not None and c.train_high is not None else o
                   for c, o in zip(self.metadata.channels, self._offset, strict=True)]  # fmt: skip
        result = self.update(typical)
        for _ in range(self.metadata.window + self._warmup):
            result = self.update(typical)
        self.reset()
        if result.score is None or not math.isfinite(result.score):
            raise ModelError(f"The model gives the score {result.score} for a typical sample. Convert it again.")

    def finish(self) -> tuple[Event, ...]:
        """Close what is still open, as at the end of a stream."""
        event = self.decider.finish()
        drifts = self.longterm.finish() if self.longterm else ()
        return ((event,) if event else ()) + self.faults.finish() + drifts

    def reset(self) -> None:
        """Forget everything that came so far, as after a restart."""
        self.index = 0
        self.finish()
        self.guard.clear()
        if self.longterm is not None:
            self.longterm.clear()
        assert self.metadata.scoring
        self.scorer = scorer_of(self.metadata.scoring)
        self.rewarm()

    def rewarm(self) -> None:
        """Forget the samples but not the alarms: what follows warms up again, as after a gap."""
        self.engine.clear()
        self.scorer.reset()
        self._forecast, self._output = None, ()

    def snapshot(self) -> dict[str, Any]:
        """All that `restore` needs to go on as if never stopped, as plain JSON types."""
        return {
            "schema": SNAPSHOT_SCHEMA,
            "model": self.identity,
            "index": self.index,
            "engine": self.engine.state(),
            "guard": self.guard.state(),
            "faults": self.faults.open,
            "decider": self.decider.state(),
            "smoothed": self.scorer.state(),
            "longterm": self.longterm.state() if self.longterm else None,
            "forecast": self._forecast and list(self._forecast),
            "output": list(self._output),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot of the same model.

        Raises:
            ModelError: If it is of another model, or damaged; the detector is as after `reset` then.
        """
        try:
            if (state["schema"], state["model"]) != (SNAPSHOT_SCHEMA, self.identity):
                raise ValueError("it is of another model")
            self.engine.restore(state["engine"])
            self.guard.restore(state["guard"])
            self.decider.restore(state["decider"])
            self.faults.open = {key: dict(fault) for key, fault in state["faults"].items()}
            self.index = int(state["index"])
            self.scorer.restore(state["smoothed"])
            self._forecast, self._output = state["forecast"], tuple(state["output"])
            if self.longterm is not None and state["longterm"]:
                self.longterm.restore(state["longterm"])
                if self.longterm.adaptation is not None:
                    self.threshold = self.longterm.adaptation.threshold
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.reset()
            raise ModelError(f"The snapshot does not fit ({error}). Start afresh: remove it.") from error
