"""Where results go: anything with `take(sample, result)`, `event(event)` and `close()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..alarms.events import Event, Result
from ..errors import ConfigError
from ..io.addresses import Spec, build
from ..sources.sample import Sample
from .jsonl import EventLines, ScoreLines
from .score_csv import ScoreTable
from .spool import Spool
from .store_and_forward import Delivery, DeliveryError, Forwarder

__all__ = [
    "Delivery",
    "DeliveryError",
    "EventLines",
    "Forwarder",
    "ScoreLines",
    "ScoreTable",
    "Sink",
    "Spool",
    "plan_delivery",
]


class Sink(Protocol):
    """A taker of results. It never holds up scoring for long."""

    def take(self, sample: Sample, result: Result) -> None:
        """What one sample gave."""

    def event(self, event: Event) -> None:
        """An event that opened or closed."""

    def close(self) -> None:
        """Write out what is still held."""


def plan_delivery(spec: Spec, model: str, scores: bool) -> Callable[[], Delivery]:
    """Check a sink's address and options; what is returned opens it.

    Args:
        spec: mqtt, mqtts, http, https, sqlite, file or command.
        model: The model's name.
        scores: Whether samples are sent too.

    Raises:
        ConfigError: If there is no such kind of sink, an option is unknown, or an extra is missing.
    """
    where = f"The sink {spec.name}"
    if spec.scheme in ("mqtt", "mqtts"):
        from ..io.mqtt import load
        from .mqtt import MqttDelivery, MqttSinkOptions

        load()
        mqtt = build(MqttSinkOptions, spec.options, where)
        return lambda: MqttDelivery(spec, mqtt, model, scores)
    if spec.scheme in ("http", "https"):
        from .webhook import WebhookDelivery, WebhookOptions

        webhook = build(WebhookOptions, spec.options, where)
        return lambda: WebhookDelivery(spec, webhook)
    if spec.scheme == "sqlite":
        from .sqlite import SqliteDelivery, SqliteOptions

        sqlite = build(SqliteOptions, spec.options, where)
        return lambda: SqliteDelivery(spec, sqlite)
    if spec.scheme == "file":
        from .jsonl_file import FileDelivery, FileOptions

        file = build(FileOptions, spec.options, where)
        return lambda: FileDelivery(spec, file)
    if spec.scheme == "command":
        from .command import CommandDelivery

        return lambda: CommandDelivery(spec)
    kinds = "mqtt://, mqtts://, http://, https://, sqlite:, file: and command:"
    raise ConfigError(f"{where} is of an unknown kind. Its address begins with one of {kinds}")
