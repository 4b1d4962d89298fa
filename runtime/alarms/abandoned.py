"""Events that were open when another model took the stream over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .events import Event
from .tracker import EventTracker


def close_abandoned(state: Mapping[str, Any]) -> tuple[Event, ...]:
    """Close the events that were open in a snapshot, for a model that takes the stream over from another one.

    Args:
        state: The snapshot of the model before.

    Raises:
        ValueError, KeyError, TypeError: If it is damaged.
    """
    alarms = state["alarms"]
    excursions = {
        "anomaly": alarms["debounce"]["excursions"],
        "sensor_fault": state["faults"],
        "drift": (alarms["drift"] or {}).get("excursions", {}),
    }
    closed: tuple[Event, ...] = ()
    for kind, known in excursions.items():
        tracker = EventTracker(kind, str(state["model"]))
        tracker.restore(known)
        closed += tracker.finish()
    return closed
