"""Source that subscribes to nodes of an OPC UA server (`pip install edgelstm[opcua]`)."""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timezone
from typing import Any, NamedTuple

from ..errors import ConfigError, EdgelstmError, SeriesError
from ..io.addresses import Address
from ..io.extras import load_extra
from ..io.opcua import Background, OpcOptions, connect, disconnect, reason
from ..io.reconnect import Attempts
from ..io.timestamps import is_epoch
from .column_mapping import Columns, Row
from .csv_cells import CellReader
from .line_reader import WAIT
from .live import LiveSource
from .sample import Sample
from .value_rows import ValueRows

log = logging.getLogger("edgelstm")
WAITING = 10_000  # values held while the model is busy; newer ones are dropped and counted
LONGEST_TEXT = 64  # characters of a value that is a text
TOGETHER = 0.01  # seconds within which values are of one message
PROBE = 1.0  # seconds between questions whether the server still is there
OVERFLOW = 0x480  # bits of a status: the server's queue for this node was full
NODE_ID = re.compile(r"(ns=\d{1,5};)?[isgb]=.")


@dataclass(frozen=True)
class OpcSourceOptions(OpcOptions):
    """Settings of a subscription."""

    node: str = "i=85"
    """Node below which channels are found by their browse names; the folder Objects by default."""
    every: float | None = None
    """Seconds between samples of the latest values; 0 for a sample at each change; None for the model's own interval."""
    queue: int = 100
    """Changes of one node that the server is to hold between two messages."""

    def __post_init__(self) -> None:
        """Check the node, too.

        Raises:
            ConfigError: As `OpcOptions`, or if it is none.
        """
        super().__post_init__()
        if not NODE_ID.match(self.node):
            raise ConfigError(f"node is a node's id such as ns=2;s=Pump; received {self.node!r}.")
        if (self.every or 0) < 0 or not 1 <= self.queue <= 100_000:
            raise ConfigError(f"every is not negative, queue 1 to 100000; received {self.every} and {self.queue}.")


class _Change(NamedTuple):
    """A value as the server reported it."""

    channel: int
    value: float | str | None
    moment: float


class OpcSource(LiveSource):
    """Samples of nodes that a server reports when they change.

    A value of bad quality is NaN, and so are all values while there is no session.

    Args:
        address: The server's.
        options: Login, security, node.
        columns: Channels that feed the model: browse names below the node, joined by / where they lie deeper, or ids.
        period: The model's seconds between samples.

    Raises (while reading):
        ShapeError: If the server has no node for a channel at the start.
    """

    def __init__(self, address: Address, options: OpcSourceOptions, columns: Columns, period: float | None) -> None:
        if not address.host:
            raise ConfigError(f"{address.name} names no host. Write opc.tcp://HOST:4840/…?node=ns=2;s=Pump")
        super().__init__(columns, address.name)
        self.address, self.options, self.columns = address, options, columns
        self._rows = ValueRows(columns, (period or 0.0) if options.every is None else options.every)
        self._cells = CellReader(missing=columns.missing, origin=self.name, signals=columns.by_path)
        self._queue: queue.Queue[list[_Change] | EdgelstmError | None] = queue.Queue()
        self._batch: list[_Change] = []
        self._waiting, self._guard = 0, threading.Lock()
        self._attempts = Attempts(self.name)
        self.dropped = self.overflows = self.unusable = 0
        """Values for which there was no room here; overflows of the server's queues; values of bad quality or of no number."""
        self._said: set[str] = set()
        self._connected = False

    @property
    def skipped(self) -> int:
        """Values that could not be used."""
        return self.rows.bad + self.dropped + self.overflows + self.unusable

    def __iter__(self) -> Iterator[Sample]:
        background = Background(self.name)
        try:
            background.start(self._work())
            while not self._stop.is_set():
                yield from self._next()
        finally:
            background.close()

    def _next(self) -> Iterator[Sample]:
        """Wait for values, or until a row is due; a moment is over when no more values wait."""
        made: list[Row | None] = []
        try:
            changes = self._queue.get(timeout=self._rows.wait(WAIT))
        except queue.Empty:
            made.append(self._rows.flush())
        else:
            if isinstance(changes, EdgelstmError):
                raise changes
            if changes is None:
                made.append(self._rows.flush())
                self._rows.forget()
            else:
                with self._guard:
                    self._waiting -= len(changes)
                made += [self._rows.put(one.channel, self._number(one), one.moment) for one in changes]
        for row in (*made, self._rows.due()):
            if row is not None:
                yield self.rows.sample(row)

    def _number(self, change: _Change) -> float:
        value, name = change.value, self.columns.names[change.channel]
        if value is None:
            return math.nan
        if isinstance(value, (bool, int, float)):
            number = self._cells.measured(float(value))
            return number if math.isfinite(number) else math.nan
        read = self._cells.read(value, name)
        if read is None:
            self._count(f"{name}: {value[:40]!r} is not a number")
            return math.nan
        return read

    def _count(self, what: str) -> None:
        """Count a value that cannot be used; each channel's first one is logged."""
        self.unusable += 1
        key = what.partition(":")[0]
        if key not in self._said:
            self._said.add(key)
            log.warning("%s: %s: missing", self.name, what)

    async def _work(self) -> None:
        """Keep a session, for ever."""
        while True:
            client = None
            try:
                client = await connect(self.address, self.options)
                await self._subscribe(client)
                self._attempts.works()
                self._connected = True
                while True:
                    await asyncio.wait_for(client.nodes.server_state.read_value(), self.options.timeout)
                    await asyncio.sleep(PROBE)
            except EdgelstmError as error:
                if not self._connected:
                    self._queue.put(error)
                    return
                wait = self._attempts.failed(str(error))
            except Exception as error:  # whatever the library raises: the session is opened anew
                wait = self._attempts.failed(reason(error))
            finally:
                if client is not None:
                    await disconnect(client)
            self._queue.put(None)
            await asyncio.sleep(wait)

    async def _subscribe(self, client: Any) -> None:
        nodes = [await self._find(client, name) for name in self.columns.names]
        channels: dict[Any, list[int]] = {}
        for channel, node in enumerate(nodes):
            channels.setdefault(node.nodeid, []).append(channel)
        interval = 1000 * min(1.0, max(0.05, self._rows.every / 2)) if self._rows.every else 100.0
        subscription = await client.create_subscription(interval, _Handler(self, channels))
        unique = [client.get_node(node) for node in channels]
        sampling = interval if self._rows.every else 0.0
        await subscription.subscribe_data_change(unique, queuesize=self.options.queue, sampling_interval=sampling)

    async def _find(self, client: Any, name: str) -> Any:
        """The node of a channel.

        Raises:
            ShapeError: If there is none.
            SeriesError: If the channel's name is no node's id though it looks like one.
        """
        ua = load_extra("opcua", "asyncua").ua
        if NODE_ID.match(name):
            try:
                return client.get_node(ua.NodeId.from_string(name))
            except (ua.UaError, ValueError) as error:
                raise SeriesError(f"{self.name}: {name!r} is no node's id.") from error
        node = client.get_node(self.options.node)
        for part in name.split("/"):
            children = {one.BrowseName.Name: one.NodeId for one in await node.get_children_descriptions()}
            if part not in children:
                raise self.columns.lacking(sorted(filter(None, children)), f"{self.name} below {self.options.node}")
            node = client.get_node(children[part])
        return node

    def take(self, channels: list[int], value: Any) -> None:
        """Take a value as the server reported it; called in the session's thread.

        Args:
            channels: Positions of the channels that it feeds.
            value: An asyncua `DataValue`.
        """
        if self._waiting + len(channels) > WAITING:
            self.dropped += 1
            if self.dropped == 1:
                log.warning("%s: values come faster than they are scored; some are dropped", self.name)
            return
        status = value.StatusCode
        bits = status.value if status is not None else 0
        if bits & OVERFLOW == OVERFLOW:
            self.overflows += 1
            if self.overflows == 1:
                log.warning(
                    "%s: the server's queue was full, changes are lost; raise queue=%d", self.name, self.options.queue
                )
        content = _short(value.Value.Value if value.Value is not None else None)
        if bits >> 31:
            content = None
            self._count(f"{self.columns.names[channels[0]]}: of bad quality ({status.name})")
        with self._guard:
            self._waiting += len(channels)
        if not self._batch:
            asyncio.get_running_loop().call_later(TOGETHER, self._hand_over)
        self._batch += [_Change(channel, content, _moment(value)) for channel in channels]

    def _hand_over(self) -> None:
        """Queue what came together, in the order of time: a message lists one node's changes after the other's."""
        batch, self._batch = self._batch, []
        self._queue.put(sorted(batch, key=lambda change: change.moment))


class _Handler:
    """Receiver of a subscription's values."""

    def __init__(self, source: OpcSource, channels: dict[Any, list[int]]) -> None:
        self._source, self._channels = source, channels

    def datachange_notification(self, node: Any, val: Any, data: Any) -> None:
        self._source.take(self._channels[node.nodeid], data.monitored_item.Value)


def _short(content: Any) -> float | str | None:
    """A value as it may wait: a node may hold a text or an array of many megabytes."""
    if content is None or isinstance(content, (bool, int, float)):
        return content
    return content[:LONGEST_TEXT] if isinstance(content, str) else f"a value of the type {type(content).__name__}"


def _moment(value: Any) -> float:
    """Time of a value at its source, or at the server, or of its arrival; seconds since 1970."""
    for moment in (value.SourceTimestamp, value.ServerTimestamp):
        if moment is not None:
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
            if is_epoch(seconds):
                return float(seconds)
    return time.time()
