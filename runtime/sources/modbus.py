"""Source that polls Modbus devices over TCP, RTU over TCP or a serial line (`pip install edgelstm[modbus]`)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..io.addresses import Address
from ..io.modbus import BITS, ModbusLine, ModbusLostError, ModbusOptions, ModbusRefusalError
from ..io.reconnect import Attempts
from .column_mapping import Columns, Row
from .csv_cells import CellReader
from .live import LiveSource, ticks
from .modbus_map import Register, read_map
from .sample import Sample

log = logging.getLogger("edgelstm")
MOST_WORDS, MOST_BITS = 125, 2000  # of one request, by the protocol
ILLEGAL_ADDRESS = 2


@dataclass(frozen=True)
class ModbusSourceOptions(ModbusOptions):
    """Settings of a polled line."""

    map: str = ""
    """File with the channels' registers, .csv or .toml."""
    registers: tuple[Mapping[str, Any], ...] = ()
    """The same as tables of the configuration."""
    every: float = 0.0
    """Seconds between polls; 0 for the model's own period."""
    gap: int = 8
    """Registers between two channels that are read along rather than asked for in two requests."""
    most: int = MOST_WORDS
    """Registers of one request at most; some devices take fewer than the protocol's 125."""

    def __post_init__(self) -> None:
        """Check the requests' size, too.

        Raises:
            ConfigError: As `ModbusOptions`, or if it is none.
        """
        super().__post_init__()
        if not 4 <= self.most <= MOST_WORDS or self.gap < 0:
            raise ConfigError(
                f"most is 4 to {MOST_WORDS} registers, gap at least 0; received {self.most} and {self.gap}."
            )


class Request(NamedTuple):
    """One read of neighbouring registers or bits."""

    unit: int
    kind: str
    first: int
    length: int
    channels: tuple[tuple[int, int, Register], ...]
    """Position of each channel in the model, its place within the request, and its register."""

    def apart(self) -> list[Request]:
        """A request a channel, for a device that refuses what lies between them."""
        return [
            Request(self.unit, self.kind, self.first + at, register.count, ((channel, 0, register),))
            for channel, at, register in self.channels
        ]


class ModbusSource(LiveSource):
    """Samples of registers at a steady interval.

    A channel that a device refuses to read is NaN. While no device answers there are no samples.

    Args:
        address: The line, with the device's number.
        options: Map, interval, form of the line.
        columns: Channels that feed the model, called as in the map.
        period: The model's seconds between samples.

    Raises:
        ConfigError: If the map is damaged, or no interval is known.
        ShapeError: If the map lacks a channel.
    """

    def __init__(self, address: Address, options: ModbusSourceOptions, columns: Columns, period: float | None) -> None:
        super().__init__(columns, address.name)
        self.every = options.every or period or 0.0
        if self.every <= 0:
            raise ConfigError(f"{self.name} requires an interval, and the model has none. Add every=1 (seconds).")
        self._line = ModbusLine(address, options)
        registers = read_map(options.map, options.registers, f"The source {self.name}")
        if not set(columns.names) <= set(registers):
            raise columns.lacking(sorted(registers), options.map or self.name)
        wanted = [registers[name] for name in columns.names]
        self.requests = plan_requests(wanted, self._line.unit, options.gap, options.most)
        self._channels = len(wanted)
        self._cells = CellReader(missing=columns.missing, origin=self.name)
        self._attempts = Attempts(self.name)
        self.refusals = 0
        """Exceptions of devices so far."""
        self._said: set[tuple[int, str, int, int]] = set()
        self._slow = False

    @property
    def skipped(self) -> int:
        """Polls without an answer, and requests that a device refused."""
        return self._attempts.failures + self.refusals

    def __iter__(self) -> Iterator[Sample]:
        try:
            for _ in ticks(self.every, self._stop):
                begin = time.monotonic()
                try:
                    values = self._poll()
                except ModbusLostError as error:
                    self._stop.wait(self._attempts.failed(str(error)))
                    continue
                self._attempts.works()
                yield self.rows.sample(Row(values, None, ""))
                self._watch_pace(time.monotonic() - begin)
        finally:
            self._line.close()

    def _poll(self) -> list[float]:
        values = [math.nan] * self._channels
        for request in list(self.requests):
            self._read(request, values)
        return values

    def _read(self, request: Request, values: list[float]) -> None:
        try:
            raw = self._line.read(request.kind, request.first, request.length, request.unit)
        except ModbusRefusalError as error:
            self.refusals += 1
            if error.code == ILLEGAL_ADDRESS and len(request.channels) > 1:  # maybe only what lies between is refused
                self._take_apart(request, values)
            else:
                self._say(request, error)
            return
        for channel, at, register in request.channels:
            values[channel] = self._cells.measured(register.value(raw[at : at + register.count]))

    def _take_apart(self, request: Request, values: list[float]) -> None:
        at, single = self.requests.index(request), request.apart()
        self.requests[at : at + 1] = single
        for one in single:
            self._read(one, values)

    def _say(self, request: Request, error: ModbusRefusalError) -> None:
        """Log a refusal, once for each request and exception."""
        key = (request.unit, request.kind, request.first, error.code)
        if key not in self._said:
            self._said.add(key)
            names = ", ".join(register.channel for _, _, register in request.channels)
            log.warning("%s: unit %d answers with %s for %s: missing", self.name, request.unit, error, names)

    def _watch_pace(self, seconds: float) -> None:
        if seconds > self.every and not self._slow:
            self._slow = True
            log.warning("%s: a sample takes %.2g s, longer than every=%g", self.name, seconds, self.every)


def plan_requests(registers: Sequence[Register], unit: int, gap: int, most: int) -> list[Request]:
    """Group registers into few requests.

    Args:
        registers: In the model's order of channels.
        unit: Number of the device, for those that name none.
        gap: Registers in between that may be read along.
        most: Registers of a request at most; bits 16 times as many, up to 2000.

    >>> flow, motor, level = Register("f", "holding:0", "float32"), Register("m", "holding:4"), Register("l", "coil:3")
    >>> [(one.kind, one.first, one.length) for one in plan_requests([flow, level, motor], 1, 8, 125)]
    [('coil', 3, 1), ('holding', 0, 5)]
    """
    places = sorted(
        (unit if register.unit is None else register.unit, *register.place, channel, register)
        for channel, register in enumerate(registers)
    )
    groups: list[list[tuple[int, str, int, int, Register]]] = []
    end = 0
    for place in places:
        limit, near = (min(16 * most, MOST_BITS), 16 * gap) if place[1] in BITS else (most, gap)
        last = place[2] + place[4].count
        head = groups[-1][0] if groups else None
        if head is not None and head[:2] == place[:2] and place[2] - end <= near and last - head[2] <= limit:
            groups[-1].append(place)
            end = max(end, last)
        else:
            groups.append([place])
            end = last
    return [_request(group) for group in groups]


def _request(group: list[tuple[int, str, int, int, Register]]) -> Request:
    unit, kind, first = group[0][:3]
    count = max(at + register.count for _, _, at, _, register in group) - first
    return Request(
        unit, kind, first, count, tuple((channel, at - first, register) for _, _, at, channel, register in group)
    )
