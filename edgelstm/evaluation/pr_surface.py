"""Volume under the precision-recall surface, for all buffers at once: a bootstrap asks for it hundreds of times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .label_runs import Ranges, ranges

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
THRESHOLDS = 250  # as in TSB-AD


def volume(truth: Flags, values: Doubles, window: int) -> float:
    """Mean area under the curves of the buffers 0 to `window`, see `metrics.vus_pr`.

    Args:
        truth: Whether each row is anomalous, shape (T,), one of them at least.
        values: Scores, shape (T,).
        window: Largest buffer, rows, B.
    """
    anomalies = ranges(truth)
    ordered = np.sort(values)[::-1]
    levels = ordered[np.linspace(0, len(values) - 1, THRESHOLDS).astype(int)]
    near = _softened(truth, values, anomalies, levels, window)
    hits = np.searchsorted(np.sort(-values[truth]), -levels, side="right")  # anomalous rows at or above each level
    flagged = np.searchsorted(-ordered, -levels, side="right")  # all rows there
    seen = _seen(values, anomalies, levels, window // 2)[np.arange(window + 1) // 2]
    right = hits + near
    recall = np.minimum(right / (truth.sum() + near / 2), 1.0) * seen
    recall[:, 1:] -= recall[:, :-1].copy()
    return float(np.mean(np.einsum("ij,ij->i", recall, right / flagged)))


def _softened(truth: Flags, values: Doubles, anomalies: Ranges, levels: Doubles, window: int) -> Doubles:
    """Sum of the softened labels of normal rows at or above each level, shape (B + 1, levels) (RangeAUC in TSB-AD).

    A label falls off as sqrt(1 - distance / buffer) up to half a buffer away, so that few rows count, and rows at the same
    distances count alike: their number by level, times what each gives in each buffer.
    """
    rows, nearest, second = _near(truth, anomalies, window // 2)
    base = window + 1  # of distances; a second one beyond reach is as good as none
    pairs, pair = np.unique(nearest * base + np.minimum(second, window), return_inverse=True)
    level = np.searchsorted(-levels, -values[rows], side="left")  # the first at or below the row's score
    counts = np.bincount(level * len(pairs) + pair, minlength=(len(levels) + 1) * len(pairs))
    above = np.cumsum(counts.reshape(len(levels) + 1, len(pairs))[:-1], axis=0, dtype=np.float64)
    # two anomalies near by are enough for a full label: each gives at least sqrt(1 / 2)
    soft = np.minimum(_fading(pairs // base, window) + _fading(pairs % base, window), 1.0)
    total: Doubles = soft @ above.T
    return total


def _near(truth: Flags, anomalies: Ranges, reach: int) -> tuple[npt.NDArray[np.intp], ...]:
    """Normal rows within reach of an anomaly, and their distances to the nearest two anomalies."""
    firsts, lasts = (np.asarray(side) for side in zip(*anomalies, strict=True))
    edges = np.zeros(len(truth) + 1, int)
    np.add.at(edges, np.maximum(firsts - reach, 0), 1)
    np.add.at(edges, np.minimum(lasts + reach + 1, len(truth)), -1)
    rows = np.flatnonzero((np.cumsum(edges)[:-1] > 0) & ~truth)
    far = 2 * len(truth) + reach
    firsts, lasts = np.concatenate([firsts, [far, far]]), np.concatenate([[-far, -far], lasts])
    place = np.searchsorted(firsts, rows)  # the next anomaly
    ahead, after, behind, before = (
        firsts[place] - rows, firsts[place + 1] - rows, rows - lasts[place + 1], rows - lasts[place]
    )  # fmt: skip
    second = np.minimum(np.maximum(ahead, behind), np.minimum(after, before))
    return rows, np.minimum(ahead, behind), second


def _fading(distances: npt.NDArray[np.intp], window: int) -> Doubles:
    """Softened label at each distance in each buffer, shape (B + 1, N)."""
    buffers = np.arange(window + 1)[:, None]
    size = np.maximum(1, buffers)
    return np.sqrt(1 - np.minimum(distances, size) / size) * (distances <= buffers // 2)


def _seen(values: Doubles, anomalies: Ranges, levels: Doubles, reach: int) -> Doubles:
    """Share of the anomalies, widened by 0 to `reach` rows on either side, that hold a score at or above each level.

    Those that touch count as one. Shape (reach + 1, levels).
    """
    firsts, lasts = (np.asarray(side) for side in zip(*anomalies, strict=True))
    inside = np.maximum.reduceat(np.append(values, -np.inf), np.column_stack([firsts, lasts + 1]).ravel())[::2]
    steps = np.arange(1, reach + 1)
    left = values[np.maximum(firsts[:, None] - steps, 0)]
    right = values[np.minimum(lasts[:, None] + steps, len(values) - 1)]
    peaks = np.maximum.accumulate(np.column_stack([inside, np.maximum(left, right)]), axis=1)
    gaps = firsts[1:] - lasts[:-1]
    starts = [np.concatenate([[0], np.flatnonzero(gaps > 2 * half) + 1]) for half in range(reach + 1)]
    wide = np.concatenate([np.maximum.reduceat(peaks[:, half], groups) for half, groups in enumerate(starts)])
    sizes = np.array([len(groups) for groups in starts])
    place = np.searchsorted(-levels, -wide, side="left") + (len(levels) + 1) * np.repeat(np.arange(reach + 1), sizes)
    counts = np.bincount(place, minlength=(reach + 1) * (len(levels) + 1)).reshape(reach + 1, -1)[:, :-1]
    shares: Doubles = np.cumsum(counts, axis=1) / sizes[:, None]
    return shares
