"""Source of the metrics of one Sparkplug B edge node: births, aliases, sequence, deaths (Eclipse Sparkplug 3.0)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import ConfigError, SeriesError
from ..io.addresses import Address
from ..io.timestamps import is_epoch
from .column_mapping import Columns, Row
from .csv_cells import CellReader
from .line_reader import WAIT
from .live import LiveSource
from .mqtt_inbox import Inbox, InboxOptions, Message
from .sample import Sample
from .sparkplug_payload import MOST_METRICS, Metric, encode_rebirth, parse_payload
from .value_rows import ValueRows

log = logging.getLogger("edgelstm")
NAMESPACE = "spBv1.0"
FIRST_ASK, LONGEST_ASK = 2.0, 300.0  # seconds between requests for a birth, doubling until one comes


@dataclass(frozen=True)
class SparkplugOptions(InboxOptions):
    """Settings of a source from an edge node."""

    format: str = "sparkplug"
    """sparkplug."""
    group: str = ""
    """Group of the edge node."""
    node: str = ""
    """Name of the edge node."""
    device: str = ""
    """One device of it; empty for all, and the node itself."""
    every: float | None = None
    """Seconds between samples of the latest values; 0 for a sample at each change; None for the model's own interval."""

    def __post_init__(self) -> None:
        """Check the names, too.

        Raises:
            ConfigError: As `InboxOptions`, or if one is missing or none.
        """
        super().__post_init__()
        if self.format != "sparkplug":
            raise ConfigError(f"format is sparkplug; received {self.format!r}. Leave it out for JSON and plain values.")
        names = (self.group, self.node, self.device)
        if not self.group or not self.node or any(letter in name for name in names for letter in "+#/"):
            raise ConfigError("Sparkplug needs group=GROUP and node=NODE, names without +, # and /.")
        if (self.every or 0.0) < 0:
            raise ConfigError(f"every is not negative; received {self.every}.")


class SparkplugSource(LiveSource):
    """Samples of an edge node's metrics.

    What a birth has not told is not known: values that come before it are passed over and a birth is asked for, as after a
    gap in the sequence. After a death all values are NaN.

    Args:
        address: The broker's.
        options: Group, node, device.
        columns: Channels that feed the model, called like the metrics, or like their ends.
        period: The model's seconds between samples.
    """

    def __init__(self, address: Address, options: SparkplugOptions, columns: Columns, period: float | None) -> None:
        if address.target:
            raise ConfigError(
                f"{address.name}: Sparkplug's topics follow from group and node. Write mqtt://HOST/?format=sparkplug&…"
            )
        super().__init__(columns, f"{address.name}{options.group}/{options.node}")
        self.columns, self.options = columns, options
        self._inbox = Inbox(replace(address, target=f"{NAMESPACE}/{options.group}/+/{options.node}/#"), options)
        self._command = f"{NAMESPACE}/{options.group}/NCMD/{options.node}"
        self._rows = ValueRows(columns, (period or 0.0) if options.every is None else options.every)
        self._cells = CellReader(missing=columns.missing, origin=self.name, signals=columns.by_path)
        self._node = EdgeNode(columns.names)
        self.historical = self.unborn = self.gaps = self.asked = 0
        """Historical values left out; messages before a birth; gaps in the sequence; requests for a birth."""
        self._ask_at, self._ask_wait = 0.0, FIRST_ASK

    @property
    def skipped(self) -> int:
        """Messages and values that could not be used."""
        return self.rows.bad + self._inbox.dropped + self.historical + self.unborn

    def __iter__(self) -> Iterator[Sample]:
        self._inbox.open()
        try:
            while not self._stop.is_set():
                message = self._inbox.get(self._rows.wait(WAIT))
                for row in self._take(message) if message is not None else [self._rows.flush()]:
                    if row is not None:
                        yield self.rows.sample(row)
                if message is not None:
                    self._inbox.done(message)
                row = self._rows.due()
                if row is not None:
                    yield self.rows.sample(row)
        finally:
            self._inbox.close()

    def _take(self, message: Message) -> Iterator[Row | None]:
        try:
            yield from self._read(message)
        except SeriesError as error:
            self.rows.pass_over(error)

    def _read(self, message: Message) -> Iterator[Row | None]:
        kind, device = _topic(message.topic)
        if self.options.device and device not in ("", self.options.device):
            self._node.count_only(message, kind)
            return
        if message.payload is None:
            raise SeriesError(f"topic {message.topic}: a payload is too long")
        payload = parse_payload(message.payload)
        if kind == "NDEATH":
            yield from self._death(None)
            return
        if kind not in ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"):
            return
        if kind == "NBIRTH":
            self._born()
        in_order = self._node.in_order(payload.seq, birth=kind == "NBIRTH")
        if not in_order and self._node.known:
            self._gap()
        if kind == "DDEATH":
            yield from self._death(device)
            return
        moment = payload.moment if payload.moment is not None else message.moment
        yield from self._values(payload.metrics, device, kind.endswith("BIRTH"), moment, message.moment)

    def _born(self) -> None:
        self._node.reset()
        self._node.known, self._ask_wait = True, FIRST_ASK
        self.rows.fits = True

    def _gap(self) -> None:
        """Values may have changed unseen: none is known until it comes again."""
        self.gaps += 1
        if self.gaps == 1:
            log.warning("%s: a message is missing; asking for a birth", self.name)
        self._rows.forget()
        self._ask()

    def _death(self, device: str | None) -> Iterator[Row | None]:
        yield self._rows.flush()
        self._rows.forget(None if device is None else self._node.of_device(device))
        if device is None:
            self._node.reset()
            self._node.known = False

    def _values(
        self, metrics: tuple[Metric, ...], device: str, birth: bool, moment: float, arrival: float
    ) -> Iterator[Row | None]:
        if not birth and not self._node.known:
            self.unborn += 1
            if self.unborn == 1:
                log.warning("%s: data before a birth is passed over; asking for one", self.name)
            self._ask()
            return
        for metric in metrics:
            if birth:
                self._node.learn(metric, device)
            channel, kind = self._node.channel(metric, device)
            if channel is None:
                continue
            if metric.historical and self._rows.every:  # a row of the present has no place for it
                self.historical += 1
                continue
            at = moment if metric.moment is None else metric.moment
            yield self._rows.put(channel, self._number(metric.value(kind), channel), at if is_epoch(at) else arrival)
        if not self._rows.every:
            yield self._rows.flush()

    def _number(self, value: float | str | None, channel: int) -> float:
        if value is None or isinstance(value, float):
            return self._cells.measured(value) if value is not None and math.isfinite(value) else math.nan
        number = self._cells.read(value, self.columns.names[channel])
        if number is None:
            self.rows.count(SeriesError(f"{self.columns.names[channel]}: {value[:40]!r} is not a number"))
            return math.nan
        return number

    def _ask(self) -> None:
        """Ask for a birth, ever more slowly while none comes."""
        now = time.monotonic()
        if now < self._ask_at:
            return
        self._ask_at, self._ask_wait = now + self._ask_wait, min(2 * self._ask_wait, LONGEST_ASK)
        self.asked += 1
        self._inbox.publish(self._command, encode_rebirth(time.time()))


class EdgeNode:
    """Knowledge of an edge node from its births: aliases, types, and the sequence of its messages.

    `known` is true between a birth and a death.

    Args:
        names: The source's name of each channel.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names, self.known = names, False
        self.reset()

    def reset(self) -> None:
        """Forget what the last birth told; a new one begins."""
        self._aliases: dict[int, tuple[str, str]] = {}
        self._kinds: dict[tuple[str, str], int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        self._next: int | None = None

    def in_order(self, seq: int | None, birth: bool) -> bool:
        """Tell whether a message follows the one before.

        Args:
            seq: Its number.
            birth: Whether it is the node's birth, with which the sequence begins.
        """
        expected, self._next = self._next, None if seq is None else (seq + 1) % 256
        return birth or expected is None or seq == expected

    def count_only(self, message: Message, kind: str) -> None:
        """Take a message of another device into the sequence alone.

        Args:
            message: The message.
            kind: Its kind, such as DDATA.
        """
        if kind in ("DBIRTH", "DDATA", "DDEATH") and message.payload is not None:
            self.in_order(parse_payload(message.payload).seq, birth=False)

    def learn(self, metric: Metric, device: str) -> None:
        """Take a birth's metric.

        Args:
            metric: The metric.
            device: Its device, empty for the node itself.
        """
        key = (device, metric.name)
        if len(self._kinds) >= MOST_METRICS or not metric.name:
            return
        self._kinds[key] = metric.kind
        if metric.alias is not None:
            self._aliases[metric.alias] = key
        path = "/".join(filter(None, key))
        ends = [at for at, name in enumerate(self.names) if f"/{path}".endswith(f"/{name}")]
        taken = set(self._channels.values())
        if ends and (channel := max(ends, key=lambda at: len(self.names[at]))) not in taken:
            self._channels[key] = channel

    def channel(self, metric: Metric, device: str) -> tuple[int | None, int]:
        """A metric's channel, None for none, and its data type.

        Args:
            metric: The metric, by name or alias.
            device: Device of the message.
        """
        key = (device, metric.name) if metric.name else self._aliases.get(-1 if metric.alias is None else metric.alias)
        if key is None:
            return None, 0
        return self._channels.get(key), metric.kind or self._kinds.get(key, 0)

    def of_device(self, device: str) -> list[int]:
        """Channels that a device feeds."""
        return [channel for (owner, _), channel in self._channels.items() if owner == device]


def _topic(topic: str) -> tuple[str, str]:
    """Kind of a message and its device, empty for the node itself."""
    parts = topic.split("/")
    return (parts[2], parts[4] if len(parts) > 4 else "") if len(parts) in (4, 5) else ("", "")
