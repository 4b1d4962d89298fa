"""Records of named values: JSON objects and InfluxDB line protocol, with a path for each value inside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from ..errors import SeriesError

LONGEST = 1 << 16  # characters of a line of line protocol
LARGEST_ARRAY = 64 << 20  # characters of a file that is one JSON array, which is read whole
DEEPEST = 8  # levels of nesting that are listed
KEYS = (
    "name",
    "key",
    "id",
    "n",
    "sensor",
    "channel",
    "tag",
    "field",
    "metric",
    "type",
)  # that tell a list's items apart
_LINE = re.compile(
    r"(?P<series>(?:\\.|[^\s,=\\])+(?:,(?:\\.|[^\s=\\])+=(?:\\.|[^\s\\])+)?)"
    r' (?P<fields>(?:\\.|[^\s=\\])+=(?:"(?:\\.|[^"\\])*"|\\.|[^\s"\\])+)(?: (?P<time>-?\d{1,20}))?\s*$'
)
_ITEM = re.compile(r'((?:\\.|[^=,\\])+)=("(?:\\.|[^"\\])*"|(?:\\.|[^,\\])*)(?:,|$)')
_CHOICE = re.compile(r"\[([^=\]]+)=([^\]]*)\]\.?")  # of a list's item: [name=flow]
_SWITCHES = {"t": 1.0, "T": 1.0, "true": 1.0, "True": 1.0, "TRUE": 1.0, "f": 0.0, "F": 0.0, "false": 0.0, "False": 0.0,
             "FALSE": 0.0}  # fmt: skip


def parse_json(line: str) -> Any:
    """A line's JSON value, numbers as floats.

    Raises:
        SeriesError: If it is not JSON.
    """
    try:
        return json.loads(line, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise SeriesError(f"not a JSON value: {line[:40]!r}") from error


def is_json(line: str) -> bool:
    """Tell a line of JSON; a section's name in brackets is none.

    >>> is_json('{"flow": 1}'), is_json("[1, 2]"), is_json("[Data]")
    (True, True, False)
    """
    first = line.strip()
    if not first.startswith("["):
        return first.startswith("{")
    try:
        return isinstance(json.loads(first), list)
    except (ValueError, RecursionError):
        return False


def array_lines(head: Sequence[str], lines: Iterable[str]) -> list[str] | None:
    """A line of JSON for each record of a file that is one JSON array; None for any other file.

    Args:
        head: The first lines of the file.
        lines: The later ones; read only where the file is an array.

    Raises:
        SeriesError: If the array is damaged or too large.

    >>> array_lines(["[", '  {"flow": 1},'], ['  {"flow": 2}', "]"])
    ['{"flow": 1}', '{"flow": 2}']
    """
    first = next((line.strip() for line in head if line.strip()), "")
    if not re.match(r"\[\s*(\{|$)", first):
        return None
    text, size = [], 0
    for line in chain(head, lines):
        text.append(line)
        size += len(line)
        if size > LARGEST_ARRAY:
            raise SeriesError(f"a JSON array of more than {LARGEST_ARRAY >> 20} MiB. Write one record a line")
    try:
        return [json.dumps(record) for record in json.loads("\n".join(text))]
    except (ValueError, RecursionError) as error:
        raise SeriesError(f"a damaged JSON array ({error})") from error


def is_line_protocol(line: str) -> bool:
    """Tell a line of InfluxDB line protocol.

    >>> is_line_protocol("bme280,host=pi temperature=19.2,humidity=51 1700864000000000000"), is_line_protocol("a;b=1")
    (True, False)
    """
    return len(line) < LONGEST and _LINE.match(line) is not None


def parse_line_protocol(line: str) -> dict[str, Any]:
    r"""A line's tags, fields and time as one record; its fields stand under the measurement's name, too.

    Raises:
        SeriesError: If it is not line protocol.

    >>> parse_line_protocol("pump,host=pi flow=1.5,on=t 1700864000000000000")
    {'measurement': 'pump', 'host': 'pi', 'flow': 1.5, 'on': 1.0, 'pump': {'flow': 1.5, 'on': 1.0}, 'time': 1.700864e+18}
    """
    match = _LINE.match(line) if len(line) < LONGEST else None
    if not match:
        raise SeriesError(f"not a line of InfluxDB line protocol: {line[:40]!r}")
    measurement, _, tags = match["series"].partition(",")
    fields = {_plain(name): _field(value) for name, value in _ITEM.findall(match["fields"])}
    record: dict[str, Any] = {"measurement": _plain(measurement)}
    record |= {_plain(name): _plain(value) for name, value in _ITEM.findall(tags)}
    record |= fields
    record[_plain(measurement)] = fields
    if match["time"]:
        record["time"] = float(match["time"])
    return record


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _field(text: str) -> Any:
    if text.startswith('"'):
        return _plain(text[1:-1])
    if text in _SWITCHES:
        return _SWITCHES[text]
    try:
        return float(text[:-1] if text[-1:] in ("i", "u") else text)
    except ValueError:
        return text


def lookup(record: Any, path: str) -> tuple[bool, Any]:
    """The value at a path of names and list positions joined by points, and whether there is one.

    An item of a list is also named by what one of its values is: `sensors[name=flow].value`.

    Args:
        record: Of JSON.
        path: A name with points in it is found, too.

    >>> lookup({"ENERGY": {"Power": [1, 7]}, "a.b": 2}, "ENERGY.Power.1"), lookup({"a.b": 2}, "a.b")
    ((True, 7), (True, 2))
    >>> lookup({"sensors": [{"name": "p", "value": 3}, {"name": "t", "value": 21}]}, "sensors[name=t].value")
    (True, 21)
    """
    if isinstance(record, Mapping) and path in record:
        return True, record[path]
    if isinstance(record, Sequence) and not isinstance(record, str):
        if path.isdigit():
            at = int(path[:6])
            return (True, record[at]) if at < len(record) else (False, None)
        if choice := _CHOICE.match(path):
            return _chosen(record, choice[1], choice[2], path[choice.end() :])
    for mark in re.finditer(r"[.[]", path):
        present, inner = lookup(record, path[: mark.start()])
        if present and isinstance(inner, (Mapping, list)):
            return lookup(inner, path[mark.end() if mark[0] == "." else mark.start() :])
    return False, None


def _chosen(items: Sequence[Any], key: str, value: str, rest: str) -> tuple[bool, Any]:
    """The value at the rest of a path in the first item whose key has a value."""
    for item in items:
        if isinstance(item, Mapping) and key in item and _as_key(item[key]) == value:
            return lookup(item, rest) if rest else (True, item)
    return False, None


def _as_key(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _telling_key(items: list[Any]) -> str | None:
    """The key whose values tell all items of a list apart, and can stand in a path; None for none."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in KEYS:
        values = [_as_key(item.get(key, "")) for item in items]
        plain = all(isinstance(item.get(key), (str, float, int)) for item in items)
        if plain and len(set(values)) == len(values) and not any(mark in value for value in values for mark in "[],"):
            return key
    return None


def flatten(record: Any, before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Path and value of each leaf of a record; items of a list by what tells them apart, such as a name, else by position.

    Args:
        record: Of JSON.
        before: Path of the record itself.
        depth: Level of nesting.

    >>> dict(flatten({"Time": "12:00", "BME280": {"Temperature": 19.3}}))
    {'Time': '12:00', 'BME280.Temperature': 19.3}
    >>> dict(flatten({"data": [{"id": "t", "v": 21.0}]}))
    {'data[id=t].id': 't', 'data[id=t].v': 21.0}
    """
    if depth >= DEEPEST or not isinstance(record, (Mapping, list)):
        yield before, record
        return
    if isinstance(record, list) and before and (key := _telling_key(record)):
        for item in record:
            yield from flatten(item, f"{before}[{key}={_as_key(item[key])}]", depth + 1)
        return
    items = record.items() if isinstance(record, Mapping) else enumerate(record)
    for name, value in items:
        yield from flatten(value, f"{before}.{name}" if before else str(name), depth + 1)


def as_text(leaf: Any) -> str:
    """A value as a cell of a table."""
    if leaf is None:
        return ""
    if isinstance(leaf, bool):
        return "true" if leaf else "false"
    return leaf if isinstance(leaf, str) else repr(leaf)
