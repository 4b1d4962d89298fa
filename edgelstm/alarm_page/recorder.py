"""Recorder of a replay: sensor values, expectations, scores and alarms in plain words."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.alarms.local_time import Clock, has_zone, is_date
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.sources.sample import Sample

Floats = npt.NDArray[np.float32]


class Recorder:
    """Sink that keeps all that the page shows.

    Args:
        detector: The detector that the samples go through.
        narrator: Speaker of the events' sentences; None for English in the zone of this machine.
        label: A time as the source writes it, for rows that come without.
    """

    def __init__(self, detector: Detector, narrator: Narrator | None = None, label: str = "") -> None:
        self.metadata = detector.metadata
        self.within = detector.expectation.within
        self.threshold = detector.threshold
        self.events: dict[str, Event] = {}
        """Events by id, each as it was last."""
        self.label = label
        """Newest time as the source wrote it."""
        self._detector = detector
        self.narrator = narrator or Narrator()
        """Language and time zone."""
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
        counted = np.nan if result.status == "time" else float(sample.row)  # no row number beside times
        self._times.append(counted if sample.time is None else sample.time)
        self._scores.append(result.score if result.score is not None else np.nan)
        self._values.extend(sample.values)
        self._expected.extend(self._detector.expectation.read(judged_by) or self._blank)
        self.threshold = result.threshold if result.threshold is not None else self.threshold

    def event(self, event: Event) -> None:
        """Keep an event, with its sentence."""
        told = self.narrator.tell(event, self.label, self.metadata.period)
        self.events[event.id] = told

    def close(self) -> None:
        """Do nothing: nothing is held."""

    @property
    def clock(self) -> Clock:
        """Writer of times: as the source writes them where it names no zone, else in the zone of the narrator."""
        return Clock(self.narrator.zone, bool(self.label) and not has_zone(self.label))

    @property
    def ordered(self) -> list[Event]:
        """Events by their beginning."""
        return sorted(self.events.values(), key=lambda event: event.start or 0.0)

    @property
    def span(self) -> str:
        """First and last moment with their zone, or the first and last number of rows without dates."""
        times = self.times[np.isfinite(self.times)]
        if not len(times) or not is_date(float(times[0])):
            return f"{times[0]:.10g}–{times[-1]:.10g}" if len(times) else ""
        clock = self.clock
        begin, end = (clock.moment(float(time)) for time in (times[0], times[-1]))
        written = self.narrator.words.page["written"]
        zone = written if clock.on_site else (begin if begin.tzinfo else begin.astimezone()).tzname()
        return f"{begin:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M} ({zone})"

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
