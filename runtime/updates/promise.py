"""Limit of the alarms that a model may raise on normal rows, by the promise of its threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..alarms.events import Result
from ..model_file.metadata import Metadata

DAY = 86_400.0
USUAL_RATE = 1e-3  # alarms a row, where the rule of the threshold promises no number
CHANCE = 1e-4  # of calling a model bad that keeps its promise
MOST_ALARMED = 0.5  # share of normal rows in alarm or above the threshold: one alarm that never ends
LEAST_ROWS = 50  # rows that a share is taken of


def allowed_alarms(metadata: Metadata, rows: int) -> int:
    """Return the number of alarms that a model which keeps its promise exceeds with a chance of 1e-4 at most (Poisson).

    Args:
        metadata: The model's.
        rows: Rows of normal operation.
    """
    mean = promised_rate(metadata) * rows
    count, term = 0, math.exp(-mean)
    total = term
    while total < 1 - CHANCE and count < 10_000:
        count += 1
        term *= mean / count
        total += term
    return count


def promised_rate(metadata: Metadata) -> float:
    """Return the alarms a row that the threshold promises: `alarms:N` a day, or per 1000 rows where rows have no period."""
    threshold = metadata.threshold
    if threshold is None or threshold.method != "alarms" or not threshold.number:
        return USUAL_RATE
    rate = threshold.number * metadata.period / DAY if metadata.period else threshold.number / 1000
    return min(rate, 1.0)


@dataclass
class AlarmCount:
    """Count of a model's alarms on rows of normal operation."""

    scored: int = 0
    """Rows with a score."""
    alarms: int = 0
    """Alarms that opened."""
    alarmed: int = 0
    """Rows in an alarm or above the threshold."""
    in_alarm: bool = False
    """True while an alarm is open."""

    def add(self, result: Result) -> None:
        """Count a result."""
        for event in result.events:
            if event.kind == "anomaly":
                self.in_alarm = event.state == "open"
                self.alarms += self.in_alarm
        if result.score is not None:
            self.scored += 1
            self.alarmed += self.in_alarm or result.anomaly

    def broken_promise(self, metadata: Metadata) -> str:
        """Return how a model alarms beyond its promise, empty while it does not.

        Args:
            metadata: The model's.
        """
        allowed = allowed_alarms(metadata, self.scored)
        if self.alarms > allowed:
            return f"it raised {self.alarms} alarms on {self.scored} rows; its threshold promises at most {allowed}"
        if self.scored >= LEAST_ROWS and self.alarmed > MOST_ALARMED * self.scored:
            return f"{self.alarmed} of {self.scored} rows were in alarm or above its threshold"
        return ""
