"""Cutting a series in time order: the newest part is held back, nothing is shuffled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def split(parts: Sequence[Doubles], share: float, reach: int) -> tuple[list[Doubles], list[Doubles]]:
    """Cut the newest share of the rows off, at least two reaches, without shuffling.

    Args:
        parts: Segments in time order, each (T_i, F).
        share: Of all rows.
        reach: Rows that one training example spans.
    """
    total = sum(map(len, parts))
    wanted = max(int(share * total), min(2 * reach, total // 3))
    early: list[Doubles] = list(parts)
    late: list[Doubles] = []
    while wanted > 0 and early:
        last = early.pop()
        if len(last) > wanted:
            early.append(last[:-wanted])
            last = last[-wanted:]
        late.insert(0, last)
        wanted -= len(last)
    return usable(early, reach), usable(late, reach)


def usable(parts: Sequence[Any], reach: int) -> list[Any]:
    """The segments that hold at least one example.

    Args:
        parts: Segments, each (T_i, F).
        reach: Rows that one training example spans.
    """
    return [part for part in parts if len(part) >= reach]
