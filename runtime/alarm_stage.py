"""Last stage of the detector: scores to events, and the threshold in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .alarms.debounce import Debounce, DebounceRules
from .alarms.events import TAUGHT, Event
from .alarms.evidence import Evidence
from .drift.monitor import DriftMonitor
from .error_stream import ErrorStream
from .input.beyond import Beyond, lifted
from .input.sensor_faults import CalmCheck, SensorFaults
from .input.validator import Admission
from .model_file.metadata import Metadata
from .scoring.scorer import Scorer

if TYPE_CHECKING:
    from .alarms.shape import AlarmShape


class AlarmStage:
    """Anomalies, drift and the threshold of one stream.

    Args:
        metadata: The model's metadata.
        faults: Sensor faults of the stream.
        debounce: Conditions under which scores become events; None for those of the model, or the defaults.
        adapt: Largest factor, up or down, by which the threshold may follow the scores; None for a fixed threshold.
    """

    def __init__(
        self, metadata: Metadata, faults: SensorFaults, debounce: DebounceRules | None, adapt: float | None
    ) -> None:
        rules = debounce or DebounceRules.of(metadata.sections.get("decision", {}))
        self._judged = metadata.threshold is not None and metadata.threshold.judged
        self.threshold = metadata.threshold.value if metadata.threshold else None
        """The threshold in force, None where the model carries none."""
        harmless: tuple[AlarmShape, ...] = ()
        if TAUGHT in metadata.sections:
            from .alarms.shape import harmless_of

            harmless = harmless_of(metadata.sections, len(metadata.channels))
        self.debounce = Debounce(metadata.names, faults.identity, rules, harmless)
        self.drift = DriftMonitor.of(metadata, faults.identity, adapt)
        self.beyond: Beyond | None = Beyond(metadata)
        """Distance from training that is an alarm by itself; None where all rows are known to be normal operation."""
        self._evidence = Evidence(metadata)
        self._faults = faults
        self._calm_check = CalmCheck(faults.recover)

    def judge(
        self, scorer: Scorer, error: Iterable[float], admission: Admission
    ) -> tuple[float, tuple[float, ...], float | None]:
        """Return the score of the newest sample, each channel's part in it (F,), and what the score has to exceed.

        Args:
            scorer: The score at work.
            error: Error of the sample, shape (K * F,), scaled units.
            admission: Its treatment: values of a regular sample, which lies near training, are not looked at.

        Returns:
            None in place of the last where the model carries no threshold.
        """
        score, parts = scorer.update(error, admission.masked)
        if self.threshold is None:
            return score, parts, None
        if admission.values and self.beyond:
            distances = self.beyond.distances(admission.values, admission.masked)
            if distances:
                return *lifted((score, parts), distances, self.threshold), self.threshold
        return score, parts, scorer.bar(score, self.threshold) if self._judged else self.threshold

    def update(
        self,
        index: int,
        time: float | None,
        score: float,
        bar: float | None,
        parts: Sequence[float],
        stream: ErrorStream,
        merged: bool,
    ) -> tuple[Event, ...]:
        """Take the newest score.

        Args:
            index: Number of the sample in the stream, from 0.
            time: Its time; None counts rows.
            score: Its score.
            bar: What the score has to exceed, the threshold in force or more; None without a threshold.
            parts: Each channel's part of the score, shape (F,).
            stream: The model, which has just taken the sample.
            merged: Whether the sample completes the one before.

        Returns:
            The events that the sample opened or closed, the anomaly first.
        """
        if bar is None:
            return ()
        self._evidence.push(stream.packed, stream.judged_by)
        events: tuple[Event, ...] = ()
        held_back = self._calm_check.hold_back(self._faults.missing, score <= bar, stream.plausible)
        if held_back and not self.debounce.active:
            self.debounce.finish()  # drops what may have begun
            self._evidence.end()
        else:
            events = self._decide(index, time, score, bar, parts)
        if self.drift is not None and self.drift.add(stream.packed, score, merged):
            events += self.drift.process(index, time, parts, self._faults.channels, self.debounce.active)
            self.threshold = self.drift.threshold
        return events

    def _decide(
        self, index: int, time: float | None, score: float, bar: float, parts: Sequence[float]
    ) -> tuple[Event, ...]:
        """Return the anomaly that the newest score opened or closed, with its readings."""
        event = self.debounce.update(index, time, score, bar, parts)
        if self.debounce.begun:
            self._evidence.follow()
            return (self._with_readings(event),) if event else ()
        if not self._evidence.gathering:
            return ()  # nearly always
        closed = (self._with_readings(event),) if event else ()
        self._evidence.end()
        return closed

    def _with_readings(self, event: Event) -> Event:
        return replace(event, readings=self._evidence.readings(event.channels, self._faults.missing))

    def end_anomaly(self) -> tuple[Event, ...]:
        """Close an open anomaly, as it cannot go on over samples that nobody saw."""
        events = tuple(map(self._with_readings, self.debounce.finish()))
        self._evidence.end()
        return events

    def finish(self) -> tuple[Event, ...]:
        """Close all open events, as at the end of a stream."""
        return self.end_anomaly() + (self.drift.finish() if self.drift else ())

    def clear(self) -> None:
        """Forget the stream, but not the threshold."""
        self.debounce.finish()
        self._evidence.clear()
        self._calm_check.clear()
        if self.drift is not None:
            self.drift.clear()

    def to_state(self) -> dict[str, Any]:
        """Return the states of `debounce`, `evidence`, `calm_check` and `drift` (None where nothing is watched)."""
        return {
            "debounce": self.debounce.to_state(),
            "evidence": self._evidence.to_state(),
            "calm_check": self._calm_check.to_state(),
            "drift": self.drift.to_state() if self.drift else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self.debounce.restore(state["debounce"])
        self._evidence.restore(state["evidence"])
        self._calm_check.restore(state["calm_check"])
        if self.drift is not None and state["drift"]:
            self.drift.restore(state["drift"])
            self.threshold = self.drift.threshold
