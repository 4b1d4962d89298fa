"""A threshold from answers to alarms: fewer of those called false, none of those called real lost.

An alarm opens at a threshold when enough scores in a row exceed it. So each answered alarm has a level: the highest threshold
at which it would still have opened. The new threshold lies above the levels of the alarms called false, or a new normal, and
below those of all the real ones.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .alarms.answers import Answer
from .alarms.debounce import Debounce, DebounceRules

BELOW = 1 - 1e-12  # just below, whatever the rounding of a product
MARGIN = 1.1  # above the levels of false alarms, where the real ones leave room


@dataclass(frozen=True)
class Stretch:
    """One answered alarm with its scores."""

    answer: Answer
    """The answer."""
    scores: tuple[float, ...]
    """Scores of the recorded rows of the alarm, in order; empty where they are not recorded."""
    rows: slice
    """Places of these rows among all scored ones."""


def stretches_of(answers: Sequence[Answer], moments: Sequence[float], scores: Sequence[float]) -> list[Stretch]:
    """Find the scores of answered alarms in recorded rows.

    Args:
        answers: The answers.
        moments: Time of each scored row, or its number, in order; N of them.
        scores: Its score; N of them.
    """
    stretches = []
    for answer in answers:
        first = bisect_left(moments, answer.start)
        last = len(moments) if answer.end is None else bisect_right(moments, answer.end)
        stretches.append(Stretch(answer, tuple(scores[first:last]), slice(first, last)))
    return stretches


@dataclass(frozen=True)
class Feedback:
    """Effect of answers on the threshold."""

    false: int
    """Alarms called false, or a new normal, that the old threshold raises."""
    false_after: int
    """Those of them that the new one raises."""
    real: int
    """Alarms called real that the old threshold raises."""
    real_after: int
    """Those of them that the new one raises."""
    unknown: int
    """Answers whose alarm is not in the recorded rows."""

    def record(self) -> dict[str, Any]:
        """Return the effect as plain JSON types."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the effect in words.

        >>> Feedback(4, 1, 2, 2, 0).sentence()
        '3 of 4 alarms called false are gone, 2 of 2 real ones are kept'
        """
        text = (
            f"{self.false - self.false_after} of {self.false} alarms called false are gone, "
            f"{self.real_after} of {self.real} real ones are kept"
        )
        return text + (f"; {self.unknown} answers belong to no recorded rows" if self.unknown else "")


def threshold_from(stretches: Sequence[Stretch], rules: DebounceRules, old: float) -> tuple[float, Feedback]:
    """Return the threshold that the answers ask for, never below the old one, and its effect.

    Args:
        stretches: The answered alarms.
        rules: Conditions under which scores become events.
        old: The threshold in force.
    """
    known = [stretch for stretch in stretches if stretch.scores]
    levels = {kind: [level_of(one.scores, rules) for one in known if _kind(one) == kind] for kind in ("false", "real")}
    kept = [level for level in levels["real"] if level >= old]
    ceiling = min(kept, default=math.inf)
    silenced = [level for level in levels["false"] if old <= level < ceiling]
    new = old
    if silenced:
        highest = max(silenced)
        new = max(old, min(highest * MARGIN, math.sqrt(highest * ceiling) if kept else math.inf))
    false, real = levels["false"], levels["real"]
    counts = [sum(level >= limit for level in kind) for kind in (false, real) for limit in (old, new)]
    return new, Feedback(counts[0], counts[1], counts[2], counts[3], len(stretches) - len(known))


def _kind(stretch: Stretch) -> str:
    return "real" if stretch.answer.answer == "real" else "false"


def level_of(scores: Sequence[float], rules: DebounceRules) -> float:
    """Return the highest threshold at which these scores still raise an alarm, to within one score.

    Args:
        scores: Scores of consecutive samples.
        rules: Conditions under which scores become events.

    >>> level_of([0.1, 3.0, 5.0, 4.0, 0.1], DebounceRules(minimum=2, off=0.8))
    3.999999999996
    """
    # a score stops counting towards an alarm at its own value, and begins to interrupt one where `off` brings it there
    ends = {limit for score in scores if score > 0 for limit in (score, score / rules.off)}
    candidates = sorted(limit * BELOW for limit in ends)
    low, high = 0, len(candidates)  # a lower threshold raises whatever a higher one does
    while low < high:
        middle = (low + high) // 2
        if _raises(scores, rules, candidates[middle]):
            low = middle + 1
        else:
            high = middle
    return candidates[low - 1] if low else 0.0


def _raises(scores: Sequence[float], rules: DebounceRules, threshold: float) -> bool:
    debounce = Debounce(("score",), rules=rules)
    return any(debounce.update(at, None, score, threshold, (score,)) for at, score in enumerate(scores))
