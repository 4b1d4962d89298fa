"""Trial time of a new model: every result is watched, and the first broken rule ends it."""

from __future__ import annotations

import math
from time import monotonic

from ..alarms.events import Result
from ..input.policies import warmup
from ..model_file.metadata import Metadata
from .acceptance import too_slow
from .promise import LEAST_ROWS, AlarmCount

SLOWER = 8.0  # times as slow as the model before
NOTICEABLE = 0.01  # seconds a sample, below which nobody minds
MEASURED = 20  # samples of which the mean time is taken
BLIND_ROWS = 50  # equal scores in a row: sensors have noise, a model that looks has, too


class Probation:
    """Counts of a model during its trial time.

    Args:
        metadata: The model's.
        seconds: Length of the trial time.
        before: Seconds a sample that the model before took, 0 when unknown.
    """

    def __init__(self, metadata: Metadata, seconds: float, before: float = 0.0) -> None:
        self.metadata, self.before = metadata, before
        self._end = monotonic() + seconds
        self.alarms = AlarmCount()
        self._times: list[float] = []
        self._silent = self._equal = 0
        self._last: float | None = None
        self._patience = 2 * (warmup(metadata) + 1) + 10

    @property
    def over(self) -> bool:
        """True when the trial time has passed, with enough rows to judge by."""
        return monotonic() >= self._end and self.alarms.scored >= LEAST_ROWS

    def add(self, result: Result, seconds: float) -> str:
        """Take a result; return the rule that is broken, empty while none is.

        Args:
            result: The model's result.
            seconds: Time that it took.
        """
        self.alarms.add(result)
        return self._blind(result) or self._slow(seconds) or self.alarms.broken_promise(self.metadata)

    def _blind(self, result: Result) -> str:
        score = result.score
        if score is None:
            self._silent = self._silent + 1 if result.status == "warmup" else 0
            return f"it gave no score for {self._silent} samples" if self._silent > self._patience else ""
        self._silent = 0
        if not math.isfinite(score):
            return f"its score is no number ({score})"
        self._equal = self._equal + 1 if score == self._last else 0
        self._last = score
        return f"it gave the same score {BLIND_ROWS} times" if self._equal >= BLIND_ROWS else ""

    def _slow(self, seconds: float) -> str:
        self._times.append(seconds)
        if len(self._times) < MEASURED:
            return ""
        mean, self._times = sum(self._times) / len(self._times), []
        if self.before and mean > max(SLOWER * self.before, NOTICEABLE):
            return f"it is slow: {mean:.3g} s a sample, the model before took {self.before:.3g} s"
        return too_slow(self.metadata, mean)
