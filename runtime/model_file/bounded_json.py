"""JSON from a file that may want to exhaust memory: bounded in bytes, values and depth before anything is built from it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

LARGEST = 8 << 20  # bytes; a vocabulary of 100,000 words takes some 2 MB, a detector's metadata 4 KB
MOST_VALUES = 500_000
DEEPEST = 16
LARGEST_INTEGER = 2**63
CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]"
)  # but for tab and line ends, which headers hold
SURROGATES = re.compile("[\ud800-\udfff]")


def load_json(text: bytes | str, deepest: int = DEEPEST) -> Any:
    """Decode JSON within bounds.

    Args:
        text: UTF-8, or a string.
        deepest: Lists or records within one another, at most.

    Raises:
        ValueError: If it is no JSON, or larger, deeper, or of larger numbers than any metadata.

    >>> load_json('{"window": 24}')
    {'window': 24}
    >>> load_json("[" * 40 + "]" * 40)
    Traceback (most recent call last):
    ValueError: lists within lists, more than 16 deep
    """
    if len(text) > LARGEST:
        raise ValueError(f"{len(text):,} bytes of JSON, at most {LARGEST:,}")
    # a value follows each of these; counted before a list is built, at 100 bytes a value
    separators = (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    count = sum(map(text.count, separators))  # type: ignore[arg-type]
    if count > MOST_VALUES:
        raise ValueError(f"some {count:,} values, at most {MOST_VALUES:,}")
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("lists within lists, far too deep") from error
    _check_values(value, deepest)
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _check_values(value: Any, deepest: int) -> None:
    """Refuse deep nesting, and numbers that no 64-bit computer holds."""
    level = [value]
    for _ in range(deepest):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, float) and not math.isfinite(item):
                raise ValueError("a number beyond all numbers")
            elif isinstance(item, int) and abs(item) > LARGEST_INTEGER:
                raise ValueError("an integer beyond 64 bits")
        if not inner:
            return
        level = inner
    raise ValueError(f"lists within lists, more than {deepest} deep")


def check_text(value: Any, forbidden: re.Pattern[str] = CONTROLS) -> None:
    r"""Refuse texts that a terminal would obey, or that no file can hold.

    Args:
        value: Decoded JSON; all strings in it are checked, names of members, too.
        forbidden: Characters.

    Raises:
        ValueError: If one is there.

    >>> check_text({"name": "flow [l/min]"})
    >>> check_text(["\x1b[2J"])
    Traceback (most recent call last):
    ValueError: the text '\x1b[2J' holds a control character
    """
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and forbidden.search(item):
            raise ValueError(f"the text {item[:40]!a} holds a control character")
        if isinstance(item, dict):
            waiting += item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
