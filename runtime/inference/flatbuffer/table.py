"""Flatbuffer tables: every offset is checked before it is followed."""

from __future__ import annotations

import struct
from typing import Any

SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}
"""Bytes of a scalar by its `struct` code."""
LARGEST_STRING = 4096  # bytes; tensor names of TensorFlow are some hundred long


class DamagedError(ValueError):
    """A flatbuffer breaks a rule of the format; the message says which, `read_model` adds the file's name."""


class Table:
    """One table; its fields are found through its vtable.

    The rules are those of FlatBuffers' own `Verifier`: tables, vtables, scalars, vectors and strings lie inside the file
    and are aligned.

    Args:
        content: The whole flatbuffer.
        at: Position of the table.

    Raises:
        DamagedError: If the table or its vtable does not lie inside the file.
    """

    __slots__ = ("at", "content", "offsets", "size")

    def __init__(self, content: bytes, at: int) -> None:
        if at % 4 or not 8 <= at <= len(content) - 4:
            raise DamagedError(f"a table at byte {at} is misplaced")
        vtable = at - int(struct.unpack_from("<i", content, at)[0])
        if vtable % 2 or not 4 <= vtable <= len(content) - 4:
            raise DamagedError(f"the vtable of the table at byte {at} is misplaced")
        length, self.size = struct.unpack_from("<HH", content, vtable)
        if length < 4 or length % 2 or vtable + length > len(content):
            raise DamagedError(f"the vtable at byte {vtable} has an impossible length")
        if self.size < 4 or at + self.size > len(content):
            raise DamagedError(f"the table at byte {at} does not fit into the file")
        self.content, self.at = content, at
        self.offsets: tuple[int, ...] = struct.unpack_from(f"<{length // 2 - 2}H", content, vtable + 4)

    def place(self, number: int, size: int) -> int:
        """Return the position of a field in the file, 0 when it is absent.

        Args:
            number: Of the field in the schema.
            size: Of the field, bytes.
        """
        offset = self.offsets[number] if number < len(self.offsets) else 0
        if not offset:
            return 0
        if offset < 4 or offset + size > self.size or (self.at + offset) % size:
            raise DamagedError(f"field {number} of the table at byte {self.at} is misplaced")
        return self.at + offset

    def scalar(self, number: int, code: str, default: float = 0) -> Any:
        """Read a number.

        Args:
            number: Of the field in the schema.
            code: Its `struct` code.
            default: Value of an absent field.
        """
        at = self.place(number, SIZES[code])
        return struct.unpack_from(f"<{code}", self.content, at)[0] if at else default

    def target(self, number: int) -> int:
        """Return the position of the table, vector or string that a field links to, 0 when it is absent."""
        at = self.place(number, 4)
        return follow(self.content, at) if at else 0

    def vector(self, number: int, size: int) -> tuple[int, int]:
        """Return the position of a vector's items and their number; (0, 0) when it is absent.

        Args:
            number: Of the field in the schema.
            size: Of an item, bytes.
        """
        start = self.target(number)
        if not start:
            return 0, 0
        if start % 4 or start + 4 > len(self.content):
            raise DamagedError(f"the vector at byte {start} is misplaced")
        count = int(struct.unpack_from("<I", self.content, start)[0])
        if (start + 4) % size or start + 4 + count * size > len(self.content):
            raise DamagedError(f"a vector of {count} items at byte {start} does not fit into the file")
        return start + 4, count

    def text(self, number: int) -> str:
        """Read a string, empty when it is absent; characters that cannot be printed are replaced."""
        start, count = self.vector(number, 1)
        if count > LARGEST_STRING:
            raise DamagedError(f"a name of {count} bytes")
        if start and self.content[start + count : start + count + 1] != b"\0":
            raise DamagedError(f"the string at byte {start} has no end")
        try:
            text = self.content[start : start + count].decode()
        except UnicodeDecodeError as error:
            raise DamagedError(f"the string at byte {start} is no UTF-8") from error
        return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)


def follow(content: bytes, at: int) -> int:
    """Follow an offset, which points forwards.

    Args:
        content: The whole flatbuffer.
        at: Position of the offset.

    Returns:
        The position that it leads to.
    """
    offset = int(struct.unpack_from("<I", content, at)[0])
    if not 4 <= offset < len(content) - at:
        raise DamagedError(f"the offset at byte {at} leads out of the file")
    return at + offset
