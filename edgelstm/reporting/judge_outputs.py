"""Judgement of outputs, window by window: every kind of model has one, with labels or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.split import usable
from edgelstm.deployment.representative_data import spread_windows
from edgelstm.runtime.model_file.metadata import Metadata

from .bootstrap import LEAST_BLOCKS, SEED, Figures, Picks, concatenated, cut_blocks, draws, interval, resample
from .schema import Drop, Resampling

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]
MOST = 512  # windows, spread over the rows
REPLICATES = 1000


@dataclass(frozen=True)
class Windows:
    """Inputs of normal operation with the outputs that a model should return."""

    inputs: tuple[Array, ...]
    """Scaled, each (N, ...): a window (N, W, F), or a forecaster's history and context."""
    targets: Array
    """Values that the output should have, shape (N, W, F) of an autoencoder, (N, H, F) or (N, H) of a forecaster."""
    reach: int
    """Number of neighbouring ones that share rows."""
    unit: Array | float = 1.0
    """Scaled units per unit of the targets, shape (N, 1) or one number."""

    @classmethod
    def of(cls, metadata: Metadata, segments: Sequence[Array]) -> Windows | None:
        """Select windows, spread over segments; None when there are no rows, or the model keeps its state.

        Args:
            metadata: The model's.
            segments: Scaled, each (T_i, F).
        """
        length = metadata.window + metadata.horizon
        rows = sum(len(part) - length + 1 for part in usable(segments, length))
        if metadata.stateful or rows < 1:
            return None
        whole = spread_windows(segments, length, MOST)
        inputs = whole[:, : metadata.window]
        targets = whole[:, metadata.window :, : len(metadata.channels) or None] if metadata.horizon else inputs
        if metadata.scoring is not None:  # each witness forecasts the same rows
            targets = np.concatenate([targets] * metadata.scoring.witnesses, axis=1)
        return cls((inputs,), targets, -(-length * len(whole) // rows))

    def errors(self, outputs: Array) -> Doubles:
        """Squared error, squared deviation and mean absolute error of each, scaled units, shape (N, 3)."""
        count = len(self.targets)
        wanted = self.targets.astype(np.float64).reshape(count, -1) * self.unit
        missed = outputs.astype(np.float64).reshape(count, -1) * self.unit - wanted
        deviation = (wanted - wanted.mean()) if self.targets.ndim < 3 else self._by_channel()
        return np.stack([(missed**2).sum(axis=1), (deviation**2).sum(axis=1), np.abs(missed).mean(axis=1)], axis=1)

    def _by_channel(self) -> Doubles:
        mean = self.targets.mean(axis=(0, 1), dtype=np.float64)
        return np.asarray((self.targets - mean).reshape(len(self.targets), -1), np.float64)

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Stretches of windows of which those in different ones share few rows."""
        return cut_blocks(len(self.targets), 2 * self.reach)

    @property
    def resampling(self) -> Resampling | None:
        """Origin of the intervals; None where there are too few blocks."""
        blocks = len(self.blocks)
        return Resampling(blocks, 2 * self.reach, REPLICATES, SEED, "windows") if blocks >= LEAST_BLOCKS else None

    def drops(self, ours: Doubles, theirs: Doubles) -> dict[str, Drop]:
        """Differences of two models' figures, from their `errors`.

        Args:
            ours: Errors of a scheme, shape (N, 3).
            theirs: Errors of Keras, same shape.
        """
        blocks, resampling = self.blocks, self.resampling
        drawn: list[list[Figures]] = []
        if resampling is not None:
            picks = draws(resampling.blocks, resampling.replicates, resampling.seed)
            drawn = [_resampled(parts, blocks, picks) for parts in (ours, theirs)]
        mine, other = figures(ours), figures(theirs)
        drops = {}
        for name, value in mine.items():
            reference = other[name]
            if value is not None and reference is not None:
                low, high = (interval(name, *drawn) if drawn else None) or (None, None)
                drops[name] = Drop(value - reference, low, high)
        return drops


def _resampled(parts: Doubles, blocks: Sequence[tuple[int, int]], picks: Sequence[Picks]) -> list[Figures]:
    return resample(lambda drawn: figures(parts[concatenated(blocks, drawn)]), picks)


def figures(parts: Doubles) -> dict[str, float | None]:
    """Variance explained and mean absolute error from `Windows.errors`; no variance of a signal that never changes."""
    error, deviation, _ = parts.sum(axis=0)
    explained = float(1 - error / deviation) if deviation > 0 else None
    return {"explained": explained, "mae": float(parts[:, 2].mean())}
