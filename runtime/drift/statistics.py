"""Drift statistics: slow changes of inputs and scores against normal operation.

Inputs are watched by the population stability index (PSI) of each channel's histogram, scores by the Page-Hinkley test
(Page, Biometrika 41, 1954). Both are updated once in a block of samples and forget old blocks slowly. Their limits come
from the model's own rows of normal operation by the same code: a day and a night differ, and that is no drift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from ..model_file.metadata import MOST

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
CHUNK = 128  # samples reduced at once, so that unprocessed ones stay few in memory and in a snapshot
SECTION = "drift"
BINS = 10  # the usual number for a PSI, deciles
MEMORY = 8  # blocks, over which the histogram forgets
LEAST_SHARE = 1e-3  # of a bin, so that an empty one has a logarithm
NOTABLE = 0.25  # PSI; the customary limit of a major shift (Siddiqi, Credit Risk Scorecards, 2006)
LEAST_SUM = 4.0  # blocks at the threshold: an alarm that is shorter is no drift
BLOCKS = 32  # blocks that the rows of normal operation are cut into
LARGEST_BLOCK = 1024  # samples
LEAST_BLOCKS = 6  # fewer say nothing about normal operation


@dataclass(frozen=True)
class Reference:
    """Inputs and scores in normal operation; the metadata section `drift`."""

    block: int
    """Samples between looks, a multiple of 128."""
    edges: Sequence[Sequence[float]]
    """Inner bin edges of each channel, scaled units, shape (F, 9)."""
    above: Sequence[Sequence[float]]
    """Share of the samples above each of them, shape (F, 9)."""
    limits: Sequence[float]
    """PSI of each channel above which it has drifted, shape (F,)."""
    unit: float
    """Score that counts as 1, and a higher one as no more: the threshold at the time."""
    level: float
    """Mean score of a block, in units."""
    slack: float
    """Excess of a block's mean above the level that does not count, in units."""
    limit: float
    """Sum of the excesses that count, above which the scores have drifted, in units."""

    @classmethod
    def of(cls, section: Mapping[str, Any] | None, channels: int) -> Reference | None:
        """Read the section `drift` of a model's metadata, None where there is none; keys of a later version are ignored.

        Args:
            section: The section.
            channels: Number of channels, F.

        Raises:
            ModelError: If it does not fit the number of channels, or is damaged.
        """
        if not section:
            return None
        try:
            reference = cls(**{item.name: section[item.name] for item in fields(cls)})
            tables = np.asarray([reference.edges, reference.above], np.float64)
            sums = np.asarray(
                [*reference.limits, reference.unit, reference.level, reference.slack, reference.limit], np.float64
            )
            if tables.shape != (2, channels, BINS - 1) or len(reference.limits) != channels or reference.block % CHUNK:
                raise ValueError(f"tables of shape {tables.shape}, blocks of {reference.block}")
            if not (
                np.abs(tables).max() < MOST and np.isfinite(sums).all() and reference.block > 0 and reference.unit > 0
            ):
                raise ValueError("a value that is not usable")
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The model's drift section is damaged ({error}). Convert it again.") from error
        return reference


class Histogram:
    """Each channel's shares of samples above its edges, forgetting old blocks, and their distance from the reference.

    Args:
        above: Shares in normal operation, shape (F, 9).
    """

    def __init__(self, above: Sequence[Sequence[float]]) -> None:
        self.above: Doubles = np.asarray(above, np.float64)
        self._reference = _shares(self.above)

    def update(self, above: Doubles) -> list[float]:
        """Update with a block's shares, shape (F, 9); return the PSI of each channel, 0 for the same shares."""
        self.above = self.above + (above - self.above) / MEMORY
        shares = _shares(self.above)
        distances = ((shares - self._reference) * np.log(shares / self._reference)).sum(axis=1)
        rounded: list[float] = np.round(distances, 6).tolist()  # platforms differ in the last bits of a logarithm
        return rounded

    def to_state(self) -> list[list[float]]:
        """Return the shares above the edges, shape (F, 9)."""
        state: list[list[float]] = self.above.tolist()
        return state

    def restore(self, state: Sequence[Sequence[float]]) -> None:
        """Continue from what `to_state` returned."""
        self.above = np.asarray(state, np.float64).reshape(self.above.shape)


class PageHinkley:
    """Sum of the excesses of blocks' mean scores above their level in normal operation.

    A stretch of normal blocks ends the sum: without an end, the sum after one long alarm would stand for weeks.

    Args:
        level: Mean score of a block in normal operation, in units.
        slack: Excess that does not count, in units.
    """

    def __init__(self, level: float, slack: float) -> None:
        self.level, self.slack = level, slack
        self.sum, self.calm = 0.0, 0

    def update(self, mean: float) -> float:
        """Update with a block's mean score, in units; return the sum."""
        self.calm = self.calm + 1 if mean <= self.level + 4 * self.slack else 0
        self.sum = 0.0 if self.calm >= MEMORY else max(0.0, self.sum + mean - self.level - self.slack)
        return self.sum

    def to_state(self) -> dict[str, Any]:
        """Return the sum and the normal blocks in a row, as plain JSON types."""
        return {"sum": self.sum, "calm_blocks": self.calm}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned."""
        self.sum, self.calm = float(state["sum"]), int(state["calm_blocks"])


def count_above(rows: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    """Count the rows above each edge.

    Args:
        rows: Scaled samples, shape (N, F).
        edges: Bin edges, shape (F, 9).

    Returns:
        Counts, shape (F, 9).
    """
    counts: npt.NDArray[np.int64] = np.add.reduce(rows[:, :, None] > edges, axis=0, dtype=np.int64)
    return counts


def fit_reference(segments: Sequence[Floats], scores: Sequence[npt.ArrayLike], threshold: float) -> Reference | None:
    """Fit the reference on rows of normal operation.

    Args:
        segments: Scaled rows of normal operation, each (T_i, F), in time order.
        scores: Their scores, each (N_i,) for the last N_i rows of its segment.
        threshold: The alarm threshold.

    Returns:
        None if there are too few rows to know, or all scores are 0.
    """
    if threshold <= 0:  # a constant series without a single error: there is no score to drift from
        return None
    rows = np.concatenate([part[len(part) - len(np.asarray(s)) :] for part, s in zip(segments, scores, strict=True)])
    levels = np.minimum(np.concatenate([np.asarray(part, np.float64) for part in scores]) / threshold, 1.0)
    block = min(max(len(rows) // BLOCKS // CHUNK, 1) * CHUNK, LARGEST_BLOCK)
    count = len(rows) // block
    if count < LEAST_BLOCKS:
        return None
    edges = np.round(np.quantile(rows.astype(np.float64), np.arange(1, BINS) / BINS, axis=0).T, 4)
    shares = np.round(count_above(rows, edges.astype(np.float32)) / len(rows), 4)
    histogram, blocks = Histogram(shares.tolist()), np.split(rows[: count * block], count)
    worst = np.max([histogram.update(count_above(part, edges.astype(np.float32)) / block) for part in blocks], axis=0)
    margin = 1 + 8 / math.sqrt(count)  # as for the threshold: few blocks tell little about the largest
    means = levels[: count * block].reshape(count, block).mean(axis=1)
    slack = max(0.5 * float(means.std()), 0.01)
    test = PageHinkley(float(means.mean()), slack)
    excursion = max(test.update(float(mean)) for mean in means)
    return Reference(
        block, edges.tolist(), shares.tolist(), [max(NOTABLE, margin * float(psi)) for psi in worst],
        threshold, test.level, slack, max(margin * excursion, LEAST_SUM),
    )  # fmt: skip


def _shares(above: Doubles) -> Doubles:
    """Return bin shares, shape (F, 10), from the shares above the edges, shape (F, 9).

    >>> _shares(np.array([[0.75, 0.25]])).tolist()
    [[0.25, 0.5, 0.25]]
    """
    ends = np.ones((len(above), above.shape[1] + 2))
    ends[:, 1:-1], ends[:, -1] = above, 0.0
    shares: Doubles = np.maximum(ends[:, :-1] - ends[:, 1:], LEAST_SHARE)
    return shares
