"""Answers of people to alarms: real, false, or a new kind of normal operation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ModelError
from ..model_file.bounded_json import load_json
from .events import Event

ANSWERS = ("real", "false", "normal")
"""A real fault, a false alarm, and a new kind of normal operation."""
ANSWER_SCHEMA = 1
LARGEST = 16 << 20  # bytes of a file of answers


@dataclass(frozen=True)
class Answer:
    """One answer, with what is needed to find its alarm in recorded rows."""

    event: str
    """Id of the alarm."""
    answer: str
    """real, false or normal."""
    start: float
    """Time of the alarm's first sample, or its row."""
    end: float | None
    """Time of its last one; None where it was answered while it lasted."""
    peak: float
    """Its highest score until then."""
    channels: tuple[str, ...] = ()
    """Channels that caused it, strongest first."""
    at: float | None = None
    """Time of the answer, seconds since 1970."""
    by: str = ""
    """Way that it came: page or mqtt."""
    schema: int = ANSWER_SCHEMA
    """Schema version of the record."""

    @classmethod
    def of(cls, event: Event, answer: str, at: float, by: str) -> Answer:
        """Return the answer to an alarm.

        Args:
            event: The alarm.
            answer: real, false or normal.
            at: Time of the answer, seconds since 1970.
            by: Way that it came.

        Raises:
            ConfigError: If there is no such answer, or the event is no alarm that can be answered.
        """
        if answer not in ANSWERS:
            raise ConfigError(f"An answer is one of {', '.join(ANSWERS)}; received {answer[:40]!r}.")
        if event.kind != "anomaly" or event.start is None or event.peak is None:
            raise ConfigError(f"The event {event.id} is no anomaly: only anomalies are answered.")
        return cls(event.id, answer, event.start, event.end, event.peak, event.channels, at, by)

    def as_event(self) -> Event:
        """Return the answer as an event for the sinks."""
        identity = f"{self.event}.{self.answer}"
        return Event(identity, "answer", "closed", self.start, self.end, self.peak, self.channels, self.answer)

    def record(self) -> dict[str, Any]:
        """Return the answer as plain JSON types."""
        return {**vars(self), "channels": list(self.channels)}


def read_answers(path: Path | str) -> tuple[Answer, ...]:
    """Read a file of answers; of several answers to one alarm the newest counts.

    Raises:
        ConfigError: If the file cannot be read.
        ModelError: If a line is not an answer.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no file of answers {path}. They are given on the live page or over MQTT."
        ) from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror or error}.") from error
    if len(content) > LARGEST:
        raise ModelError(f"{path} is larger than {LARGEST >> 20} MB. Keep the newest answers only.")
    return newest(_parsed(line, path, number) for number, line in enumerate(content.splitlines(), 1) if line.strip())


def newest(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """Return the last answer to each alarm."""
    return tuple({answer.event: answer for answer in answers}.values())


def _parsed(line: bytes, path: Path, number: int) -> Answer:
    try:
        record = load_json(line)
        return _checked(record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{path}, line {number} is not an answer ({error}). Remove the line.") from error


def _checked(record: Mapping[str, Any]) -> Answer:
    if record["schema"] != ANSWER_SCHEMA:
        raise ValueError(f"schema {record['schema']!r}, this version reads {ANSWER_SCHEMA}")
    if record["answer"] not in ANSWERS:
        raise ValueError(f"{json.dumps(record['answer'])[:40]} is none of {', '.join(ANSWERS)}")
    start, peak = float(record["start"]), float(record["peak"])
    end = None if record["end"] is None else float(record["end"])
    if not all(map(math.isfinite, (start, peak, end or 0.0))):
        raise ValueError("a number that is none")
    channels = tuple(map(str, record["channels"]))
    at = record.get("at")
    return Answer(str(record["event"]), record["answer"], start, end, peak, channels, at, str(record.get("by", "")))
