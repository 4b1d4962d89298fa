"""Messages of an MQTT subscription, received in a thread of paho's and read in the source's own."""

from __future__ import annotations

import hashlib
import logging
import queue
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..io.addresses import Address
from ..io.mqtt import BrokerOptions, connect, disconnect, reason
from .line_reader import LONGEST

log = logging.getLogger("edgelstm")
WAITING = 10_000  # messages held while the model is busy; newer ones are dropped and counted
WAITING_BYTES = 64 << 20  # bytes held, as many messages may be long
REMEMBERED = 1000  # messages known as read, for the broker's repetitions after a lost connection
LAST_WORD = 3.0  # seconds that a stop waits at the most for the broker to have read the acknowledgements
SESSIONS = ("clean", "persistent")


@dataclass(frozen=True)
class InboxOptions(BrokerOptions):
    """Settings of a subscription."""

    session: str = "clean"
    """`persistent` lets the broker keep messages while this client is away; `clean` gets only those sent meanwhile."""

    def __post_init__(self) -> None:
        """Check the session too.

        Raises:
            ConfigError: As `BrokerOptions`, or if the session is of no kind.
        """
        super().__post_init__()
        if self.session not in SESSIONS:
            raise ConfigError(f"session is {' or '.join(SESSIONS)}; received {self.session!r}.")
        if self.session == "persistent" and self.qos != 1:
            raise ConfigError(f"session=persistent requires qos=1; received {self.qos}.")


class Message(NamedTuple):
    """One message."""

    moment: float
    """Time of arrival, seconds since 1970."""
    topic: str
    """Its topic."""
    payload: bytes | None
    """Its content; None for one that is too long."""
    number: int
    """The broker's number for it, to acknowledge it by."""
    connection: int
    """Number of the connection that it came by."""


class Inbox:
    """A subscription's messages, in order.

    With a persistent session a message is acknowledged once it has been dealt with: the broker repeats what a killed
    process had not dealt with, and a repetition of what it had is left out. After `close` it repeats none that was dealt with.

    Args:
        address: Broker and topic.
        options: Credentials, session, quality of service.
    """

    def __init__(self, address: Address, options: InboxOptions) -> None:
        self.address, self.options, self.name = address, options, address.name
        self.dropped = 0
        """Messages for which there was no room."""
        self._persistent = options.session == "persistent"
        self._queue: queue.Queue[Message] = queue.Queue()
        self._bytes = self._connection = 0
        self._guard = threading.Lock()
        self._read: deque[tuple[int, str, bytes | None]] = deque(maxlen=REMEMBERED)
        self._answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._failure = ""
        self._client: Any = None

    def open(self) -> None:
        """Begin to connect, and go on trying for ever."""
        session = (self.options.client_id or client_name(self.address)) if self._persistent else ""
        self._client = connect(self.address, self.options, self._prepare, session)

    def get(self, timeout: float) -> Message | None:
        """Return the next message, None if there is none within some seconds."""
        try:
            message = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        with self._guard:
            self._bytes -= len(message.payload or b"")
        return message

    def done(self, message: Message) -> None:
        """Acknowledge a message that has been dealt with, where the session is persistent."""
        if not self._persistent:
            return
        self._read.append((message.number, message.topic, message.payload))
        if message.connection == self._connection:  # or else the broker repeats it, under a number it may reuse
            self._client.ack(message.number, self.options.qos)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message to the broker, which may get lost on the way.

        Args:
            topic: Its topic.
            payload: Its content.
        """
        self._client.publish(topic, payload, qos=0)

    def close(self) -> None:
        """Disconnect; where the session is persistent, not before the broker has read the acknowledgements."""
        if self._persistent and self._client.is_connected():
            self._await_broker()
        disconnect(self._client)

    def _await_broker(self) -> None:
        """Wait for the answer to a question asked after the acknowledgements.

        A connection that is closed while messages wait in its buffer is reset, and the broker loses what it has not read
        yet. The subscription, made once more, is the one question that paho asks and that changes nothing.
        """
        error, number = self._client.subscribe(self.address.target, self.options.qos)
        end = time.monotonic() + LAST_WORD
        with suppress(queue.Empty):
            while not error and self._answers.get(timeout=max(0.0, end - time.monotonic())) != number:
                pass

    def _prepare(self, client: Any) -> None:
        client.on_connect, client.on_message = self._connected, self._message
        client.on_connect_fail, client.on_subscribe = self._failed, self._answered

    def _connected(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._warn(f"the broker refuses: {str(code).lower()}")
            return
        self._failure = ""
        if self._persistent:
            self._discard_unread()
            if self._connection and not flags.session_present:
                log.warning("%s: the broker has forgotten the session; messages sent meanwhile are lost", self.name)
        self._connection += 1
        client.subscribe(self.address.target, self.options.qos)

    def _answered(self, client: Any, userdata: Any, number: int, codes: Any, properties: Any) -> None:
        self._answers.put(number)

    def _discard_unread(self) -> None:
        """Drop what waits: the broker sends it again by the new connection."""
        while self.get(0.0) is not None:
            pass

    def _failed(self, client: Any, userdata: Any) -> None:
        self._warn(f"{reason() or 'no connection'}; trying again")

    def _warn(self, failure: str) -> None:
        if failure != self._failure:
            log.warning("%s: %s", self.name, failure)
        self._failure = failure

    def _message(self, client: Any, userdata: Any, message: Any) -> None:
        if message.retain:  # old news: the state of some time before the subscription
            self._acknowledge_at_once(message)
            return
        payload = message.payload if len(message.payload) <= LONGEST else None
        if message.dup and (message.mid, message.topic, payload) in self._read:
            self._acknowledge_at_once(message)
            return
        size = len(payload or b"")
        if self._queue.qsize() >= WAITING or self._bytes + size > WAITING_BYTES:
            self.dropped += 1
            if self.dropped == 1:
                log.warning("%s: messages come faster than they are scored; some are dropped", self.name)
            return
        with self._guard:
            self._bytes += size
        self._queue.put(Message(time.time(), message.topic, payload, message.mid, self._connection))

    def _acknowledge_at_once(self, message: Any) -> None:
        if self._persistent:
            self._client.ack(message.mid, message.qos)


def client_name(address: Address) -> str:
    """Return a client identifier that stays the same for a device and a subscription, and differs between them."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    text = f"{machine} {socket.gethostname()} {address.identity}"
    return f"edgelstm-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
