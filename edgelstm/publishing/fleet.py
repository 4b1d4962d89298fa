"""Reports of devices, read back from the retained topics of a broker.

A broker and its publishers may be hostile: a report is text of bounded length that is shown and counted, never more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..runtime.errors import ConfigError
from ..runtime.io.addresses import build_options, parse_address
from ..runtime.io.mqtt import BrokerOptions, connect, disconnect, reason

LONGEST = 4096  # bytes of a report
MOST = 100_000  # devices
QUIET = 1.0  # seconds without a further report, after which all retained ones are here
PATIENCE = 10.0  # seconds for a connection


@dataclass(frozen=True)
class Report:
    """Report of a device about its model."""

    topic: str
    """Base topic of the device."""
    online: bool | None
    """True if it is connected, None when it does not say."""
    name: str
    """Name of the model."""
    version: int
    """Version of the model."""
    group: str
    """Group of the device."""
    digest: str
    """SHA-256 of the model's file, hex."""
    trial: bool
    """True if the trial time runs."""
    error: str
    """The last error, empty for none."""

    @property
    def trouble(self) -> str:
        """Reason for which its model should go no further, empty for none."""
        if self.error:
            return self.error
        if self.online is False:
            return "it is offline"
        return "its trial time runs" if self.trial else ""


def read_fleet(broker: str, patience: float = PATIENCE) -> list[Report]:
    """Read the retained reports of all devices, in the order of their topics.

    Args:
        broker: Address as of a source, such as mqtt://broker/plant/#.
        patience: Seconds for a connection.

    Raises:
        ConfigError: If the broker cannot be reached, or is no address of one.
    """
    address = parse_address(broker)
    if address.scheme not in ("mqtt", "mqtts"):
        raise ConfigError(f"A fleet is read from a broker, as in mqtt://broker/plant/#; received {address.name}.")
    inbox = _Inbox(address.target or "#")
    client = connect(address, build_options(BrokerOptions, address.options, address.name), inbox.prepare)
    try:
        inbox.wait(patience, address.name)
    finally:
        disconnect(client)
    return sorted(_reports(inbox.texts), key=lambda report: report.topic)


class _Inbox:
    """Retained messages of one subscription."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.texts: dict[str, bytes] = {}
        self._ready, self._newest, self._failure = threading.Event(), time.monotonic(), "no answer"

    def prepare(self, client: Any) -> None:
        """Set the callbacks."""
        client.on_connect, client.on_message = self._connected, self._take
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_connect_fail = self._failed

    def _connected(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._failure = str(code).lower()
        else:
            client.subscribe(self.topic, 1)

    def _failed(self, client: Any, userdata: Any) -> None:
        self._failure = reason() or "no connection"

    def _take(self, client: Any, userdata: Any, message: Any) -> None:
        self._newest = time.monotonic()
        ours = message.topic.endswith(("/model", "/status"))
        if message.retain and ours and len(message.payload) <= LONGEST and len(self.texts) < 2 * MOST:
            self.texts[message.topic] = message.payload

    def wait(self, patience: float, name: str) -> None:
        """Wait until no further report comes.

        Args:
            patience: Seconds for a connection.
            name: Name of the broker, for the error.

        Raises:
            ConfigError: If it cannot be reached.
        """
        if not self._ready.wait(patience):
            raise ConfigError(f"{name} cannot be read: {self._failure}. Check the address and the password.")
        self._newest = time.monotonic()
        while time.monotonic() < self._newest + QUIET:
            time.sleep(0.05)


def _reports(texts: dict[str, bytes]) -> Iterable[Report]:
    for topic, text in texts.items():
        base, _, end = topic.rpartition("/")
        if end != "model":
            continue
        try:
            facts = json.loads(text)
            status = texts.get(f"{base}/status")
            online = None if status is None else status == b"online"
            words = {key: str(facts[key]) for key in ("name", "group", "digest", "error")}
            yield Report(base, online, version=int(facts["version"]), trial=bool(facts["trial"]), **words)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            yield Report(base, None, "", 0, "", "", False, "its report cannot be read")


def check_canaries(reports: Iterable[Report], name: str, group: str, digest: str) -> None:
    """Refuse to promote a model with which the devices of its group are not content.

    Args:
        reports: Reports of the fleet.
        name: Name of the model.
        group: The group that has it.
        digest: SHA-256 of its file, hex.

    Raises:
        ConfigError: If no device of the group runs it, one does not yet, or one reports trouble.
    """
    canaries = [
        report for report in reports if (report.name == name or not report.name) and report.group in (group, "")
    ]
    if not canaries:
        raise ConfigError(f"No device of the group {group} reports the model {name}. Wait for one, or use --force.")
    for report in canaries:
        trouble = report.trouble or ("" if report.digest == digest else f"it runs version {report.version} still")
        if trouble:
            raise ConfigError(
                f"{report.topic} of the group {group}: {trouble}. Wait, publish another model, or use --force."
            )
