"""Sink to an MQTT broker: events, scores, a retained status with a last will, Home Assistant discovery."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import EdgelstmError
from ..io.addresses import Address
from ..io.mqtt import BrokerOptions, connect, disconnect, reason
from ..model_file.bounded_json import load_json
from .delivery import DeliveryError, Stream
from .discovery import discovery
from .jsonl import compact
from .topics import Topics

IN_FLIGHT = 20  # messages sent before the first must be acknowledged; what paho and most brokers take
log = logging.getLogger("edgelstm")
LONGEST_ANSWER = 4096  # bytes of an answer to an alarm
ANSWER = 5.0  # seconds without any acknowledgement after which the broker counts as gone


@dataclass(frozen=True)
class MqttSinkOptions(BrokerOptions):
    """Settings of a sink to a broker."""

    discovery: str = ""
    """Prefix of Home Assistant's discovery topics, mostly homeassistant; empty for none."""


class MqttDelivery:
    """Publisher of records in order, which counts them as delivered when the broker has acknowledged them.

    A message is handed to paho once; paho sends it again after a lost connection. New ones follow only when all
    before them are acknowledged, so that nothing overtakes what is being sent again.

    Args:
        address: Broker and base topic; without a topic it is `edgelstm/MODEL`.
        options: Credentials, discovery.
        stream: The stream whose records are published.

    Raises:
        ConfigError: If paho-mqtt is missing, or a certificate or password file cannot be read.
    """

    Options = MqttSinkOptions
    longest_wait = 0.0

    def __init__(self, address: Address, options: MqttSinkOptions, stream: Stream) -> None:
        self.name, self.options, self.stream = address.name, options, stream
        self.topics = Topics(address.target.strip("/") or f"edgelstm/{stream.model}")
        self._sent: deque[int] = deque()
        self._answered: set[int] = set()
        self._changed = threading.Condition()
        self._refusal = ""
        self._facts: dict[str, Any] = {}
        self._reliable: bool | None = None
        self._up = self._ending = False
        self._answer: Callable[[str, str, str], None] | None = None
        self._client = connect(address, options, self._prepare)

    def _prepare(self, client: Any) -> None:
        client.will_set(self.topics.status, "offline", qos=1, retain=True)
        client.max_inflight_messages_set(IN_FLIGHT)
        client.on_connect, client.on_disconnect, client.on_publish = self._connected, self._lost, self._acknowledged
        client.on_connect_fail = self._failed
        client.on_message = self._answered_by_message

    def _connected(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        with self._changed:
            self._up = not code.is_failure
            self._refusal = str(code).lower() if code.is_failure else ""
            self._changed.notify_all()
        if code.is_failure:
            return
        client.publish(self.topics.status, "online", qos=1, retain=True)
        client.subscribe(self.topics.answer, qos=1)
        if self._facts:
            client.publish(self.topics.model, compact(self._facts), qos=1, retain=True)
        if self.options.discovery:
            topic, payload = discovery(self.options.discovery, self.topics, self.stream)
            client.publish(topic, compact(payload), qos=1, retain=True)

    def _failed(self, client: Any, userdata: Any) -> None:
        with self._changed:
            self._refusal = reason() or "no connection"
            self._changed.notify_all()

    def _lost(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        with self._changed:
            self._up = False
            self._changed.notify_all()

    def _acknowledged(self, client: Any, userdata: Any, number: int, code: Any, properties: Any) -> None:
        with self._changed:
            self._answered.add(number)
            self._changed.notify_all()

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        if not self._sent:
            self._wait_for_connection()
            self._answered.clear()
            for record in records[:IN_FLIGHT]:
                self._publish(record)
        count = self._acknowledgements()
        if not count:
            raise DeliveryError(self._refusal or ("no answer" if self._up else "not connected"))
        return count

    def _wait_for_connection(self) -> None:
        with self._changed:
            self._refusal = ""  # the next one is news
            self._changed.wait_for(lambda: self._up or self._ending or self._refusal, ANSWER)
            if not self._up:
                raise DeliveryError(self._refusal or "not connected")

    def _publish(self, record: dict[str, Any]) -> None:
        qos = max(1, self.options.qos)
        kept = record["type"] == "forecast"  # it stays for who comes later: it is about moments to come
        if record["type"] == "event" and record.get("kind") == "anomaly":
            state = "ON" if record["state"] == "open" else "OFF"
            self._client.publish(self.topics.anomaly, state, qos=qos, retain=True)
        if kept and self._reliable != record["quality"]["reliable"]:
            self._reliable = bool(record["quality"]["reliable"])
            self._client.publish(self.topics.unreliable, "OFF" if self._reliable else "ON", qos=qos, retain=True)
        # paho keeps and sends it later even where it says that there is no connection now
        message = self._client.publish(self.topics.of(record), compact(record), qos=qos, retain=kept)
        self._sent.append(message.mid)

    def _acknowledgements(self) -> int:
        """Count the oldest messages that are acknowledged; wait for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._sent[0] in self._answered or self._ending, ANSWER)
            count = 0
            while self._sent and self._sent[0] in self._answered:
                self._sent.popleft()
                count += 1
        return count

    def listen(self, answer: Callable[[str, str, str], None]) -> None:
        """See `TakesAnswers`."""
        self._answer = answer

    def _answered_by_message(self, client: Any, userdata: Any, message: Any) -> None:
        if self._answer is None or message.retain:  # one that was kept has been heard at an earlier start
            return
        try:
            record = load_json(message.payload[:LONGEST_ANSWER])
            self._answer(str(record["event"]), str(record["answer"]), "mqtt")
        except (EdgelstmError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: not an answer to an alarm (%s)", self.name, error)

    def announce(self, facts: dict[str, Any]) -> None:
        """See `Delivery`."""
        with self._changed:
            self._facts, up = facts, self._up
        if up:  # else when the connection is there
            self._client.publish(self.topics.model, compact(facts), qos=1, retain=True)

    def stop_waiting(self) -> None:
        """See `Delivery`."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def close(self) -> None:
        """Publish that this sink is offline, and disconnect."""
        if self._up:
            farewell = self._client.publish(self.topics.status, "offline", qos=1, retain=True)
            with self._changed:
                self._changed.wait_for(lambda: farewell.mid in self._answered or not self._up, ANSWER)
        disconnect(self._client)
