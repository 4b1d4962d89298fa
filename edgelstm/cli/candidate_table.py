"""The comparison of a model's forecasts on injected faults, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgelstm.training.injected_faults import FAULTS

if TYPE_CHECKING:
    from edgelstm.training.candidates import Candidates

WIDTH = max(len(f"{name}: {fault.says}") for name, fault in FAULTS.items())


def candidate_lines(compared: Candidates | None) -> Iterator[str]:
    """Yield a table of what each forecast of a model finds, and what follows from it.

    Args:
        compared: The comparison; None where there is none.

    >>> from edgelstm.training.candidates import Candidate, Candidates
    >>> for line in candidate_lines(Candidates("linear", 8, (Candidate("linear", {"drift": 0.5}, 0.5, 0.0),), False)):
    ...     print(line)
    alarms by each forecast on 8 faults injected into normal rows (* listened to)
                                                  linear *
      drift: a ramp                                    50%
      all                                              50%
      nothing injected: false alarms                    0%
    """
    if compared is None:
        return
    ways = compared.candidates
    yield f"alarms by each forecast on {compared.faults} faults injected into normal rows (* listened to)"
    yield _line("", [f"{one.name} *" if one.name == compared.taken else one.name for one in ways])
    for kind, fault in FAULTS.items():
        if kind in ways[0].shares:
            yield _line(f"{kind}: {fault.says}", [_percent(one.shares[kind]) for one in ways])
    yield _line("all", [_percent(one.total) for one in ways])
    yield _line("nothing injected: false alarms", [_percent(one.false) for one in ways])
    if compared.linear_is_as_good and compared.taken != "linear":
        yield "The linear forecast alone finds as many of these, but for chance: --kind linear writes it, as a smaller model."


def _line(head: str, cells: list[str]) -> str:
    return f"  {head:{WIDTH}}" + "".join(f"{cell:>11}" for cell in cells)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
