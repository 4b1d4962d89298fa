"""Judges of an alarm: control charts with a quick baseline, whose readings count by bars of their own.

What ranks well need not decide well: a score that stays up keeps an alarm open after its fault. A judge watches the errors of
one forecast, and has three readings: their size, the largest single one, and their bias. Each counts by its bar: so many
deviations, and at least what one sample in a thousand of normal operation reaches, since some machines err by ten
deviations whenever they start.

A fault often moves one channel of many. A root mean square over them hides it; the largest alone follows whatever wanders. So
a judge's bias is the fourth root of the mean fourth power, and its bar rises with the number of channels.

Two judges agree where both are near their bars at least, and one is above. What the linear forecast alone sees is enough
from twice its bar on: it finds what is sudden, where a recurrent one errs as much at each start of the machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from operator import mul

import numpy as np

from .ewma import EwmaScorer
from .scorer import Doubles, Scoring, comparable_mean_square
from .threshold import few_rows

DEVIATIONS = 3.75  # that a judge has to see at least, as in the threshold rule of the score ewma
TESTS = 1.0  # power of the number of channels that the chance of a false alarm is divided by, as Bonferroni did
ALONE = 2.0  # bars that the linear forecast's judge has to see where the other sees nothing
READINGS = 3  # of a judge
BAR = 0.999  # quantile of a judge's reading in normal operation that its bar lies at or above
MEMORY = 1500.0  # samples over which a judge's baseline is followed, as in the score ewma
FOURTH = 3.0  # mean fourth power of a normal deviate


class Judge(EwmaScorer):
    """A control chart whose bias is a mean of fourth powers."""

    def _lean(self, parts: Sequence[float], valid: int) -> float:
        """See `EwmaScorer`."""
        length = math.hypot(*map(mul, parts, parts))
        if valid == len(parts):
            return math.sqrt(length * self._share)
        comparable = FOURTH * comparable_mean_square(length * length / FOURTH, valid, len(parts))
        return math.sqrt(math.sqrt(comparable))


def agreement(seen: Sequence[float]) -> float:
    """Return what judges see together; above 1 is an alarm.

    Of two it is the root of the harmonic mean of their squares: near the smaller one, at most 1.41 times it.

    Args:
        seen: Largest reading of each judge in its bar, 0 or more, that of the linear forecast last.

    >>> agreement([1.2]), round(agreement([3.0, 0.75]), 2), agreement([0.0, 3.0])
    (1.2, 1.03, 1.5)
    """
    first, last = seen[0], seen[-1]
    if len(seen) == 1:
        return first
    both = math.sqrt(2.0) * last * (first / math.hypot(first, last)) if first > 0 else 0.0
    return max(both, last / ALONE)


def deviations(channels: int) -> float:
    """Return the deviations that a reading has to exceed that any of so many channels can make large.

    The tail of a normal deviate falls with exp(-z² / 2), so its chance is divided by a number where z² grows by twice the
    number's logarithm.

    Args:
        channels: Number of channels, 1 at least.

    >>> deviations(1), round(deviations(8), 2)
    (3.75, 4.27)
    """
    return math.sqrt(DEVIATIONS**2 + 2.0 * TESTS * math.log(channels))


def bars_of(chart: Scoring, errors: Doubles, inputs: int) -> list[float]:
    """Return what the three readings of a judge have to exceed.

    Args:
        chart: Parameters of its chart.
        errors: Of normal operation, shape (N, F).
        inputs: Values that its forecast reads.
    """
    rows, widened = errors.tolist(), few_rows(len(errors), inputs)
    least = (DEVIATIONS, DEVIATIONS, deviations(errors.shape[1]))
    bars = []
    for number in range(READINGS):
        alone = tuple(1.0 if number == other else math.inf for other in range(READINGS))
        judge = Judge(replace(chart, bars=alone))
        normal = float(np.quantile([judge.update(error)[0] for error in rows], BAR))
        bars.append(max(least[number] * widened, normal))
    return bars
