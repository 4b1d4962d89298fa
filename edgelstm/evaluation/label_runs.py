"""Runs of labelled rows."""

import numpy as np
import numpy.typing as npt

Ranges = list[tuple[int, int]]


def ranges(flags: npt.ArrayLike) -> Ranges:
    """First and last row of each run of true flags.

    >>> ranges([0, 1, 1, 0, 1])
    [(1, 2), (4, 4)]
    """
    edges = np.diff(np.concatenate([[0], np.asarray(flags, bool).astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))
