"""Intervals for differences between two models on the same dependent rows: a paired block bootstrap.

Rows of a series depend on their neighbours, so that drawing single rows would make every interval far too narrow.
Whole stretches are drawn instead (Carlstein 1986; Künsch 1989), the same ones for both models.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Picks = npt.NDArray[np.intp]
Figures = Mapping[str, float | None]
LEAST_BLOCKS = 10  # below which the spread of a resampled figure says little
MOST_BLOCKS = 100
LEVEL = 0.95
SEED = 0


def cut_blocks(rows: int, least: int, whole: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Cut rows into stretches of at least `least`, at most 100 of them.

    Args:
        rows: How many there are, T.
        least: Shortest stretch.
        whole: First and last row of what must not be cut in two, such as labelled anomalies.

    Returns:
        First row and row after the last of each stretch.

    >>> cut_blocks(10, 3, whole=[(2, 4)])
    [(0, 5), (5, 10)]
    """
    least = max(1, least, -(-rows // MOST_BLOCKS))
    edges = [0]
    while rows - edges[-1] >= 2 * least:
        edge = edges[-1] + least
        edge = max([edge, *(last + 1 for first, last in whole if first < edge <= last)])
        if rows - edge < least:
            break
        edges.append(edge)
    return list(zip(edges, [*edges[1:], rows], strict=True))


def draws(blocks: int, replicates: int, seed: int = SEED) -> list[Picks]:
    """Draw blocks with replacement, as many as there are, `replicates` times.

    Args:
        blocks: Number of blocks.
        replicates: Number of draws.
        seed: Seed of the draws.
    """
    generator = np.random.default_rng(seed)
    return [generator.integers(0, blocks, blocks) for _ in range(replicates)]


def resample(statistic: Callable[[Picks], Figures], picks: Sequence[Picks]) -> list[Figures]:
    """Compute a model's figures on each draw.

    Args:
        statistic: Figures of drawn blocks.
        picks: The draws.
    """
    return [statistic(drawn) for drawn in picks]


def interval(name: str, ours: Sequence[Figures], theirs: Sequence[Figures]) -> tuple[float, float] | None:
    """The 95 % percentile interval of ours minus theirs; None when most draws do not define the figure.

    Args:
        name: The figure.
        ours: Figures of a scheme on each draw.
        theirs: Figures of Keras on the same draws.
    """
    pairs = [(mine.get(name), other.get(name)) for mine, other in zip(ours, theirs, strict=True)]
    differences = [mine - other for mine, other in pairs if mine is not None and other is not None]
    if 2 * len(differences) < len(pairs) or not differences:
        return None
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def concatenated(blocks: Sequence[tuple[int, int]], picks: Picks) -> Picks:
    """Row numbers of the drawn blocks, one after the other.

    Args:
        blocks: First row and row after the last of each block.
        picks: Numbers of the drawn blocks.

    >>> concatenated([(0, 2), (2, 5)], np.array([1, 0])).tolist()
    [2, 3, 4, 0, 1]
    """
    return np.concatenate([np.arange(*blocks[pick]) for pick in picks.tolist()])
