"""Figures of the fleet report: what is shown of an asset, how it is spread over the fleet, and which assets are odd."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = dict[str, Any]
BARS = 24  # of a histogram
ODD = 3.5  # deviations from the median, estimated by the median absolute deviation (Iglewicz and Hoaglin 1993)
LEAST = 5  # assets from which one can be odd
NORMAL = 1.4826  # of a normal distribution, deviation over median absolute deviation


@dataclass(frozen=True)
class Figure:
    """One number of each asset."""

    key: str
    """Its name in the page."""
    title: str
    """Its name for a reader."""
    text: str
    """Its meaning, a sentence."""
    value: Callable[[Row], float | None]
    """Takes it from a row of the manifest."""
    digits: int = 3
    """Digits that are shown."""
    better: int = -1
    """1 if more is better, -1 if less is, 0 if neither."""
    logarithmic: bool = False
    """True if ratios count, not differences."""


def _plain(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.get(name)


def _size(row: Row) -> float | None:
    sizes = [made["bytes"] for made in row["converted"]]
    return min(sizes) if sizes else row.get("bytes")


def _alarms(row: Row) -> float | None:
    judged = row.get("false_alarms_per_1000_rows")
    return judged if judged is not None else row.get("alarms_per_1000_rows")


def _left_out(row: Row) -> float | None:
    return None if row.get("left_out") is None or not row.get("rows") else row["left_out"] / row["rows"]


def _rounding(row: Row) -> float | None:
    return max((made["error"] for made in row["converted"]), default=None)


FIGURES = (
    Figure("vus_pr", "VUS-PR", "Ranking of labelled anomalies by the score; 1 is perfect.", _plain("vus_pr"), better=1),
    Figure("event_recall", "faults found", "Share of the labelled anomalies with an alarm.", _plain("event_recall"), better=1),
    Figure("loss", "validation loss", "Mean square of the forecast's error on held-back rows, scaled units.",
           _plain("validation_loss"), logarithmic=True),
    Figure("alarms", "false alarms / 1000 rows", "Alarms without a label; before an evaluation, alarms on the newest 15 % of the "
           "rows of normal operation.", _alarms, 2),
    Figure("size", "bytes", "Smallest converted file; before a conversion, the Keras file.", _size, 0, logarithmic=True),
    Figure("rounding", "int8 error", "Largest difference of a converted model's output from float, in deviations.", _rounding, 4),
    Figure("left_out", "rows left out", "Share of the rows that look unlike all others and were kept from training.", _left_out),
    Figure("rows", "rows", "Rows of the asset.", _plain("rows"), 0, better=1, logarithmic=True),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One asset in the report."""

    name: str
    """Name of the asset."""
    state: str
    """done or failed."""
    values: dict[str, float | None]
    """Figures by key."""
    remarks: tuple[str, ...]
    """Reasons for which somebody should look at it, the gravest first."""
    rank: float
    """Urgency; the report is sorted by it, the largest first."""
    row: Row
    """Its row of the manifest."""


@dataclass(frozen=True)
class Histogram:
    """Distribution of one figure over the assets."""

    figure: Figure
    """The figure."""
    counts: tuple[int, ...]
    """Assets in each bar."""
    low: float
    """Left end of the first bar."""
    high: float
    """Right end of the last bar."""
    median: float
    """Median over the assets."""


def entries(rows: Sequence[Row]) -> list[Entry]:
    """Assets with their figures, those that need a look first.

    Args:
        rows: Of the manifest.
    """
    values = [{figure.key: _finite(figure.value(row)) for figure in FIGURES} for row in rows]
    far = {figure.key: _distances(figure, [value[figure.key] for value in values]) for figure in FIGURES}
    made = [
        _entry(row, values[at], {key: distances[at] for key, distances in far.items()}) for at, row in enumerate(rows)
    ]
    return sorted(made, key=lambda entry: (-entry.rank, entry.name))


def _entry(row: Row, values: dict[str, float | None], far: dict[str, float]) -> Entry:
    failures = [text for text in (row["error"], row["conversion_error"], row["evaluation_error"]) if text]
    odd = sorted(((abs(far[figure.key]), figure) for figure in FIGURES), key=lambda pair: -pair[0])
    remarks = [*failures, *(_oddness(figure, values, far) for distance, figure in odd if distance > ODD)]
    warned = [line for line in row.get("remarks") or () if line.startswith("Warning: ")]
    worse = max((far[figure.key] * -figure.better for figure in FIGURES if figure.better), default=0.0)
    rank = 1e6 * bool(row["error"]) + 1e4 * bool(failures) + max(worse, odd[0][0] / 2) + len(warned)
    return Entry(row["asset"], row["state"], values, (*remarks, *warned), rank, row)


def _oddness(figure: Figure, values: dict[str, float | None], far: dict[str, float]) -> str:
    side = "high" if far[figure.key] > 0 else "low"
    return f"{figure.title} is oddly {side}: {shown(values[figure.key], figure.digits)}"


def _distances(figure: Figure, values: Sequence[float | None]) -> list[float]:
    """Distances from the median, in deviations; 0 where nothing can be said."""
    numbers = np.array([np.nan if value is None else value for value in values], float)
    if figure.logarithmic:
        numbers = np.log(np.maximum(numbers, 1e-12))
    known = numbers[np.isfinite(numbers)]
    if len(known) < LEAST:
        return [0.0] * len(values)
    middle = np.median(known)
    spread = NORMAL * np.median(np.abs(known - middle)) or np.std(known)
    if not spread:
        return [0.0] * len(values)
    return list(np.nan_to_num((numbers - middle) / spread).tolist())


def histograms(made: Sequence[Entry]) -> list[Histogram]:
    """Distributions of the figures that are not the same in all assets.

    Args:
        made: All assets.
    """
    result = []
    for figure in FIGURES:
        numbers = np.array([value for entry in made if (value := entry.values[figure.key]) is not None])
        if len(set(numbers.tolist())) < 2:
            continue
        counts, edges = np.histogram(numbers, BARS)
        result.append(
            Histogram(figure, tuple(counts.tolist()), float(edges[0]), float(edges[-1]), float(np.median(numbers)))
        )
    return result


def shown(value: float | None, digits: int) -> str:
    """Number for a reader.

    Args:
        value: The number, None for none.
        digits: Digits behind the point.

    >>> shown(12345.0, 0), shown(0.00012, 3), shown(None, 3)
    ('12,345', '1.2e-04', '-')
    """
    if value is None:
        return "-"
    if digits and 0 < abs(value) < 10.0**-digits:
        return f"{value:.1e}"
    return f"{value:,.{digits}f}"


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
