"""Type checks of values read from a file against the annotations of a dataclass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def check_fields(record: Any) -> None:
    """Check the fields of a dataclass against their annotations.

    Args:
        record: An instance of the dataclass.

    Raises:
        ValueError: With the field's name, if a value is of another type, or a number that is not finite.

    >>> from edgelstm.runtime.scoring.threshold import Threshold
    >>> check_fields(Threshold("high"))
    Traceback (most recent call last):
    ValueError: value is 'high', not float
    """
    kind: Any = type(record)
    hints = _hints(kind)
    for item in fields(record):
        value, hint = getattr(record, item.name), hints[item.name]
        if not fits(value, hint):
            raise ValueError(f"{item.name} is {str(value)[:40]!r}, not {getattr(hint, '__name__', hint)}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Annotations of a dataclass: a model has as many records as channels, of few classes."""
    return get_type_hints(kind)


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value fits an annotation; an integer is a float, too.

    Args:
        value: Any value.
        hint: An annotation of plain types, tuples, unions and mappings.

    >>> fits((1.0, 2), tuple[float, ...]), fits(float("nan"), float), fits(True, int), fits(None, float | None)
    (True, False, False, True)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(item, inner[0]) for item in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, Mapping if origin is Mapping else NoneType if hint is None else hint)
