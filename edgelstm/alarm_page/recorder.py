"""Recorder of a replay: sensor values, expectations, scores and alarms in plain words."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.sources.sample import Sample

Floats = npt.NDArray[np.float32]


class Recorder:
    """Sink that keeps all that the page shows.

    Args:
        detector: The detector that the samples go through.
        narrator: Speaker of the events' sentences; None for English in the zone of this machine.
    """

    def __init__(self, detector: Detector, narrator: Narrator | None = None) -> None:
        self.metadata = detector.metadata
        self.within = detector.expectation.within
        self.threshold = detector.threshold
        self.events: dict[str, Event] = {}
        """Events by id, each as it was last."""
        self.label = ""
        """Newest time as the source wrote it."""
        self._detector, self._narrator = detector, narrator or Narrator()
        self._times, self._scores = array("d"), array("f")
        self._values, self._expected = array("f"), array("f")
        self._blank = (np.nan,) * len(self.metadata.channels)

    def result(self, sample: Sample, result: Result) -> None:
        """Keep a sample.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """
        self.label = sample.label or self.label
        judged_by = self._detector.stream.judged_by if result.score is not None else ()
        self._times.append(float(sample.row) if sample.time is None else sample.time)
        self._scores.append(result.score if result.score is not None else np.nan)
        self._values.extend(sample.values)
        self._expected.extend(self._detector.expectation.read(judged_by) or self._blank)
        self.threshold = result.threshold if result.threshold is not None else self.threshold

    def event(self, event: Event) -> None:
        """Keep an event, with its sentence."""
        told = self._narrator.tell(event, self.label, self.metadata.period)
        self.events[event.id] = told

    def close(self) -> None:
        """Do nothing: nothing is held."""

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Time of each row, or its number, shape (T,)."""
        return np.asarray(self._times, np.float64)

    @property
    def scores(self) -> Floats:
        """Score of each row, shape (T,), NaN where there is none."""
        return np.asarray(self._scores, np.float32)

    @property
    def values(self) -> Floats:
        """Measured values, sensor units, shape (T, F)."""
        return np.asarray(self._values, np.float32).reshape(-1, len(self._blank))

    @property
    def expected(self) -> Floats:
        """Expected values, sensor units, shape (T, F), NaN where there are none."""
        return np.asarray(self._expected, np.float32).reshape(-1, len(self._blank))
