"""A detector on short stretches of normal rows with a fault at their end: the rows until it raises an alarm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.debounce import DebounceRules
from edgelstm.runtime.input.beyond import Beyond
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.scoring.registry import scorer_of

from .injected_faults import ROWS

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
CALM = 20  # rows scored before a fault
BATCH = 8192  # windows


class Watch:
    """Score, threshold and alarm rules on the errors of stretches.

    Args:
        metadata: The model's, with scoring and threshold.
    """

    def __init__(self, metadata: Metadata) -> None:
        assert metadata.scoring is not None
        assert metadata.threshold is not None
        assert metadata.scaler is not None
        self._scaler, self._beyond = metadata.scaler, Beyond(metadata)
        self._threshold, self._channels = metadata.threshold, len(metadata.channels)
        self._minimum = DebounceRules.of(metadata.sections.get("decision", {})).minimum
        self._scorer = scorer_of(metadata.scoring)
        self._start = self._scorer.to_state()
        self._reached: dict[bytes, tuple[dict[str, Any], int]] = {}  # states at the fault's first row, rows in alarm

    def delay(self, errors: Doubles, stretch: Floats) -> int | None:
        """Return the rows from the fault's first row to an alarm, None without one.

        Args:
            errors: Errors of the rows, shape (CALM + ROWS, K * F), scaled units.
            stretch: The rows, the last of which hold the fault, scaled units.
        """
        above = self._calm(errors[:CALM])
        rows = self._scaler.inverse(stretch[-ROWS:, : self._channels]).tolist()
        for row, (error, values) in enumerate(zip(errors[CALM:].tolist(), rows, strict=True)):
            alarm = self._alarm(error) or self._beyond.distances(values)
            above = above + 1 if alarm else 0
            if above >= self._minimum:
                return row
        return None

    def _calm(self, errors: Doubles) -> int:
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


class Trial:
    """A Keras detector on short stretches of rows.

    Args:
        model: The Keras model, a forecaster of the next row or an autoencoder judged by its newest row.
        metadata: Its metadata with scoring and threshold.
    """

    def __init__(self, model: Any, metadata: Metadata) -> None:
        self._model, self._metadata = model, metadata
        self._watch = Watch(metadata)

    def delays(self, stretches: Sequence[Floats]) -> Iterator[int | None]:
        """Yield the rows from the fault's first row to an alarm, None without one; each when it is asked for.

        Args:
            stretches: Scaled rows, each (W + CALM + ROWS, F).
        """
        if len(stretches):
            yield from map(self._watch.delay, errors_of(self._model, self._metadata, np.stack(stretches)), stretches)


def errors_of(model: Any, metadata: Metadata, stretches: Floats, rows: int = CALM + ROWS) -> Doubles:
    """Return the errors of the last rows of stretches, shape (B, rows, K * F), scaled units.

    Args:
        model: See `Trial`.
        metadata: See `Trial`.
        stretches: Scaled rows, shape (B, T, F), T at least W + rows.
        rows: Rows of each stretch that have an error.
    """
    assert metadata.scoring is not None
    window, channels, ahead = metadata.window, len(metadata.channels), bool(metadata.horizon)
    width = window + ahead
    cut = np.lib.stride_tricks.sliding_window_view(stretches, width, axis=1)[:, -rows:]
    windows = np.moveaxis(cut, -1, 2).reshape(-1, width, stretches.shape[2])
    errors: list[Doubles] = []
    for first in range(0, len(windows), BATCH):
        part = windows[first : first + BATCH]
        outputs = np.asarray(model.predict_on_batch(part[:, :window]))
        kept = outputs[:, : metadata.scoring.witnesses] if ahead else outputs[:, -1:]
        errors.append((part[:, -1:, :channels].astype(np.float64) - kept).reshape(len(part), -1))
    return np.concatenate(errors).reshape(len(stretches), rows, -1)


def places_of(normal: Sequence[Floats], length: int, count: int) -> list[Floats]:
    """Return stretches of normal rows, spread evenly over the newest half.

    Args:
        normal: Scaled rows of normal operation in time order, each (T_i, F).
        length: Rows of a stretch.
        count: Stretches at most.
    """
    starts = [(part, first) for part in normal for first in range(len(part) - length + 1)]
    newest = starts[len(starts) // 2 :]
    if not newest:
        return []
    picked = np.unique(np.linspace(0, len(newest) - 1, count).astype(int))
    return [newest[at][0][newest[at][1] :][:length] for at in picked]
