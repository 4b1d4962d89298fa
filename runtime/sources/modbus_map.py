"""Maps of Modbus registers: the register, type and scaling of each channel, from a file or a table of the configuration."""

from __future__ import annotations

import csv
import math
import re
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..io.addresses import build_options
from ..io.modbus import BITS, WORDS
from .signals import to_units

LARGEST = 1 << 20  # bytes of a map
TYPES = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip
ORDERS = ("big", "little")
MODICON = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_BIT = re.compile(r"bit(1[0-5]|\d)$")


@dataclass(frozen=True)
class Register:
    """One channel's place in a device."""

    channel: str
    """Name of the channel."""
    register: str
    """`holding:100`, `input:0`, `coil:3`, `discrete:3`, counted from 0 as on the wire; or 40101 as Modicon counted."""
    type: str = ""
    """int16 to float64, or bit0 to bit15 of a register; empty for uint16, and for a coil."""
    factor: float = 1.0
    """Multiplied with the raw value."""
    offset: float = 0.0
    """Added afterwards."""
    unit: int | None = None
    """Number of the device, where one address leads to several; None for the address's own."""
    word_order: str = "big"
    """Word of a longer type that comes first: `big`, the high one, or `little`."""
    byte_order: str = "big"
    """Order of the bytes in each register: `big`, as the protocol says, or `little`."""
    missing: float | None = None
    """Raw value that says that there is none; a float's NaN always says so."""

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: If the register or the type is none.
        """
        where = f"The Modbus register of {self.channel}"
        kind, first = self.place
        if kind in BITS and self.type not in ("", "bool"):
            raise ConfigError(f"{where}: a {kind} has no type; received {self.type!r}.")
        if kind in WORDS and self.type not in ("", *TYPES) and not _BIT.match(self.type):
            raise ConfigError(f"{where}: the type is {', '.join(TYPES)} or bit0 to bit15; received {self.type!r}.")
        if first + self.count > 1 << 16:
            raise ConfigError(f"{where}: addresses end at 65535; received {self.register!r}.")
        if not {self.word_order, self.byte_order} <= set(ORDERS):
            raise ConfigError(f"{where}: word-order and byte-order are {' or '.join(ORDERS)}.")
        if self.unit is not None and not 0 <= self.unit <= 255:
            raise ConfigError(f"{where}: unit is the number of a device, 0 to 255; received {self.unit}.")

    @property
    def place(self) -> tuple[str, int]:
        """Kind of register and its address from 0.

        Raises:
            ConfigError: If it is none.

        >>> Register("flow", "holding:100").place, Register("flow", "30001").place
        (('holding', 100), ('input', 0))
        """
        text = self.register.strip().lower()
        kind, _, number = text.partition(":")
        if kind in (*BITS, *WORDS) and number.isdigit() and len(number) < 6:
            return kind, int(number)
        if text.isdigit() and len(text) in (5, 6) and text[0] in MODICON and int(text[1:]):
            return MODICON[text[0]], int(text[1:]) - 1
        raise ConfigError(
            f"The Modbus register of {self.channel} is KIND:ADDRESS with {', '.join((*BITS, *WORDS))} and an address from 0, "
            f"or five digits such as 40001; received {self.register!r}."
        )

    @property
    def count(self) -> int:
        """Number of registers or bits that it takes."""
        return struct.calcsize(TYPES[self.type]) // 2 if self.type in TYPES else 1

    def value(self, raw: Sequence[int]) -> float:
        """Decode its registers or bit.

        Args:
            raw: Integers as they came, shape (count,).

        Returns:
            The value in sensor units, NaN for a missing one.

        >>> Register("flow", "holding:0", "float32", factor=2).value([0x3F80, 0])
        2.0
        """
        bit = _BIT.match(self.type)
        if self.type in TYPES:
            words = list(raw) if self.word_order == "big" else list(reversed(raw))
            packed = struct.pack(f"{'>' if self.byte_order == 'big' else '<'}{len(words)}H", *words)
            number = float(struct.unpack(TYPES[self.type], packed)[0])
        else:
            word = raw[0] if self.byte_order == "big" else (raw[0] >> 8) | (raw[0] & 255) << 8
            number = float(word >> int(bit[1]) & 1 if bit else word)
        if not math.isfinite(number) or number == self.missing:
            return math.nan
        return to_units(number, self.factor, self.offset)


NAMES = [item.name.replace("_", "-") for item in fields(Register)]


def read_map(path: str, rows: Sequence[Mapping[str, Any]], where: str) -> dict[str, Register]:
    """Read a map's registers by channel.

    Args:
        path: A .csv or .toml file; empty for none.
        rows: Tables of the configuration, one a register.
        where: Name of the source, for errors.

    Raises:
        ConfigError: If there are none, one is damaged, or two are for one channel.
    """
    if bool(path) == bool(rows):
        raise ConfigError(
            f"{where} needs its registers: map=FILE, or registers = [{{channel = …, register = …}}] in a table."
        )
    origin = path or where
    registers: dict[str, Register] = {}
    for row in _file(path) if path else rows:
        register = _register(row, origin)
        if register.channel in registers:
            raise ConfigError(f"{origin} has two registers for the channel {register.channel}. Leave one out.")
        registers[register.channel] = register
    return registers


def _register(row: Mapping[str, Any], origin: str) -> Register:
    unit = row.get("unit")
    if isinstance(unit, str) and not unit.isdigit():
        raise ConfigError(
            f"{origin}: unit is the number of the device, 0 to 255; received {unit[:20]!r}. Leave units of measure out."
        )
    texts = {name: str(value) if name in ("channel", "register") else value for name, value in row.items()}
    return build_options(Register, texts, f"{origin}, register {row.get('channel', '?')}")


def _file(path: str) -> list[dict[str, Any]]:
    try:
        if Path(path).stat().st_size > LARGEST:
            raise ConfigError(f"The map {path} is longer than {LARGEST >> 10} KiB.")
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"Cannot read the map {path}: {getattr(error, 'strerror', 'it is no UTF-8 text')}."
        ) from error
    return _toml(text, path) if path.endswith(".toml") else _csv(text, path)


def _toml(text: str, path: str) -> list[dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}.") from error
    rows = content.pop("register", None)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path} holds one [[register]] table a channel: channel, register, type, factor, offset.")
    return [{**content, **row} for row in rows]  # what stands above them is their default


def _csv(text: str, path: str) -> list[dict[str, Any]]:
    lines = text.splitlines()
    delimiter = ";" if lines and ";" in lines[0] else ","
    rows = []
    for row in csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True):
        if None in row:
            raise ConfigError(f"{path}: a line has more cells than the header ({', '.join(map(str, row))[:80]}).")
        rows.append({str(name).strip(): cell.strip() for name, cell in row.items() if cell and cell.strip()})
    if not rows:
        raise ConfigError(f"{path} holds no registers. Its header is {','.join(NAMES)}, the last ones may be left out.")
    return rows
