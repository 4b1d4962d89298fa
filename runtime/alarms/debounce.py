"""Deciding: from scores to alarms, with hysteresis, a minimum duration and a cool-down.

Scoring says how unusual a sample is; this says when to call somebody.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import ConfigError
from .events import Event

LEAST_SHARE = 0.1  # a channel with less than a tenth of an event's excess did not cause it


@dataclass(frozen=True)
class Decision:
    """When a run of scores above the threshold becomes an event, and when the event is over.

    Counts are samples: a device that was trained at one sample a second counts seconds.
    """

    off: float = 0.8
    """The event ends below this fraction of the threshold (hysteresis), 0 to 1."""
    minimum: int = 2
    """Samples above the threshold, not interrupted by one below `off`, before an event opens."""
    cooldown: int = 10
    """Samples in a row below `off` before an event closes; an alarm that returns sooner continues the same event."""

    def __post_init__(self) -> None:
        if not 0 < self.off <= 1:
            raise ConfigError(f"The off threshold is a fraction in (0, 1]; received {self.off}.")
        if self.minimum < 1 or self.cooldown < 1:
            raise ConfigError(
                f"Minimum duration and cool-down are at least 1 sample; received {self.minimum} and {self.cooldown}."
            )

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Decision:
        """From the `decision` section of a model's metadata; keys of a later version are ignored."""
        known = {item.name for item in fields(cls)}
        try:
            return cls(**{name: value for name, value in section.items() if name in known})
        except (TypeError, AttributeError) as error:
            raise ConfigError(f"The model's alarm rules are damaged ({error}). Convert it again.") from error


@dataclass
class _Run:
    """A stretch above the threshold: a candidate until it is long enough, then an event."""

    index: int
    start: float | None
    end: float | None
    peak: float
    parts: list[float]  # sums of squares
    above: int = 1
    quiet: int = 0
    id: str = ""


class Decider:
    """Opens and closes anomaly events.

    Args:
        names: Channel names, F of them.
        identity: What tells this model's events from another's; part of each event's id.
        decision: The rules.

    >>> decider = Decider(["flow"], decision=Decision(minimum=2, cooldown=2))
    >>> scores = [0.1, 3.0, 5.0, 4.0, 0.1, 0.1]
    >>> found = [decider.update(i, float(i), score, 1.0, (1.0,)) for i, score in enumerate(scores)]
    >>> [(event.state, event.start, event.end, event.peak) for event in found if event]
    [('open', 1.0, None, 5.0), ('closed', 1.0, 3.0, 5.0)]
    """

    def __init__(
        self, names: tuple[str, ...] | list[str], identity: str = "", decision: Decision | None = None
    ) -> None:
        self.names = tuple(names)
        self.identity = identity
        self.decision = decision or Decision()
        self._run: _Run | None = None

    @property
    def active(self) -> bool:
        """Whether an event is open."""
        return self._run is not None and bool(self._run.id)

    def update(
        self, index: int, time: float | None, score: float, threshold: float, parts: Sequence[float]
    ) -> Event | None:
        """Take the newest score.

        Args:
            index: Number of the sample in the stream, from 0.
            time: Its time; None counts rows.
            score: Anomaly score.
            threshold: The on threshold in force.
            parts: Each channel's part of the score, shape (F,).

        Returns:
            The event that this sample opened or closed, mostly None.
        """
        run = self._run
        if run is None:
            if score <= threshold:
                return None
            at = float(index) if time is None else time
            run = self._run = _Run(index, at, at, score, [part * part for part in parts])
        elif score <= threshold * self.decision.off:
            return self._quiet(run)
        else:
            self._continue(run, index, time, score, threshold, parts)
        return self._open(run) if not run.id and run.above >= self.decision.minimum else None

    def finish(self) -> Event | None:
        """Close an open event, as at the end of a stream."""
        run, self._run = self._run, None
        return self._event(run, "closed") if run is not None and run.id else None

    def _continue(
        self, run: _Run, index: int, time: float | None, score: float, threshold: float, parts: Sequence[float]
    ) -> None:
        run.quiet = 0
        run.above += score > threshold
        run.end = float(index) if time is None else time
        run.peak = max(run.peak, score)
        run.parts = [a + b * b for a, b in zip(run.parts, parts, strict=True)]

    def _quiet(self, run: _Run) -> Event | None:
        if not run.id:
            self._run = None
            return None
        run.quiet += 1
        return self.finish() if run.quiet >= self.decision.cooldown else None

    def _open(self, run: _Run) -> Event:
        run.id = event_id(self.identity, "anomaly", "", run.index, run.start)
        return self._event(run, "open")

    def _event(self, run: _Run, state: str) -> Event:
        end = run.end if state == "closed" else None
        return Event(run.id, "anomaly", state, run.start, end, run.peak, causes(self.names, run.parts))

    def state(self) -> dict[str, Any] | None:
        """What `restore` needs, as plain JSON types."""
        return None if self._run is None else asdict(self._run)

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from what `state` gave."""
        self._run = None if state is None else _Run(**state)


def causes(names: Sequence[str], parts: Sequence[float]) -> tuple[str, ...]:
    """The channels whose parts are a tenth of the sum at least, strongest first.

    >>> causes(("flow", "motor", "level"), (1.0, 8.0, 0.1))
    ('motor', 'flow')
    """
    order = sorted(range(len(parts)), key=lambda i: -parts[i])
    least = LEAST_SHARE * math.fsum(parts)  # sum() rounds differently from Python 3.12 on
    strong = [names[i] for i in order if parts[i] >= least]
    return tuple(strong or [names[order[0]]])


def event_id(identity: str, kind: str, reason: str, index: int, start: float | None) -> str:
    """An id that the same model and stream always give, and another stretch does not.

    >>> event_id("pump", "anomaly", "", 7, 7.0) == event_id("pump", "anomaly", "", 7, 7.0)
    True
    """
    return hashlib.sha256(f"{identity}|{kind}|{reason}|{index}|{start!r}".encode()).hexdigest()[:16]
