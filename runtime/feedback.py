"""Answers to alarms turned into shapes of harmless ones: fewer alarms of those called false, none lost of those called real.

Each alarm called false, or a new normal, becomes a shape: its channels, its height and its length. From then on a stretch
that such a shape covers raises no alarm; one that is higher, longer or of other channels does. A shape that covers an alarm
called real is not taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .alarms.answers import Answer
from .alarms.shape import AlarmShape, distinct


@dataclass(frozen=True)
class Raised:
    """One alarm of recorded rows."""

    start: float
    """Time of its first sample, or its row."""
    end: float
    """Time of its last one."""
    shape: AlarmShape
    """Its channels, height and length."""

    def is_meant_by(self, answer: Answer) -> bool:
        """Tell whether an answer is about this alarm: they share a moment."""
        return answer.start <= self.end and (answer.end is None or answer.end >= self.start)


@dataclass(frozen=True)
class Feedback:
    """Effect of answers on the alarms of the recorded rows."""

    false: int
    """Alarms called false, or a new normal."""
    false_after: int
    """Those of them that are still raised."""
    real: int
    """Alarms called real."""
    real_after: int
    """Those of them that are still raised: all, as no shape is taken that covers one."""
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


def learn(
    raised: Sequence[Raised], answers: Sequence[Answer], known: Iterable[AlarmShape] = ()
) -> tuple[tuple[AlarmShape, ...], Feedback]:
    """Return the shapes of harmless alarms that answers ask for, and their effect.

    An alarm that two answers share, one of them *real*, is real.

    Args:
        raised: All alarms of the recorded rows, as they are raised without harmless shapes.
        answers: Answers to them.
        known: Harmless shapes of earlier answers; kept, but where they cover an alarm that is called real now.
    """
    real = [alarm for alarm in raised if _called(alarm, answers, {"real"})]
    false = [alarm for alarm in raised if alarm not in real and _called(alarm, answers, {"false", "normal"})]
    shapes = [
        shape
        for shape in (*known, *(alarm.shape for alarm in false))
        if not any(shape.covers(alarm.shape) for alarm in real)
    ]
    harmless = distinct(shapes)
    after = [sum(not _covered(alarm, harmless) for alarm in kind) for kind in (false, real)]
    unknown = sum(not any(alarm.is_meant_by(answer) for alarm in raised) for answer in answers)
    return harmless, Feedback(len(false), after[0], len(real), after[1], unknown)


def _called(alarm: Raised, answers: Sequence[Answer], words: set[str]) -> bool:
    return any(answer.answer in words and alarm.is_meant_by(answer) for answer in answers)


def _covered(alarm: Raised, shapes: Sequence[AlarmShape]) -> bool:
    return any(shape.covers(alarm.shape) for shape in shapes)
