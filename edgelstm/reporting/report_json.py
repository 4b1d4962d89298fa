"""A report as JSON, and back."""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from edgelstm.runtime.errors import ModelError

from .schema import SCHEMA, Report


def record(report: Report) -> dict[str, Any]:
    """Return a report as plain JSON types."""
    plain: dict[str, Any] = json.loads(json.dumps(_plain(report), allow_nan=False))
    return plain


def read_report(text: str, origin: str) -> Report:
    """Read a report from its JSON.

    Args:
        text: The JSON text.
        origin: Name of the file, for errors.

    Raises:
        ModelError: If it is none, or of a version that this edgelstm does not know.
    """
    try:
        record = json.loads(text)
        if record["schema"] != SCHEMA:
            raise ModelError(f"{origin} has schema {record['schema']!r}; this edgelstm knows {SCHEMA}. Make it again.")
        report: Report = build_value(Report, record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{origin} is not a report of this tool ({error!r:.100}). Make it again.") from error
    return report


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def build_value(kind: Any, value: Any) -> Any:
    """Build a value of an annotated type, such as a dataclass of dataclasses, from its plain form.

    Args:
        kind: The type.
        value: Plain JSON types.

    Raises:
        TypeError: If a field without a default is missing.
    """
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        known = {item.name for item in fields(kind)}
        return kind(**{name: build_value(hints[name], part) for name, part in value.items() if name in known})  # type: ignore[operator]
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else build_value(next(part for part in inside if part is not type(None)), value)
    if origin is tuple:
        variadic = inside[-1] is Ellipsis
        return tuple(build_value(inside[0 if variadic else index], part) for index, part in enumerate(value))
    if origin is Mapping:
        return {name: build_value(inside[1], part) for name, part in value.items()}
    return value
