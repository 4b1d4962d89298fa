"""Decoding of a TFLite flatbuffer by the tables of `schema`; whatever can be reached is checked on the way."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from ...errors import ModelError
from .schema import ABSENT, NEWEST_OPTIONS, OPTION_VECTORS, PLAIN, Entry, Model, Operator, Record
from .table import SIZES, DamagedError, Table, follow

MARK = b"TFL3"
MOST_TABLES = 200_000  # 100 MB in memory; a network unrolled over 1,000 steps has some 80,000
MOST_NUMBERS = 1_000_000


def read_model(content: bytes, origin: str = "model.tflite") -> Model:
    """Decode a flatbuffer.

    Args:
        content: A TFLite flatbuffer; bytes behind it are ignored.
        origin: Name of the file, for errors.

    Raises:
        ModelError: If an offset, a vector or a string does not lie inside the file, a table is of no known kind, or there
            are more tables or numbers than any model for this runtime has.
    """
    try:
        if content[4:8] != MARK or len(content) > 1 << 31:
            raise DamagedError("it has no TFL3 mark")
        model: Model = _Reader(content).read(follow(content, 0), Model)
    except (DamagedError, struct.error) as error:
        raise ModelError(f"{origin} is damaged: {error}. Copy the file again.") from error
    model.content = content
    return model


@cache
def _unknown_fields(kind: type[Record]) -> tuple[tuple[int, ...], int]:
    """Fields that must be absent, and the number of fields that the schema has."""
    absent, plain = ABSENT.get(kind, ()), PLAIN.get(kind, ())
    numbers = [entry.number for entry in kind.entries.values()]
    return absent, max((*numbers, *absent, *plain)) + 1


class _Reader:
    """A file and how much of it may still be read: tables may be shared, so a small file can name many."""

    def __init__(self, content: bytes) -> None:
        self.content, self.tables, self.numbers = content, MOST_TABLES, MOST_NUMBERS

    def read(self, at: int, kind: Any) -> Any:
        """The table at a place as a record of `schema`."""
        self._spend(1, 0)
        table = Table(self.content, at)
        absent, known = _unknown_fields(kind)
        if any(table.place(number, 1) for number in absent) or any(table.offsets[known:]):
            raise DamagedError(f"the {kind.__name__.lower()} at byte {at} has a part that this version does not know")
        values = {name: self._value(table, entry) for name, entry in kind.entries.items()}
        if kind is Operator:
            _check_options(values["options"], values["options_type"])
        return kind(at, values)

    def _value(self, table: Table, entry: Entry) -> Any:
        number, kind = entry.number, entry.kind
        if kind in SIZES:
            return table.scalar(number, kind, entry.default)
        if number >= len(table.offsets) or not table.offsets[number]:
            return entry.default
        if kind == "[table]":
            return self._tables(table, number, entry.table)
        if kind == "table":
            return self.read(table.target(number), entry.table)
        if kind == "text":
            return table.text(number)
        if kind == "bytes":
            return table.vector(number, 1)
        if kind == "options":
            return Table(self.content, table.target(number))
        return self._numbers(table, number, kind[1])

    def _tables(self, table: Table, number: int, kind: type) -> tuple[Any, ...]:
        start, count = table.vector(number, 4)
        self._spend(0, count)
        return tuple(self.read(follow(self.content, at), kind) for at in range(start, start + 4 * count, 4))

    def _numbers(self, table: Table, number: int, code: str) -> tuple[Any, ...]:
        start, count = table.vector(number, SIZES[code])
        self._spend(0, count)
        return struct.unpack_from(f"<{count}{code}", self.content, start)

    def _spend(self, tables: int, numbers: int) -> None:
        self.tables -= tables
        self.numbers -= numbers
        if self.tables < 0 or self.numbers < 0:
            raise DamagedError(f"it has more than {MOST_TABLES:,} tables or {MOST_NUMBERS:,} numbers")


def _check_options(options: Table | None, number: int) -> None:
    """The options of an operator: their vectors lie inside the file, and so do 8 bytes of every number."""
    if number > NEWEST_OPTIONS:
        raise DamagedError(f"an operator has options of the unknown kind {number}")
    if options is None:
        return
    vectors = OPTION_VECTORS.get(number, {})
    for field in range(len(options.offsets)):
        if field in vectors:
            options.vector(field, SIZES[vectors[field]])
        elif options.place(field, 1) + 8 > len(options.content):
            raise DamagedError(f"the options at byte {options.at} do not fit into the file")
