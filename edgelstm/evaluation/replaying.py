"""Rows through a detector, as a device would take them: scores, alarms and events."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.sinks import Sink
from edgelstm.runtime.sources import Sample

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Replay:
    """Scores and alarms of a detector, row by row."""

    scores: Doubles
    """Score of each row, shape (T,), NaN where there is none."""
    flagged: Bools
    """True if each row's score is above the threshold, shape (T,)."""
    alarms: tuple[tuple[int, int], ...]
    """First and last row of each anomaly event."""
    events: tuple[Event, ...]
    """Closed events, in order."""
    threshold: float | None
    """The threshold in force."""

    def __repr__(self) -> str:
        scored = int(np.isfinite(self.scores).sum())
        return (
            f"Replay({len(self.scores)} rows, {scored} scored, {len(self.alarms)} alarms, threshold {self.threshold})"
        )


def replay(detector: Detector, values: Doubles, time: Doubles | None = None, recorder: Sink | None = None) -> Replay:
    """Feed rows to a detector from a fresh start, as a device would.

    Args:
        detector: Any model.
        values: Shape (T, F), sensor units, NaN where a value is missing.
        time: Shape (T,), seconds, NaN for rows without one, which are dropped; None counts rows.
        recorder: Receiver of every sample with its result, and of the events; None for none.
    """
    detector.reset()
    rows = len(values)
    scores, flagged = np.full(rows, np.nan), np.zeros(rows, bool)
    clock: list[float] = np.arange(rows, dtype=np.float64).tolist() if time is None else time.tolist()
    detector.expect(values, clock)
    at: dict[float, int] = {}  # row of each time; of doubled times the first one, as the detector takes it
    closed: list[Event] = []
    samples: list[list[float]] = values.tolist()
    for row, (moment, sample) in enumerate(zip(clock, samples, strict=True)):
        at.setdefault(moment, row)
        result = detector.update(sample, moment)
        if result.score is not None:
            scores[row], flagged[row] = result.score, result.anomaly
        closed += [event for event in result.events if event.state == "closed"]
        if recorder is not None:
            recorder.result(Sample(sample, moment, row), result)
    closed += [event for event in detector.finish() if event.state == "closed"]
    alarms = tuple(
        (at[event.start], at[event.end])
        for event in closed
        if event.kind == "anomaly" and event.start in at and event.end in at
    )
    if recorder is not None:
        for event in closed:
            recorder.event(event)
    return Replay(scores, flagged, alarms, tuple(closed), detector.threshold)
