"""The comparison of a model's forecasts on injected faults, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgelstm.training.injected_faults import FAULTS

WIDTH = max(len(f"{name}: {fault.says}") for name, fault in FAULTS.items())


def candidate_lines(record: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield a table of what each forecast of a model finds, and what follows from it.

    Args:
        record: As `Candidates.record` returns it; None for no comparison.

    >>> one = {"name": "linear", "shares": {"drift": 0.5}, "total": 0.5, "false": 0.0}
    >>> for line in candidate_lines({"taken": "linear", "faults": 8, "candidates": [one], "linear_is_as_good": False}):
    ...     print(line)
    alarms by each forecast on 8 faults injected into normal rows (* listened to)
                                                  linear *
      drift: a ramp                                    50%
      all                                              50%
      nothing injected: false alarms                    0%
    """
    if not record:
        return
    ways = record["candidates"]
    yield f"alarms by each forecast on {record['faults']} faults injected into normal rows (* listened to)"
    yield _line("", [f"{one['name']} *" if one["name"] == record["taken"] else one["name"] for one in ways])
    for kind, fault in FAULTS.items():
        if kind in ways[0]["shares"]:
            yield _line(f"{kind}: {fault.says}", [_percent(one["shares"][kind]) for one in ways])
    yield _line("all", [_percent(one["total"]) for one in ways])
    yield _line("nothing injected: false alarms", [_percent(one["false"]) for one in ways])
    if record["linear_is_as_good"] and record["taken"] != "linear":
        yield "The linear forecast alone finds as many of these, but for chance: --kind linear writes it, as a smaller model."


def _line(head: str, cells: list[str]) -> str:
    return f"  {head:{WIDTH}}" + "".join(f"{cell:>11}" for cell in cells)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
