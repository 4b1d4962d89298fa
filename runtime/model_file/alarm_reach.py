"""A check that a model can raise an alarm at all: no threshold or scaling may silence it.

An alarm system may refuse a file; it may not look healthy while it is blind. The scorer itself is asked for the score of
rows far outside of the training range, so the check holds for every scoring method.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from ..scoring.registry import scorer_of
from ..scoring.scorer import Scoring

FAR = 1e4  # training ranges that all channels are off at once
FAR_BY_HAND = 1e8  # the same for a threshold that somebody names on purpose
ALONE = 100  # times as far goes a channel that is off alone


def check_reach(scoring: Scoring, threshold: float, ranges: Mapping[str, float], far: float = FAR) -> None:
    """Check that rows far outside of the training range are above the threshold.

    Args:
        scoring: Fitted scoring of the model's errors.
        threshold: Alarm threshold on the score.
        ranges: Width of the training range by channel, scaled units.
        far: Distance of those rows, training ranges.

    Raises:
        ValueError: If no row could raise an alarm, or a channel could not by itself.

    >>> scoring = Scoring(center=(0.0,), scale=(0.1,))
    >>> check_reach(scoring, 3.0, {"flow": 1.0})
    >>> check_reach(scoring, 1e300, {"flow": 1.0})
    Traceback (most recent call last):
    ValueError: a threshold of 1e+300, which no score exceeds: rows at 10,000 times the training range reach 1e+05
    """
    highest = _score(scoring, [far * value for value in ranges.values()])
    if not highest > threshold:
        raise ValueError(
            f"a threshold of {threshold:g}, which no score exceeds: rows at {far:,.0f} times the training range reach "
            f"{highest:.3g}"
        )
    for name, error in zip(ranges, _alone([ALONE * far * value for value in ranges.values()]), strict=True):
        if not _score(scoring, error) > threshold:
            raise ValueError(f"a scaling that silences the channel {name}: no value of it is above the threshold")


def _alone(errors: list[float]) -> Iterator[list[float]]:
    """Rows in which one channel errs and the others do not."""
    for place, error in enumerate(errors):
        row = [0.0] * len(errors)
        row[place] = error
        yield row


def _score(scoring: Scoring, error: list[float]) -> float:
    """The score of one row of errors, scaled units; the largest number where it is beyond all numbers."""
    try:
        score = scorer_of(scoring).update(error * scoring.witnesses)[0]
    except OverflowError:
        return math.inf
    return score
