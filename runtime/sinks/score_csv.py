"""CSV of scores: one row per input row, in the input's order."""

from __future__ import annotations

import csv
import math
from typing import TextIO

from ..alarms.events import Event, Result
from ..sources.sample import Sample


class ScoreTable:
    """Writer of the columns time (or row, for a source without times), score, anomaly; a missing score is empty.

    Args:
        stream: Text stream to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._write = csv.writer(stream, lineterminator="\n").writerow
        self._timed: bool | None = None

    def result(self, sample: Sample, result: Result) -> None:
        """Write the sample's row.

        Args:
            sample: The sample.
            result: The detector's result for it.
        """
        if self._timed is None:
            self._timed = bool(sample.label) or (sample.time is not None and math.isnan(sample.time))
            self._write(("time" if self._timed else "row", "score", "anomaly"))
        key = sample.label if self._timed else sample.row
        self._write((key, "" if result.score is None else repr(result.score), int(result.anomaly)))

    def event(self, event: Event) -> None:
        """Ignore an event: the column `anomaly` tells the samples above the threshold."""

    def close(self) -> None:
        """Write out what is still held."""
        self._stream.flush()
