"""Judgement of classifiers: every scheme and Keras on the same labelled examples."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.classification.data import NORMAL
from edgelstm.classification.evaluate import Examples, Quality, measure, rates

from .bootstrap import LEAST_BLOCKS, SEED, Figures, Picks, concatenated, cut_blocks, draws, interval, resample
from .schema import Drop, Resampling

Array = npt.NDArray[Any]
REPLICATES = 1000


@dataclass(frozen=True)
class Answers:
    """Examples that classifiers are judged on."""

    examples: Examples
    window: int
    """Rows a window; 0 for texts, which do not depend on their neighbours."""

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Stretches of at least two windows that cut no machine state in two; single texts."""
        return cut_blocks(len(self.examples.truth), 2 * self.window, self._states() if self.window else ())

    def _states(self) -> list[tuple[int, int]]:
        truth = np.asarray(self.examples.truth)
        edges = [0, *(np.flatnonzero(truth[1:] != truth[:-1]) + 1).tolist(), len(truth)]
        runs = itertools.pairwise(edges)
        return [(start, stop - 1) for start, stop in runs if truth[start] != NORMAL]

    @property
    def resampling(self) -> Resampling | None:
        """Origin of the intervals; None where there are too few blocks."""
        blocks = self.blocks
        if len(blocks) < LEAST_BLOCKS:
            return None
        least = min(stop - start for start, stop in blocks)
        return Resampling(len(blocks), least, REPLICATES, SEED, "windows" if self.window else "texts")

    def quality(self, name: str, scheme: str, shares: Array) -> Quality:
        """Accuracy, macro F1 and confusion from outputs (N, C).

        Args:
            name: File name.
            scheme: keras or a quantization scheme.
            shares: Outputs, shape (N, C).
        """
        return measure(name, scheme, self.examples.truth, self.examples.answers(shares), self.examples.labels)

    def drops(self, ours: Array, theirs: Array) -> dict[str, Drop]:
        """Differences between two models' outputs (N, C), with intervals.

        Args:
            ours: Outputs of a scheme, shape (N, C).
            theirs: Outputs of Keras, same shape.
        """
        pair = self._pairs(ours), self._pairs(theirs)
        full = [self._figures(part) for part in pair]
        resampling, blocks = self.resampling, self.blocks
        drawn: list[list[Figures]] = [[], []]
        if resampling is not None:
            picks = draws(resampling.blocks, resampling.replicates, resampling.seed)
            drawn = [resample(lambda pick, part=part: self._drawn(part, blocks, pick), picks) for part in pair]  # type: ignore[misc]
        drops = {}
        for name in ("accuracy", "macro_f1"):
            low, high = (interval(name, *drawn) if drawn[0] else None) or (None, None)
            drops[name] = Drop((full[0][name] or 0.0) - (full[1][name] or 0.0), low, high)
        return drops

    def _pairs(self, shares: Array) -> Array:
        """Cell of the confusion matrix that each example counts in."""
        names = sorted({*self.examples.labels, *self.examples.truth})
        place = {name: index for index, name in enumerate([*names, ""])}
        answers = [place[answer or ""] for answer in self.examples.answers(shares)]
        cells: Array = np.asarray([place[name] for name in self.examples.truth]) * len(place) + np.asarray(answers)
        return cells

    def _drawn(self, pairs: Array, blocks: list[tuple[int, int]], picks: Picks) -> Figures:
        return self._figures(pairs[concatenated(blocks, picks)])

    def _figures(self, pairs: Array) -> Figures:
        classes = len({*self.examples.labels, *self.examples.truth}) + 1
        accuracy, macro = rates(np.bincount(pairs, minlength=classes**2).reshape(classes, classes))
        return {"accuracy": accuracy, "macro_f1": macro}
