"""Units in the names of channels, as loggers write them: `oil temperature [°C]`."""

from __future__ import annotations

BRACKETS = (("[", "]"), ("(", ")"))
LONGEST = 12  # characters of a unit; what is longer is a remark


def _parts(name: str) -> tuple[str, str]:
    for opening, closing in BRACKETS:
        head, bracket, tail = name.strip().rpartition(opening)
        if bracket and tail.endswith(closing) and head.strip() and len(tail) <= LONGEST + 1:
            return head.strip(), tail[:-1].strip()
    return name, ""


def plain_name(name: str) -> str:
    """Return a channel's name without the unit in brackets at its end, which stands beside the value.

    >>> plain_name("oil temperature [°C]"), plain_name("oil temperature (°C)"), plain_name("valve_2")
    ('oil temperature', 'oil temperature', 'valve_2')
    """
    return _parts(name)[0]


def unit_in_name(name: str) -> str:
    """Return the unit in brackets at the end of a channel's name; empty without any.

    >>> unit_in_name("oil temperature [°C]"), unit_in_name("flow (l/min)"), unit_in_name("valve_2")
    ('°C', 'l/min', '')
    """
    return _parts(name)[1]
