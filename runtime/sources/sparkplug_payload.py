"""Payloads of Sparkplug B, read from the wire format of Protocol Buffers without its library.

Of the schema (Eclipse Sparkplug 3.0, `sparkplug_b.proto`) a value's row needs eleven fields. A reader of our own for these is
smaller than the library (a package with a compiled part, and classes made from the schema), and bounded: it never recurses, passes
over what it does not know, and refuses what is too long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import SeriesError

LARGEST = 1 << 20  # bytes of a payload
MOST_METRICS = 10_000
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}  # data types Int8 to Int64, and their bits
BOOLEAN, STRING, TEXT = 11, 12, 14
REBIRTH = "Node Control/Rebirth"


@dataclass(frozen=True)
class Metric:
    """One metric of a payload."""

    name: str
    """Its name; empty where the alias stands for it."""
    alias: int | None
    """Number that stands for the name in later payloads."""
    moment: float | None
    """Time of its value, seconds since 1970."""
    kind: int
    """Number of its data type; 0 where the birth has said it."""
    historical: bool
    """True for a value that is old: it waited for a connection."""
    null: bool
    """True for a metric without a value."""
    raw: int | float | str | None
    """Its value as it was on the wire; None for one that is no number or text."""

    def value(self, kind: int) -> float | str | None:
        """The value as a number or text, None if it has none.

        Args:
            kind: Number of its data type, of the birth.
        """
        if self.null or self.raw is None or isinstance(self.raw, str):
            return None if self.null else self.raw
        bits = SIGNED.get(kind)
        if bits is not None and isinstance(self.raw, int):
            number = self.raw & (1 << bits) - 1
            return float(number - (1 << bits) if number >> bits - 1 else number)
        return float(self.raw)


@dataclass(frozen=True)
class Payload:
    """A payload's metrics."""

    moment: float | None
    """Time of the message, seconds since 1970."""
    seq: int | None
    """Its place in the sequence 0 to 255; None for a death."""
    metrics: tuple[Metric, ...]
    """Its metrics, in their order."""


def parse_payload(content: bytes) -> Payload:
    """Read a payload.

    Raises:
        SeriesError: If it is none.

    >>> parse_payload(bytes.fromhex("08e807 1203 0a0161 1803".replace(" ", "")))
    Payload(moment=1.0, seq=3, metrics=(Metric(name='a', alias=None, moment=None, kind=0, historical=False, null=False, raw=None),))
    """
    if len(content) > LARGEST:
        raise SeriesError(f"a payload is longer than {LARGEST >> 10} KiB")
    moment, seq = None, None
    metrics: list[Metric] = []
    for number, value in _fields(content):
        if number == 1 and isinstance(value, int):
            moment = value / 1000
        elif number == 2 and isinstance(value, bytes):
            if len(metrics) >= MOST_METRICS:
                raise SeriesError(f"a payload has more than {MOST_METRICS} metrics")
            metrics.append(_metric(value))
        elif number == 3 and isinstance(value, int):
            seq = value
    return Payload(moment, seq, tuple(metrics))


def _metric(content: bytes) -> Metric:
    name, alias, moment, kind, historical, null = "", None, None, 0, False, False
    raw: int | float | str | None = None
    for number, value in _fields(content):
        if number == 1 and isinstance(value, bytes):
            name = value.decode("utf-8", "replace")
        elif number == 12 and isinstance(value, bytes):
            raw = float(struct.unpack("<f", value)[0]) if len(value) == 4 else None
        elif number == 13 and isinstance(value, bytes):
            raw = float(struct.unpack("<d", value)[0]) if len(value) == 8 else None
        elif number == 15 and isinstance(value, bytes):
            raw = value[:64].decode("utf-8", "replace")
        elif not isinstance(value, int):
            continue
        elif number == 2:
            alias = value
        elif number == 3:
            moment = value / 1000
        elif number == 4:
            kind = value
        elif number == 5:
            historical = bool(value)
        elif number == 7:
            null = bool(value)
        elif number in (10, 11):
            raw = value
        elif number == 14:
            raw = int(bool(value))
    return Metric(name, alias, moment, kind, historical, null, raw)


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: an integer for a varint, the bytes for anything else."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if wire == BYTES:
            length, at = _varint(content, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise SeriesError("a payload is no Sparkplug B (an unknown wire type)")
        if length > len(content) - at:
            raise SeriesError("a payload is no Sparkplug B, or it is cut off")
        yield number, content[at : at + length]
        at += length


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
    raise SeriesError("a payload is no Sparkplug B, or it is cut off")


def encode_rebirth(moment: float) -> bytes:
    """Payload of the command that asks an edge node for its birth.

    Args:
        moment: Seconds since 1970.

    >>> parse_payload(encode_rebirth(1.0)).metrics[0].name
    'Node Control/Rebirth'
    """
    name = REBIRTH.encode()
    metric = b"\x0a" + _length(len(name)) + name + b"\x20" + _length(BOOLEAN) + b"\x70\x01"
    return b"\x08" + _length(int(moment * 1000)) + b"\x12" + _length(len(metric)) + metric


def _length(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
