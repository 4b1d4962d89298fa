"""Drift monitor: slow changes over hours and weeks, and the threshold that follows them.

A sample is only stored here. The work is done once in 128 samples and once in a block, some 2 µs a sample in all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from ..alarms.events import Event, strongest
from ..alarms.tracker import EventTracker, Level
from ..model_file.metadata import Metadata
from ..snapshot import rows_from_text, rows_to_text
from .statistics import CHUNK, MEMORY, SECTION, Histogram, PageHinkley, Reference, count_above

if TYPE_CHECKING:
    from .dspot import AdaptiveThreshold

CLOSE = 0.5  # of the limit, below which a drift is over
HOLD = 4  # blocks in a row beyond the limit before inputs count as drifted: a short anomaly is none


class DriftMonitor:
    """Drift events of one stream, and its adaptive threshold.

    Args:
        names: Channel names, F of them.
        identity: Text that tells this model's events from another's; part of each event's id.
        threshold: The model's own threshold.
        reference: Inputs and scores in normal operation; None watches no drift.
        adaptation: Threshold that follows the scores, None for a fixed one.
    """

    def __init__(
        self,
        names: Sequence[str],
        identity: str,
        threshold: float,
        reference: Reference | None,
        adaptation: AdaptiveThreshold | None = None,
    ) -> None:
        self.names = tuple(names)
        self._fixed, self.reference, self.adaptation = threshold, reference, adaptation
        self._tracker = EventTracker("drift", identity)
        self._edges = np.asarray(reference.edges if reference else (), np.float32)
        self.clear()

    @classmethod
    def of(cls, metadata: Metadata, identity: str, adapt: float | None) -> DriftMonitor | None:
        """Return the monitor of a model's stream, None when there is nothing to watch.

        Args:
            metadata: The model's metadata, with the section `drift` or without.
            identity: Part of each event's id.
            adapt: Largest factor, up or down, by which the threshold may follow the scores; None for a fixed one.
        """
        reference = Reference.of(metadata.sections.get(SECTION), len(metadata.channels))
        if metadata.threshold is None or (reference is None and adapt is None):
            return None
        adaptation = None if adapt is None else _adaptation(metadata.threshold.value, adapt)
        return cls(metadata.names, identity, metadata.threshold.value, reference, adaptation)

    @property
    def threshold(self) -> float:
        """The threshold in force."""
        return self._fixed if self.adaptation is None else self.adaptation.threshold

    def clear(self) -> None:
        """Forget the stream, but not the reference."""
        self._rows: list[bytes] = []
        self._scores: list[float] = []
        self._seen, self._total = 0, 0.0
        self._counts = np.zeros(self._edges.shape, np.int64)
        self._squares = [0.0] * len(self.names)
        self._recent: list[list[float]] = []
        self._tracker.finish()
        if self.reference is not None:
            self._histogram = Histogram(self.reference.above)
            self._test = PageHinkley(self.reference.level, self.reference.slack)

    def add(self, packed: bytes, score: float, replace: bool = False) -> bool:
        """Store a sample; return whether it is time to `process` those stored.

        Args:
            packed: The scaled sample as the bytes of a float32 array.
            score: Its score.
            replace: Whether it completes the newest sample, and is stored in its place.
        """
        if replace:
            self._rows[-1:] = [packed] if self._rows else []
            return False
        self._rows.append(packed)
        self._scores.append(score)
        return len(self._rows) >= CHUNK

    def process(
        self, index: int, time: float | None, parts: Sequence[float], faulty: frozenset[int], alarming: bool
    ) -> tuple[Event, ...]:
        """Update the statistics with the stored samples.

        Args:
            index: Number of the newest sample in the stream, from 0.
            time: Its time; None counts rows.
            parts: Its score's parts, shape (F,).
            faulty: Channels with a sensor fault, which is no drift.
            alarming: Whether an anomaly is open: the threshold does not follow such scores.

        Returns:
            The events that opened or closed.
        """
        rows, scores, self._rows, self._scores = self._rows, self._scores, [], []
        if self.adaptation is not None and not alarming and not faulty:
            self.adaptation.update([score for score in scores if score <= self.adaptation.threshold])
        reference = self.reference
        if reference is None:
            return ()
        counts = count_above(np.frombuffer(b"".join(rows), np.float32).reshape(len(rows), -1), self._edges)
        for channel in faulty:
            counts[channel] = np.rint(np.asarray(reference.above[channel]) * len(rows))
        self._counts += counts
        self._total += math.fsum(map(min, scores, repeat(reference.unit))) / reference.unit
        self._squares = [total + part * part for total, part in zip(self._squares, parts, strict=True)]
        self._seen += len(rows)
        return self._judge(reference, index, time) if self._seen >= reference.block else ()

    def _judge(self, reference: Reference, index: int, time: float | None) -> tuple[Event, ...]:
        """Judge the block that is complete, and begin the next."""
        distances = self._histogram.update(self._counts / self._seen)
        ratios = [distance / limit for distance, limit in zip(distances, reference.limits, strict=True)]
        self._recent = [*self._recent, ratios][-HOLD:]
        lasting = list(map(min, zip(*self._recent, strict=True))) if len(self._recent) == HOLD else [0.0] * len(ratios)
        total = self._test.update(self._total / self._seen) / reference.limit
        order = sorted(range(len(lasting)), key=lambda i: -lasting[i])
        changed = tuple(self.names[i] for i in order if lasting[i] > 1)
        events = (
            self._observe("inputs", index, time, max(lasting), changed),
            self._observe("scores", index, time, total, strongest(self.names, self._squares)),
        )
        self._squares = [total * (1 - 1 / MEMORY) for total in self._squares]
        self._counts, self._seen, self._total = np.zeros_like(self._counts), 0, 0.0
        return tuple(event for event in events if event)

    def _observe(
        self, reason: str, index: int, time: float | None, extent: float, channels: tuple[str, ...]
    ) -> Event | None:
        """Pass on one kind of drift; `extent` is in limits, and the channels are those at the beginning."""
        level = Level.ACTIVE if extent > 1 else Level.QUIET if extent < CLOSE else Level.BETWEEN
        first = () if reason in self._tracker.excursions else channels
        return self._tracker.observe(reason, index, time, level, round(extent, 6), first)

    def finish(self) -> tuple[Event, ...]:
        """Close all open events, as at the end of a stream."""
        return self._tracker.finish()

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain JSON types.

        Keys: `waiting_rows` and `waiting_scores` are stored but not processed; `samples`, `score_total` and
        `counts_above` (F, 9) belong to the block at hand; `squares` (F,) are decaying sums of squared parts;
        `recent_ratios` holds the newest blocks' PSI in limits; `histogram`, `page_hinkley` and `adaptation` are None
        where there are none; `excursions` are those of the tracker.
        """
        watched = self.reference is not None
        return {
            "waiting_rows": rows_to_text(self._rows),
            "waiting_scores": self._scores,
            "samples": self._seen,
            "score_total": self._total,
            "counts_above": self._counts.tolist(),
            "squares": self._squares,
            "recent_ratios": self._recent,
            "excursions": self._tracker.to_state(),
            "histogram": self._histogram.to_state() if watched else None,
            "page_hinkley": self._test.to_state() if watched else None,
            "adaptation": self.adaptation.to_state() if self.adaptation else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned; drift or a threshold that was not watched then begins afresh."""
        self.clear()
        self._rows = rows_from_text(state["waiting_rows"], 4 * len(self.names), CHUNK)
        self._scores = list(state["waiting_scores"])
        if self.reference is not None and state["histogram"] is not None:
            self._seen, self._total = int(state["samples"]), state["score_total"]
            self._counts = np.asarray(state["counts_above"], np.int64).reshape(self._counts.shape)
            self._squares = list(state["squares"])
            self._recent = [list(row) for row in state["recent_ratios"]]
            self._tracker.restore(state["excursions"])
            self._histogram.restore(state["histogram"])
            self._test.restore(state["page_hinkley"])
        if self.adaptation is not None and state["adaptation"]:
            self.adaptation.restore(state["adaptation"])


def _adaptation(threshold: float, adapt: float) -> AdaptiveThreshold:
    from .dspot import AdaptiveThreshold  # loaded where it is asked for

    return AdaptiveThreshold(threshold, adapt)
