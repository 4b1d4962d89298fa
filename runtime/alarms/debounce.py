"""From scores to alarms, with hysteresis, a minimum duration and a cool-down.

A score says how unusual a sample is; this decides when to call somebody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .events import Event, strongest
from .tracker import EventTracker, Excursion, Level

if TYPE_CHECKING:
    from .shape import AlarmShape

KEY = ""  # an anomaly has no reason, and there is one at a time


@dataclass(frozen=True)
class DebounceRules:
    """Conditions under which scores above the threshold become an event, and the event ends.

    Counts are samples: a device that was trained at one sample a second counts seconds.
    """

    off: float = 0.8
    """Fraction of the threshold, 0 to 1, below which the event ends (hysteresis)."""
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
    def of(cls, section: Mapping[str, Any]) -> DebounceRules:
        """Read the `decision` section of a model's metadata; keys of a later version are ignored.

        Raises:
            ConfigError: If a value is impossible.
        """
        known = {item.name for item in fields(cls)}
        try:
            return cls(**{name: value for name, value in section.items() if name in known})
        except (TypeError, AttributeError) as error:
            raise ConfigError(f"The model's alarm rules are damaged ({error}). Convert it again.") from error


class Debounce:
    """Anomaly events of one stream.

    Args:
        names: Channel names, F of them.
        identity: Text that tells this model's events from another's; part of each event's id.
        rules: Conditions for opening and closing an event; None for the defaults.
        harmless: Shapes of alarms that were called false: what such a shape covers opens none.

    >>> debounce = Debounce(["flow"], rules=DebounceRules(minimum=2, cooldown=2))
    >>> scores = [0.1, 3.0, 5.0, 4.0, 0.1, 0.1]
    >>> events = [debounce.update(i, float(i), score, 1.0, (1.0,)) for i, score in enumerate(scores)]
    >>> [(event.state, event.start, event.end, event.peak) for event in events if event]
    [('open', 1.0, None, 5.0), ('closed', 1.0, 3.0, 5.0)]
    """

    def __init__(
        self,
        names: Sequence[str],
        identity: str = "",
        rules: DebounceRules | None = None,
        harmless: Sequence[AlarmShape] = (),
    ) -> None:
        self.names = tuple(names)
        self.rules = rules or DebounceRules()
        self.harmless = tuple(harmless)
        self._tracker = EventTracker("anomaly", identity, self.rules.minimum, self.rules.cooldown, self._is_harmless)
        self._squares = [0.0] * len(self.names)
        self._opening: tuple[float, ...] = ()  # shares of the channels when the present event opened, or would have

    def _is_harmless(self, excursion: Excursion) -> bool:
        if not excursion.held:
            total = math.fsum(self._squares) or 1.0
            self._opening = tuple(square / total for square in self._squares)
        return bool(self.harmless) and any(shape.covers(self._shape(excursion)) for shape in self.harmless)

    def _shape(self, excursion: Excursion) -> AlarmShape:
        from .shape import AlarmShape  # few devices need it

        return AlarmShape(self._opening, excursion.peak or 0.0, excursion.rows)

    @property
    def shape(self) -> AlarmShape | None:
        """Shape of the open event so far; None while there is none."""
        return next((self._shape(one) for one in self._tracker.excursions.values() if one.id), None)

    @property
    def active(self) -> bool:
        """True while an event is open."""
        return self._tracker.active

    def update(
        self, index: int, time: float | None, score: float, threshold: float, parts: Sequence[float]
    ) -> Event | None:
        """Take the newest score.

        Args:
            index: Number of the sample in the stream, from 0.
            time: Its time; None counts rows.
            score: Anomaly score.
            threshold: The threshold in force.
            parts: Each channel's part of the score, shape (F,).

        Returns:
            The event that this sample opened or closed, None for neither.
        """
        if not self._tracker.excursions:
            if score <= threshold:
                return None  # nearly every sample
            self._squares = [0.0] * len(self.names)
        if score <= threshold * self.rules.off:
            return self._tracker.observe(KEY, index, time, Level.QUIET)
        self._squares = [total + part * part for total, part in zip(self._squares, parts, strict=True)]
        level = Level.ACTIVE if score > threshold else Level.BETWEEN
        return self._tracker.observe(KEY, index, time, level, score, strongest(self.names, self._squares))

    @property
    def begun(self) -> bool:
        """True from the first sample above the threshold on, while an event may open or is open."""
        return bool(self._tracker.excursions)

    def finish(self) -> tuple[Event, ...]:
        """Close an open event, as at the end of a stream."""
        return self._tracker.finish()

    def to_state(self) -> dict[str, Any]:
        """Return the excursion, each channel's sum of squared parts in it, and its shares at the opening, as plain JSON types."""
        return {"excursions": self._tracker.to_state(), "squares": self._squares, "opening": list(self._opening)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self._tracker.restore(state["excursions"])
        self._squares = list(map(float, state["squares"]))
        self._opening = tuple(map(float, state["opening"]))
