"""MQTT topics of a stream's records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Topics:
    """MQTT topic names."""

    base: str
    """Common beginning of all."""

    @property
    def status(self) -> str:
        """Retained: online or offline."""
        return f"{self.base}/status"

    @property
    def model(self) -> str:
        """Retained: name, version, group, hash, trial and last error of the model at work, where updates are configured."""
        return f"{self.base}/model"

    @property
    def anomaly(self) -> str:
        """Retained: ON while an anomaly event is open, else OFF."""
        return f"{self.base}/anomaly"

    @property
    def unreliable(self) -> str:
        """Retained: ON while forecasts are unreliable, else OFF; of a forecaster."""
        return f"{self.base}/unreliable"

    @property
    def answer(self) -> str:
        """Answers to alarms, read: `{"event": ID, "answer": "real"}`, or false or normal."""
        return f"{self.base}/answer"

    def of(self, record: dict[str, Any]) -> str:
        """Return the topic of an event, a score or a forecast."""
        return f"{self.base}/{record['type']}"
