"""An MQTT broker as a source: one JSON sample a message, or one topic a channel."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Address
from ..io.mqtt import BrokerOptions, connect, reason
from ..io.timestamps import stamp
from .column_mapping import Columns, Row
from .csv_cells import number
from .line_reader import LONGEST, WAIT
from .live import Grid, LiveSource, Rounds
from .sample import Sample

log = logging.getLogger("edgelstm")
WAITING = 10_000  # messages held while the model is busy; newer ones are dropped and counted


@dataclass(frozen=True)
class MqttSourceOptions(BrokerOptions):
    """How samples come from a broker."""

    every: float = 0.0
    """With one topic a channel: seconds between samples of the latest values; 0 for a sample a round of messages."""


class MqttSource(LiveSource):
    """Samples from MQTT messages.

    A JSON object or array is a whole sample. Any other message is one channel's number; the channel is called like the
    topic's end. Retained messages are old news and passed over.

    Args:
        spec: Broker and topic, which may hold the wildcards + and #.
        options: Credentials, and the interval for one topic a channel.
        columns: Which channels feed the model.
    """

    def __init__(self, spec: Address, options: MqttSourceOptions, columns: Columns) -> None:
        if not spec.target:
            raise ConfigError(f"{spec.name} names no topic. Write mqtt://HOST/TOPIC, + and # are wildcards.")
        super().__init__(columns, spec.name)
        self.spec, self.options, self.columns = spec, options, columns
        self.dropped = 0
        self._trouble = ""
        self._messages: queue.Queue[tuple[float, str, bytes]] = queue.Queue(WAITING)
        self._topics: dict[str, int | None] = {}
        self._rounds = Rounds(len(columns.names))
        self._grid = Grid(len(columns.names), options.every) if options.every > 0 else None

    @property
    def skipped(self) -> int:
        """See `Source`."""
        return self.rows.bad + self.dropped

    def __iter__(self) -> Iterator[Sample]:
        client = connect(self.spec, self.options, self._prepare)
        try:
            while not self._stop.is_set():
                yield from self._waiting()
        finally:
            client.disconnect()
            client.loop_stop()

    def _waiting(self) -> Iterator[Sample]:
        """What the next message or the passing of time gives."""
        wait = min(WAIT, self._grid.every / 4) if self._grid else WAIT
        try:
            moment, topic, payload = self._messages.get(timeout=wait)
        except queue.Empty:
            pass
        else:
            sample = self._sample(moment, topic, payload)
            if sample is not None:
                yield sample
        row = self._grid.due() if self._grid else None
        if row is not None:
            yield self._row(row, time.time())

    def _sample(self, moment: float, topic: str, payload: bytes) -> Sample | None:
        text = payload.decode("utf-8", "replace").strip()
        if text[:1] in ("{", "["):
            self.rows.clock = lambda: moment
            return self.rows.line(text)
        channel = self._channel(topic)
        value = number(text)
        if channel is None or value is None:
            self._bad(topic, text)
            return None
        if self._grid is not None:
            self._grid.put(channel, value)
            return None
        row = self._rounds.put(channel, value)
        return None if row is None else self._row(row, moment)

    def _row(self, values: list[float], moment: float) -> Sample:
        return self.rows.sample(Row(values, moment, stamp(moment)))

    def _channel(self, topic: str) -> int | None:
        """The channel whose name ends the topic, remembered for a bounded number of topics."""
        if topic not in self._topics and len(self._topics) < WAITING:
            names = self.columns.names
            self._topics[topic] = next((i for i, n in enumerate(names) if f"/{topic}".endswith(f"/{n}")), None)
        return self._topics.get(topic)

    def _bad(self, topic: str, text: str) -> None:
        self.rows.bad += 1
        if self.rows.bad == 1:
            log.warning("%s: a message is passed over: %s %.40r", self.name, topic, text)

    def _prepare(self, client: Any) -> None:
        client.on_connect, client.on_message, client.on_connect_fail = self._connected, self._message, self._failed

    def _connected(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            log.warning("%s: the broker refuses: %s", self.name, str(code).lower())
        else:
            self._trouble = ""
            client.subscribe(self.spec.target, self.options.qos)

    def _failed(self, client: Any, userdata: Any) -> None:
        why = reason() or "no connection"
        if why != self._trouble:
            log.warning("%s: %s; trying again", self.name, why)
        self._trouble = why

    def _message(self, client: Any, userdata: Any, message: Any) -> None:
        if message.retain or len(message.payload) > LONGEST:
            return
        try:
            self._messages.put_nowait((time.time(), message.topic, message.payload))
        except queue.Full:
            self.dropped += 1
            if self.dropped == 1:
                log.warning("%s: messages come faster than they are scored; some are dropped", self.name)
