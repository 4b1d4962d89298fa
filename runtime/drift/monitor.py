"""What is watched over hours and weeks, not sample by sample: drift, and the threshold that follows it.

A sample only waits here; the work is done once in 128 samples and once in a block, some 2 µs a sample
in all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from ..alarms.debounce import causes, event_id
from ..alarms.events import Event
from ..inference.windows import rows_from_text, rows_to_text
from ..model_file.metadata import Metadata
from .dspot import Adaptation
from .statistics import CHUNK, MEMORY, SECTION, Histogram, PageHinkley, Reference, count_above

CLOSE = 0.5  # of the limit, below which a drift is over
HOLD = 4  # blocks in a row beyond the limit before inputs count as drifted: a short anomaly is none


class LongTerm:
    """The slow watch over one stream.

    Args:
        names: Channel names, F of them.
        identity: Part of each event's id.
        reference: What is usual; None watches no drift.
        adaptation: The threshold's adaptation, None for none.
    """

    def __init__(
        self,
        names: Sequence[str],
        identity: str,
        reference: Reference | None,
        adaptation: Adaptation | None = None,
    ) -> None:
        self.names, self.identity = tuple(names), identity
        self.reference, self.adaptation = reference, adaptation
        self._edges = np.asarray(reference.edges if reference else (), np.float32)
        self.clear()

    @classmethod
    def of(cls, metadata: Metadata, identity: str, adapt: float | None) -> LongTerm | None:
        """What a model's stream is watched for, None when there is nothing.

        Args:
            metadata: The model's, with the section `drift` or without.
            identity: Part of each event's id.
            adapt: How many times up or down the threshold may go; None leaves it alone.
        """
        reference = Reference.of(metadata.sections.get(SECTION), len(metadata.channels))
        if metadata.threshold is None or (reference is None and adapt is None):
            return None
        adaptation = None if adapt is None else Adaptation(metadata.threshold.value, adapt)
        return cls(metadata.names, identity, reference, adaptation)

    def clear(self) -> None:
        """Forget the stream, but not what is usual."""
        self.rows: list[bytes] = []
        self.scores: list[float] = []
        self.seen, self.total = 0, 0.0
        self.counts = np.zeros(self._edges.shape, np.int64)
        self.parts = [0.0] * len(self.names)
        self.open: dict[str, dict[str, Any]] = {}
        self.recent: list[list[float]] = []
        if self.reference is not None:
            self.histogram = Histogram(self.reference.above)
            self.test = PageHinkley(self.reference.level, self.reference.slack)

    def take(self, packed: bytes, score: float) -> bool:
        """Keep a sample (scaled, as float32 bytes) and its score; whether it is time to `look`."""
        self.rows.append(packed)
        self.scores.append(score)
        return len(self.rows) >= CHUNK

    def look(
        self, index: int, time: float | None, parts: Sequence[float], faulty: frozenset[int], alarming: bool
    ) -> tuple[Event, ...]:
        """Take in what has gathered.

        Args:
            index: Number of the newest sample.
            time: Its time.
            parts: Its score's parts, shape (F,).
            faulty: Channels with a sensor fault: that is told already, and no drift.
            alarming: Whether an anomaly is open: nothing is learnt for the threshold then.
        """
        rows, scores, self.rows, self.scores = self.rows, self.scores, [], []
        if self.adaptation is not None and not alarming and not faulty:
            self.adaptation.update([score for score in scores if score <= self.adaptation.threshold])
        reference = self.reference
        if reference is None:
            return ()
        counts = count_above(np.frombuffer(b"".join(rows), np.float32).reshape(len(rows), -1), self._edges)
        for channel in faulty:
            counts[channel] = np.rint(np.asarray(reference.above[channel]) * len(rows))
        self.counts += counts
        self.total += math.fsum(map(min, scores, repeat(reference.unit))) / reference.unit
        self.parts = [a + b * b for a, b in zip(self.parts, parts, strict=True)]
        self.seen += len(rows)
        return (
            self._block(reference, float(index) if time is None else time, index)
            if self.seen >= reference.block
            else ()
        )

    def _block(self, reference: Reference, at: float, index: int) -> tuple[Event, ...]:
        """Judge the block that is complete."""
        ratios = self.histogram.update(self.counts / self.seen)
        self.recent = [*self.recent, [psi / limit for psi, limit in zip(ratios, reference.limits, strict=True)]][-HOLD:]
        worst = list(map(min, zip(*self.recent, strict=True))) if len(self.recent) == HOLD else [0.0] * len(ratios)
        total = self.test.update(self.total / self.seen) / reference.limit
        changed = tuple(self.names[i] for i in sorted(range(len(worst)), key=lambda i: -worst[i]) if worst[i] > 1)
        events = self._judge("inputs", index, at, max(worst), changed)
        events += self._judge("scores", index, at, total, causes(self.names, self.parts))
        self.parts = [part * (1 - 1 / MEMORY) for part in self.parts]
        self.counts, self.seen, self.total = np.zeros_like(self.counts), 0, 0.0
        return events

    def _judge(self, reason: str, index: int, at: float, extent: float, channels: tuple[str, ...]) -> tuple[Event, ...]:
        """Open, follow or close one kind of drift; `extent` is in limits."""
        drift = self.open.get(reason)
        if drift is None:
            if extent <= 1:
                return ()
            number = event_id(self.identity, "drift", reason, index, at)
            drift = self.open[reason] = {"id": number, "start": at, "end": at, "peak": 0.0, "channels": channels}
            self._follow(drift, at, extent)
            return (self._event(reason, "open"),)
        if extent < CLOSE:
            return (self._close(reason),)
        self._follow(drift, at, extent)
        return ()

    def _follow(self, drift: dict[str, Any], at: float, extent: float) -> None:
        drift["end"], drift["peak"] = at, max(drift["peak"], round(extent, 6))

    def _close(self, reason: str) -> Event:
        event = self._event(reason, "closed")
        del self.open[reason]
        return event

    def finish(self) -> tuple[Event, ...]:
        """Close what is open, as at the end of a stream."""
        return tuple(self._close(reason) for reason in list(self.open))

    def _event(self, reason: str, state: str) -> Event:
        drift = self.open[reason]
        end = drift["end"] if state == "closed" else None
        return Event(drift["id"], "drift", state, drift["start"], end, drift["peak"], tuple(drift["channels"]), reason)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON types."""
        return {
            "rows": rows_to_text(self.rows),
            "scores": self.scores,
            "seen": self.seen,
            "total": self.total,
            "counts": self.counts.tolist(),
            "parts": self.parts,
            "open": {reason: {**drift, "channels": list(drift["channels"])} for reason, drift in self.open.items()},
            "above": self.histogram.above.tolist() if self.reference else [],
            "recent": self.recent,
            "sum": self.test.sum if self.reference else 0.0,
            "calm": self.test.calm if self.reference else 0,
            "adaptation": self.adaptation.state() if self.adaptation else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave; a drift or an adaptation that was not watched then begins afresh."""
        self.clear()
        self.rows = rows_from_text(state["rows"], 4 * len(self.names), CHUNK)
        self.scores = list(state["scores"])
        if self.reference is not None and state["above"]:
            self.seen, self.total, self.parts = int(state["seen"]), state["total"], list(state["parts"])
            self.counts = np.asarray(state["counts"], np.int64).reshape(self.counts.shape)
            self.histogram.above = np.asarray(state["above"], np.float64).reshape(self.histogram.above.shape)
            self.test.sum, self.test.calm = state["sum"], int(state["calm"])
            self.recent = [list(row) for row in state["recent"]]
            self.open = {reason: dict(drift) for reason, drift in state["open"].items()}
        if self.adaptation is not None and state["adaptation"]:
            self.adaptation.restore(state["adaptation"])
