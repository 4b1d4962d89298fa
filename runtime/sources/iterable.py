"""Any Python iterable as a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .sample import Sample


class IterableSource:
    """Samples from `(time, values)` pairs, as a loop of your own would give them to `Detector.update`.

    Args:
        pairs: Time in seconds or None, and values of shape (F,), oldest first.
        name: What to call it in messages.

    >>> [sample.values for sample in IterableSource([(0.0, [1.5]), (1.0, [2.5])])]
    [[1.5], [2.5]]
    """

    def __init__(self, pairs: Iterable[tuple[float | None, Any]], name: str = "iterable") -> None:
        self.name = name
        self._pairs, self._stopped = pairs, False

    skipped = 0
    replayable = False

    def __iter__(self) -> Iterator[Sample]:
        for row, (time, values) in enumerate(self._pairs):
            if self._stopped:
                return
            yield Sample([float(value) for value in values], time, row, "" if time is None else repr(time))

    def close(self) -> None:
        """End before the next pair is taken."""
        self._stopped = True
