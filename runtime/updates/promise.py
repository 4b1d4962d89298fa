"""Limit of the alarms that a model may raise on normal rows, by the promise of its threshold."""

from __future__ import annotations

import math

from ..model_file.metadata import Metadata

DAY = 86_400.0
USUAL_RATE = 1e-3  # alarms a row, where the rule of the threshold promises no number
CHANCE = 1e-4  # of calling a model bad that keeps its promise
MOST_ABOVE = 0.5  # share of normal rows above the threshold: one alarm that never ends
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


def broken_promise(metadata: Metadata, rows: int, alarms: int, above: int) -> str:
    """Return how a model alarms beyond its promise, empty while it does not.

    Args:
        metadata: The model's.
        rows: Rows that it scored.
        alarms: Alarms that it opened.
        above: Rows above the threshold.
    """
    allowed = allowed_alarms(metadata, rows)
    if alarms > allowed:
        return f"it raised {alarms} alarms on {rows} rows; its threshold promises at most {allowed}"
    if rows >= LEAST_ROWS and above > MOST_ABOVE * rows:
        return f"{above} of {rows} rows were above its threshold"
    return ""
