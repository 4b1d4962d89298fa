"""Writer of flatbuffer parts in front of an existing flatbuffer, without any library.

Offsets in a flatbuffer point forwards only. So new tables that lie *before* a file's content may point into it, and an
existing model is extended without decoding the parts that stay.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

ALIGNMENT = 16  # bytes; what constants of a TFLite file are aligned to
Target = Union["Part", int]
Field = Union[tuple[str, float], "Part", int]


@dataclass
class Part:
    """Table or vector to be placed; its targets are placed later in the file."""

    content: bytearray
    """Its bytes, with empty offsets."""
    entry: int = 0
    """Place in the bytes that others point to."""
    links: list[tuple[int, Target]] = field(default_factory=list)
    """Offsets to fill: place in the bytes, and a part or a position in the old content."""
    alignment: int = 4
    """Alignment of the byte at `entry` + 4, where a vector's items begin."""
    position: int = -1
    """Position in the file, -1 until it is placed."""


def table(fields: Mapping[int, Field]) -> Part:
    """Make a table.

    Args:
        fields: By number of the schema: (struct code, number) for a scalar, else a part or a position in the old content.
    """
    count = max(fields, default=-1) + 1
    head = 4 + 2 * count
    entry = head + (-head) % 4
    body, offsets, links = bytearray(4), [0] * count, []
    for number, value in fields.items():
        offsets[number] = len(body)
        if isinstance(value, tuple):
            body += struct.pack(f"<{value[0]}", value[1]).ljust(4, b"\0")
        else:
            links.append((entry + len(body), value))
            body += bytes(4)
    struct.pack_into("<i", body, 0, entry)  # the vtable lies right before the table
    vtable = struct.pack(f"<HH{count}H", head, len(body), *offsets)
    return Part(bytearray(vtable.ljust(entry, b"\0")) + body, entry, links)


def vector(code: str, items: Sequence[float]) -> Part:
    """Make a vector of numbers.

    Args:
        code: `struct` code of the items.
        items: The numbers.
    """
    size = struct.calcsize(f"<{code}")
    content = bytearray(struct.pack("<I", len(items)) + struct.pack(f"<{len(items)}{code}", *items))
    return Part(content + bytes(-len(content) % 4), alignment=max(4, size))


def octets(content: bytes) -> Part:
    """Make the bytes of a buffer, aligned as interpreters expect constants."""
    return Part(bytearray(struct.pack("<I", len(content)) + content + bytes(-len(content) % 4)), alignment=ALIGNMENT)


def tables(items: Sequence[Target]) -> Part:
    """Make a vector of tables."""
    content = bytearray(struct.pack("<I", len(items)) + bytes(4 * len(items)))
    return Part(content, links=[(4 + 4 * number, item) for number, item in enumerate(items)])


def extend(old: bytes, root: Part) -> bytes:
    """Write new parts, reachable from the root table, followed by the old content.

    Args:
        old: A TFLite flatbuffer.
        root: The new model table.
    """
    parts = _parents_first(root)
    at = 8
    for part in parts:
        at += -(at + part.entry + 4) % part.alignment
        part.position = at
        at += len(part.content)
    base = at + -at % ALIGNMENT
    output = bytearray(base)
    struct.pack_into("<I4s", output, 0, root.position + root.entry, b"TFL3")
    for part in parts:
        for place, target in part.links:
            goal = base + target if isinstance(target, int) else target.position + target.entry
            struct.pack_into("<I", part.content, place, goal - (part.position + place))
        output[part.position : part.position + len(part.content)] = part.content
    return bytes(output) + old


def _parents_first(root: Part) -> list[Part]:
    """List all parts, each after every part that points to it."""
    order: list[Part] = []
    seen: set[int] = set()
    stack: list[tuple[Part, bool]] = [(root, False)]
    while stack:
        part, done = stack.pop()
        if done:
            order.append(part)
        elif id(part) not in seen:
            seen.add(id(part))
            stack.append((part, True))
            stack += [(target, False) for _, target in part.links if isinstance(target, Part)]
    return order[::-1]
