"""Random damages of model files whose checksum is right, the same for the same seed: for tests and `benchmarks/fuzz_models.py`."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgelstm.runtime.inference.flatbuffer.reader import read_model
from edgelstm.runtime.model_file.bundle import parse_bundle
from edgelstm.runtime.model_file.metadata import to_json
from model_files import repack

WEIGHTS = 64  # bytes of a buffer from which on it counts as weights, where most flips change a number only
NUMBERS = (0, -1, 1, 2, 3, 5, 127, 255, 256, 65_536, 2**31 - 1, -(2**31))
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 10**18, 1e-300, 1e30, 1e300, -1e300, "", "a", "\x1b[2J", "\ud800", "x" * 10_000, [], {},
    [[]] * 50, {"a": {"b": {"c": []}}}, [1e300] * 5, [0.0] * 5, ["a", "a"],
)  # fmt: skip


def mutations(models: Path, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Damaged model files.

    Args:
        models: Folder of whole ones.
        count: How many to make.
        seed: Of the random numbers.

    Yields:
        What was damaged (`body`, `metadata` or `file`), and the file's content.
    """
    generator = random.Random(seed)
    wholes = [path.read_bytes() for path in sorted(models.glob("*.tflite"))]
    structures = {whole: _structure(parse_bundle(whole).flatbuffer) for whole in wholes}
    for _ in range(count):
        whole = generator.choice(wholes)
        part = generator.choices(("body", "metadata", "file"), (6, 3, 1))[0]
        if part == "body":
            yield part, repack(whole, body=_body(parse_bundle(whole).flatbuffer, structures[whole], generator))
        elif part == "metadata":
            yield part, repack(whole, metadata=_metadata(to_json(parse_bundle(whole).metadata), generator))
        else:
            yield part, _flip(whole, range(len(whole)), generator)


def _structure(body: bytes) -> list[int]:
    """Places outside of weights."""
    spans = [buffer.data for buffer in read_model(body).buffers if buffer.data[1] > WEIGHTS]
    weights = {place for start, size in spans for place in range(start, start + size)}
    return [place for place in range(len(body)) if place not in weights]


def _body(body: bytes, structure: list[int], generator: random.Random) -> bytes:
    """Two of three damages meet the structure, one may meet a weight."""
    places = structure if generator.random() < 2 / 3 else range(len(body))
    return _flip(body, places, generator)


def _flip(content: bytes, places: Any, generator: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        place, kind = generator.choice(places), generator.randrange(5)
        if kind == 0:
            damaged[place] ^= 1 << generator.randrange(8)
        elif kind == 1:
            damaged[place] = generator.randrange(256)
        elif kind == 2:
            _put(damaged, place & ~3, struct.pack("<i", generator.choice((*NUMBERS, generator.randrange(300)))))
        elif kind == 3:
            _put(damaged, place & ~3, bytes(damaged[(other := generator.choice(places) & ~3) : other + 4]))
        else:
            _put(damaged, place, bytes(generator.randrange(1, 32)))
    return bytes(damaged)


def _put(content: bytearray, place: int, part: bytes) -> None:
    """Overwrite without growing."""
    content[place : place + len(part)] = part[: len(content) - place]


def _metadata(text: bytes, generator: random.Random) -> bytes:
    """One value replaced, or bytes flipped."""
    if generator.random() < 0.3:
        return _flip(text, range(len(text)), generator)
    record = json.loads(text)
    node, key = generator.choice(list(_places(record)))
    node[key] = generator.choice(VALUES)
    return json.dumps(record).encode()


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in nested lists and dictionaries, as container and key."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)
