"""Detection limits of a detector: the smallest faults that it finds, measured before any fault happens.

Faults are injected into rows of normal operation: an offset, a drift, and a channel that is stuck at its last value. The
limit of a channel is the smallest size that raises an alarm in at least 90 % of the places within 60 rows, at the model's
own threshold and alarm rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.model_file.metadata import Metadata

from .injected_faults import ROWS, injected_fault
from .trial import CALM, Trial, places_of

Floats = npt.NDArray[np.float32]
SHARE = 0.9  # of the places, in which a fault has to be found
PLACES, FEWER, MANY = 10, 5, 10  # places that a fault is injected at; fewer from this number of channels on
SIZES = 0.05 * 1.5 ** np.arange(16)  # that are tried, deviations of the channel in training


@dataclass(frozen=True)
class ChannelLimits:
    """Smallest faults of one channel that are found; None where none of the sizes tried is."""

    channel: str
    """Its name."""
    offset: float | None
    """Step that stays, sensor units."""
    drift: float | None
    """Ramp over all rows, sensor units at its end."""
    stuck: int | None
    """Rows that the channel stands still before the alarm."""


def detection_limits(model: Any, metadata: Metadata, normal: Sequence[Floats]) -> dict[str, Any] | None:
    """Measure the detection limits of each channel.

    Args:
        model: The Keras model, a forecaster of the next row or an autoencoder judged by its newest row.
        metadata: Its metadata with scoring and threshold.
        normal: Scaled rows of normal operation in time order, each (T_i, F), or wider with a calendar.

    Returns:
        `rows` within which a fault is found, the `share` of places, and `channels` as `ChannelLimits`; None for a model of
        another kind, or where rows are too few for five places without an alarm of their own.
    """
    if metadata.scoring is None or metadata.threshold is None or metadata.scaler is None:
        return None
    if metadata.scoring.rows > 1 or metadata.horizon > 1:
        return None
    trial = Trial(model, metadata)
    count = PLACES if len(metadata.channels) < MANY else FEWER
    places = places_of(normal, metadata.window + CALM + ROWS, 2 * count)
    places = [place for place, delay in zip(places, trial.delays(places), strict=True) if delay is None][:count]
    if len(places) < FEWER:
        return None
    limits = []
    for i, (name, scale) in enumerate(zip(metadata.names, metadata.scaler.scale, strict=True)):
        offset, drift = (_rounded(_smallest(trial, kind, places, i) * scale) for kind in ("offset", "drift"))
        limits.append(ChannelLimits(name, offset, drift, _stuck(trial, places, i)))
    return {"rows": ROWS, "share": SHARE, "channels": [asdict(limit) for limit in limits]}


def _smallest(trial: Trial, kind: str, places: Sequence[Floats], channel: int) -> float:
    """Return the smallest size that is found in a channel, infinite where none is, by bisection.

    The place that was hardest to find the last size at comes first: it most likely decides about the next one.
    """
    low, high = 0, len(SIZES)
    order = [(place, 1 if number % 2 else -1) for number, place in enumerate(places)]
    while low < high:
        middle = (low + high) // 2
        faulty = [injected_fault(place, kind, channel, float(SIZES[middle]) * sign) for place, sign in order]
        delays = _until_decided(trial.delays(faulty), len(places))
        low, high = (low, middle) if _enough(delays, len(places)) else (middle + 1, high)
        waits = [math.inf if delay is None else delay for delay in delays] + [ROWS] * (len(order) - len(delays))
        order = [order[at] for at in sorted(range(len(order)), key=lambda at: -waits[at])]
    return float(SIZES[low]) if low < len(SIZES) else math.inf


def _stuck(trial: Trial, places: Sequence[Floats], channel: int) -> int | None:
    """Return the rows that the channel stands still before 90 % of the places have an alarm."""
    faulty = [injected_fault(place, "stuck", channel, 0.0) for place in places]
    delays = _until_decided(trial.delays(faulty), len(places))
    if not _enough(delays, len(places)):
        return None
    last = math.ceil(SHARE * len(places)) - 1
    return int(sorted(ROWS if delay is None else delay for delay in delays)[last]) + 1


def _until_decided(delays: Iterator[int | None], places: int) -> list[int | None]:
    """Return the delays up to the one with which too many places have no alarm, all if that never comes."""
    seen: list[int | None] = []
    for delay in delays:
        seen.append(delay)
        if not _enough(seen, places):
            break
    return seen


def _enough(delays: Sequence[int | None], places: int) -> bool:
    """Tell whether 90 % of the places can still have an alarm."""
    return delays.count(None) <= places - SHARE * places


def _rounded(value: float) -> float | None:
    return float(f"{value:.3g}") if math.isfinite(value) else None
