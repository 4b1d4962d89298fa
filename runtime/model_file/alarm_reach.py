"""A check that a model can raise an alarm at all: no threshold or scaling may silence it.

An alarm system may refuse a file; it may not look healthy while it is blind. The scorer itself is asked for the score of
rows far outside of the training range, so the check holds for every scoring method.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..scoring.registry import scorer_of
from ..scoring.scorers import Scoring

if TYPE_CHECKING:
    from .metadata import Channel, Metadata

FAR = 1e4  # training ranges that all channels are off at once
FAR_BY_HAND = 1e8  # the same for a threshold that somebody names on purpose
ALONE = 100  # times as far goes a channel that is off alone
LONGEST_MINIMUM = 1_000_000  # samples above the threshold before an event opens, or below before it closes


def check_reach(metadata: Metadata, far: float = FAR) -> None:
    """Check that rows far outside of the training range are above the threshold.

    Args:
        metadata: Metadata with a scaler that fits the channels; others without a threshold pass.
        far: Distance of those rows, training ranges.

    Raises:
        ValueError: If no row could raise an alarm, or a channel could not by itself.
    """
    _check_rules(metadata)
    scoring, scaler, threshold = metadata.scoring, metadata.scaler, metadata.threshold
    if scoring is None or scaler is None or threshold is None or not scoring.scale:
        return
    channels = zip(metadata.channels, scaler.scale, strict=True)
    ranges = [_training_range(channel, scale) / scale for channel, scale in channels]
    highest = _score(scoring, [far * value for value in ranges])
    if not highest > threshold.value:
        raise ValueError(
            f"a threshold of {threshold.value:g}, which no score exceeds: rows at {far:,.0f} times the training range reach "
            f"{highest:.3g}"
        )
    for name, error in zip(metadata.names, _alone([ALONE * far * value for value in ranges]), strict=True):
        if not _score(scoring, error) > threshold.value:
            raise ValueError(f"a scaling that silences the channel {name}: no value of it is above the threshold")


def _check_rules(metadata: Metadata) -> None:
    rules = metadata.sections.get("decision", {})
    counts = [rules.get(name) for name in ("minimum", "cooldown")] if isinstance(rules, dict) else []
    if any(isinstance(count, (int, float)) and count > LONGEST_MINIMUM for count in counts):
        raise ValueError(f"alarm rules of more than {LONGEST_MINIMUM:,} samples")


def _training_range(channel: Channel, scale: float) -> float:
    """Width of a channel's training range, sensor units; of a constant channel its level, of an unknown one its scale."""
    if channel.train_low is None or channel.train_high is None:
        return scale
    return channel.train_high - channel.train_low or max(abs(channel.train_high), 1.0)


def _alone(errors: list[float]) -> Iterator[list[float]]:
    """Rows in which one channel errs and the others do not."""
    for place, error in enumerate(errors):
        row = [0.0] * len(errors)
        row[place] = error
        yield row


def _score(scoring: Scoring, error: list[float]) -> float:
    """The score of one row of errors, scaled units; the largest number where it is beyond all numbers."""
    try:
        score = scorer_of(scoring).update(error)[0]
    except OverflowError:
        return math.inf
    return score
