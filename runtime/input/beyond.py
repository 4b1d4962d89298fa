"""Rows so far outside of training that nothing a model learned holds there: an alarm, whatever forecasts and judges say.

A forecast follows a level wherever it goes, and an integer model cannot tell values apart beyond the end of its numbers. So
errors of a stream that stays far outside of training may be small. What is further outside than five times the range of
training is an anomaly by itself, as long as it lasts; `edgelstm calibrate` on such rows accepts them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ..model_file.metadata import Metadata
from ..model_file.scaler import width_of

if TYPE_CHECKING:
    from ..scoring.scorer import Scored

RANGES = 5.0  # widths of the training range: the least that raises no more false alarms, whichever corpus is left out but one


class Beyond:
    """Distance of rows from the values of training.

    Args:
        metadata: The model's, with the training range of each channel; one whose range is not known never counts.
    """

    def __init__(self, metadata: Metadata) -> None:
        known = [(channel.train_low, channel.train_high) for channel in metadata.channels]
        self._channels = [
            (-math.inf, math.inf, 1.0) if low is None or high is None else (low, high, RANGES * width_of(low, high))
            for low, high in known
        ]

    def distances(self, values: Sequence[float], masked: Collection[int] = ()) -> tuple[float, ...]:
        """Return how far outside of training each channel is, 1 for five ranges; empty where none is further.

        Args:
            values: A row, shape (F,), sensor units.
            masked: Channels that do not count.
        """
        distances = tuple(
            0.0 if place in masked else max(low - value, value - high, 0.0) / reach
            for place, (value, (low, high, reach)) in enumerate(zip(values, self._channels, strict=True))
        )
        return distances if max(distances) > 1.0 else ()


def lifted(scored: Scored, distances: Sequence[float], threshold: float) -> Scored:
    """Return the score of a row that is too far outside, and each channel's part in it: above the threshold.

    It grows with the logarithm of the distance, so that rows that all are far away are still ranked by their errors. The
    parts are those of the distances: a forecast that follows the far channel errs in others, which are not to blame.

    Args:
        scored: What the errors say.
        distances: Of `Beyond`, shape (F,).
        threshold: The threshold in force.
    """
    score = max(threshold * (1.0 + math.log(max(distances))), scored[0])
    length = math.hypot(*distances)
    return score, tuple(score * distance / length for distance in distances)
