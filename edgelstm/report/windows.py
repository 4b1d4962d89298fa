"""Judging outputs themselves, window by window: what every kind of model gets, labels or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.metadata import Metadata
from edgelstm.source import spread_windows
from edgelstm.splitting import usable

from .bootstrap import LEAST_BLOCKS, SEED, Figures, Picks, concatenated, cut_blocks, draws, interval, resample
from .results import Drop, Resampling

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]
MOST = 512  # windows, spread over the rows
REPLICATES = 1000


@dataclass(frozen=True)
class Windows:
    """Windows of normal operation with what a model should make of them."""

    inputs: Array
    """Scaled, shape (N, W, F)."""
    targets: Array
    """Scaled, shape (N, W, F) of an autoencoder, (N, H, F) of a forecaster."""
    reach: int
    """How many neighbouring windows share rows."""

    @classmethod
    def of(cls, metadata: Metadata, segments: Sequence[Array]) -> Windows | None:
        """Spread over scaled segments (T_i, F); None when there are no rows, or the model does not predict them."""
        length = metadata.window + metadata.horizon
        rows = sum(len(part) - length + 1 for part in usable(segments, length))
        if metadata.kind not in ("autoencoder", "forecaster") or metadata.stateful or rows < 1:
            return None
        whole = spread_windows(segments, length, MOST)
        inputs = whole[:, : metadata.window]
        targets = whole[:, metadata.window :] if metadata.horizon else inputs
        return cls(inputs, targets, -(-length * len(whole) // rows))

    def explained(self, outputs: Array) -> Doubles:
        """Squared error and squared deviation a window, shape (N, 2): their sums give the variance explained."""
        axes = (1, 2)
        error = np.sum((outputs.astype(np.float64) - self.targets) ** 2, axis=axes)
        mean = self.targets.mean(axis=(0, 1), dtype=np.float64)
        return np.stack([error, np.sum((self.targets - mean) ** 2, axis=axes)], axis=1)

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Stretches of windows of which those in different ones share few rows."""
        return cut_blocks(len(self.inputs), 2 * self.reach)

    @property
    def resampling(self) -> Resampling | None:
        """How intervals are made; None where there are too few blocks."""
        blocks = len(self.blocks)
        return Resampling(blocks, 2 * self.reach, REPLICATES, SEED, "windows") if blocks >= LEAST_BLOCKS else None

    def drop(self, ours: Doubles, theirs: Doubles) -> Drop:
        """Difference of the variance explained by two models, from their `explained`."""
        blocks, resampling = self.blocks, self.resampling

        def statistic(parts: Doubles, picks: Picks) -> Figures:
            return {"explained": share(parts[concatenated(blocks, picks)])}

        found = None
        if resampling is not None:
            picks = draws(resampling.blocks, resampling.replicates, resampling.seed)
            pair = [resample(lambda drawn, parts=parts: statistic(parts, drawn), picks) for parts in (ours, theirs)]  # type: ignore[misc]
            found = interval("explained", pair[0], pair[1])
        low, high = found or (None, None)
        return Drop((share(ours) or 0.0) - (share(theirs) or 0.0), low, high)


def share(parts: Doubles) -> float | None:
    """Variance explained, from `Windows.explained`; None for a signal that never changes."""
    error, deviation = parts.sum(axis=0)
    return float(1 - error / deviation) if deviation > 0 else None
