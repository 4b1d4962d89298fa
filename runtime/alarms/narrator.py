"""Narrator of a stream: gives every event its sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo

from ..languages.catalogue import ENGLISH, Catalogue, find_catalogue
from .events import Event
from .local_time import Clock, find_zone, has_zone
from .sentences import sentence

MINUTE = 60.0  # seconds between samples from which on seconds are left out


@dataclass(frozen=True)
class Narrator:
    """Language and time zone of a device."""

    words: Catalogue = ENGLISH
    """Words of its language."""
    zone: tzinfo | None = None
    """Its time zone; None for the system's."""

    @classmethod
    def of(cls, language: str, zone: str) -> Narrator:
        """Return the narrator of a configuration.

        Args:
            language: Code of the language, as of `languages()`.
            zone: Name of the time zone; empty for the system's.

        Raises:
            ConfigError: If one of them is not known.
        """
        return cls(find_catalogue(language), find_zone(zone))

    def tell(self, event: Event, label: str = "", period: float | None = None) -> Event:
        """Return the event with its sentence.

        Args:
            event: The event.
            label: A time as the source writes it: without a zone, times are shown as they came.
            period: Seconds between samples, None when unknown.
        """
        clock = Clock(self.zone, bool(label) and not has_zone(label), (period or 0.0) < MINUTE)
        return replace(event, text=sentence(event, self.words, clock))
