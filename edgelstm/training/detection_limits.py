"""Detection limits of a detector: the smallest faults that it finds, measured before any fault happens.

Faults are injected into rows of normal operation: an offset, a drift, and a channel that is stuck at its last value. The
limit of a channel is the smallest size that raises an alarm in at least 90 % of the places within 60 rows, at the model's
own threshold and alarm rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.debounce import DebounceRules
from edgelstm.runtime.model_file.metadata import Metadata, scaled_ranges, training_widths
from edgelstm.runtime.scoring.beyond import RANGES
from edgelstm.runtime.scoring.registry import scorer_of

Floats = npt.NDArray[np.float32]
Rows = TypeVar("Rows", Floats, npt.NDArray[np.float64])
SHARE = 0.9  # of the places, in which a fault has to be found
CALM, ROWS = 20, 60  # rows scored before a fault, and from its first one on
PLACES, FEWER, MANY = 10, 5, 10  # places that a fault is injected at; fewer from this number of channels on
SIZES = 0.05 * 1.5 ** np.arange(16)  # that are tried, deviations of the channel in training
BATCH = 8192  # windows


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
    trial = _Trial(model, metadata)
    count = PLACES if len(metadata.channels) < MANY else FEWER
    places = _places(normal, metadata.window + CALM + ROWS, 2 * count)
    places = [place for place, delay in zip(places, trial.delays(places), strict=True) if delay is None][:count]
    if len(places) < FEWER:
        return None
    limits = []
    for i, (name, scale) in enumerate(zip(metadata.names, metadata.scaler.scale, strict=True)):
        offset, drift = (_rounded(_smallest(trial, kind, places, i) * scale) for kind in ("offset", "drift"))
        limits.append(ChannelLimits(name, offset, drift, _stuck(trial, places, i)))
    return {"rows": ROWS, "share": SHARE, "channels": [asdict(limit) for limit in limits]}


class _Trial:
    """A detector on short stretches of rows.

    Args:
        model: The Keras model.
        metadata: Its metadata.
    """

    def __init__(self, model: Any, metadata: Metadata) -> None:
        assert metadata.scoring is not None
        assert metadata.threshold is not None
        self._model, self._window, self._ahead = model, metadata.window, bool(metadata.horizon)
        self._scoring, self._threshold = metadata.scoring, metadata.threshold
        self._channels = len(metadata.channels)
        self._minimum = DebounceRules.of(metadata.sections.get("decision", {})).minimum
        self._low, self._high = np.array(scaled_ranges(metadata, unknown=(-math.inf, math.inf))).T
        self._reach = RANGES * np.array(list(training_widths(metadata).values()))
        self._scorer = scorer_of(metadata.scoring)
        self._start = self._scorer.to_state()
        self._reached: dict[bytes, tuple[dict[str, Any], int]] = {}  # states at the fault's first row, rows in alarm

    def delays(self, stretches: Sequence[Floats]) -> Iterator[int | None]:
        """Yield the rows from the fault's first row to an alarm, None without one; each when it is asked for.

        Args:
            stretches: Scaled rows, each (W + CALM + ROWS, F).
        """
        if len(stretches):
            yield from map(self._delay, self._errors(np.stack(stretches)), map(self._beyond, stretches))

    def _beyond(self, stretch: Floats) -> list[bool]:
        """Tell which rows from the fault's first one on lie so far outside of training that they are anomalies by that."""
        rows = stretch[-ROWS:, : self._channels]
        outside = np.maximum(self._low - rows, rows - self._high) > self._reach
        return list(outside.any(axis=1))

    def _errors(self, stretches: Floats) -> npt.NDArray[np.float64]:
        """Return errors, shape (B, CALM + ROWS, K * F)."""
        width = self._window + (1 if self._ahead else 0)
        cut = np.lib.stride_tricks.sliding_window_view(stretches, width, axis=1)[:, -(CALM + ROWS) :]
        windows = np.moveaxis(cut, -1, 2).reshape(-1, width, stretches.shape[2])
        errors: list[npt.NDArray[np.float64]] = []
        for first in range(0, len(windows), BATCH):
            part = windows[first : first + BATCH]
            outputs = np.asarray(self._model.predict_on_batch(part[:, : self._window]))
            kept = outputs[:, : self._scoring.witnesses] if self._ahead else outputs[:, -1:]
            errors.append((part[:, -1:, : self._channels].astype(np.float64) - kept).reshape(len(part), -1))
        return np.concatenate(errors).reshape(len(stretches), CALM + ROWS, -1)

    def _delay(self, errors: npt.NDArray[np.float64], beyond: Sequence[bool]) -> int | None:
        above = self._calm(errors[:CALM])
        for row, (error, outside) in enumerate(zip(errors[CALM:].tolist(), beyond, strict=True)):
            alarm = self._alarm(error) or outside
            above = above + 1 if alarm else 0
            if above >= self._minimum:
                return row
        return None

    def _calm(self, errors: npt.NDArray[np.float64]) -> int:
        """Bring the scorer to the fault's first row, and return the rows in alarm before it; each place is scored once."""
        place = errors.tobytes()
        if place not in self._reached:
            self._scorer.restore(self._start)
            above = 0
            for error in errors.tolist():
                above = above + 1 if self._alarm(error) else 0
            self._reached[place] = self._scorer.to_state(), above
        state, above = self._reached[place]
        self._scorer.restore(state)
        return above

    def _alarm(self, error: list[float]) -> bool:
        """Take a row's error, and tell whether the score is above what an anomaly takes."""
        score, value = self._scorer.update(error)[0], self._threshold.value
        return score > (self._scorer.bar(score, value) if self._threshold.judged else value)


def _places(normal: Sequence[Floats], length: int, count: int) -> list[Floats]:
    """Return stretches of normal rows, spread evenly over the newest half."""
    starts = [(part, first) for part in normal for first in range(len(part) - length + 1)]
    newest = starts[len(starts) // 2 :]
    if not newest:
        return []
    picked = np.unique(np.linspace(0, len(newest) - 1, count).astype(int))
    return [newest[at][0][newest[at][1] :][:length] for at in picked]


def _smallest(trial: _Trial, kind: str, places: Sequence[Floats], channel: int) -> float:
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


def _stuck(trial: _Trial, places: Sequence[Floats], channel: int) -> int | None:
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


def injected_fault(place: Rows, kind: str, channel: int, size: float) -> Rows:
    """Return a copy of rows with a fault in the last `ROWS` of them.

    Args:
        place: Rows in deviations, shape (T, F).
        kind: offset, drift or stuck.
        channel: Index of the channel.
        size: Size of an offset, or of a drift at its end.
    """
    rows = place.copy()
    fault = rows[-ROWS:, channel]
    if kind == "stuck":
        fault[:] = fault[0]
    else:
        fault += size * (np.arange(1, ROWS + 1, dtype=np.float32) / ROWS if kind == "drift" else 1.0)
    return rows


def _rounded(value: float) -> float | None:
    return float(f"{value:.3g}") if math.isfinite(value) else None
