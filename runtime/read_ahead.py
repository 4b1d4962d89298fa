"""Samples of a file, with the detector told of them beforehand: an integer model then computes them in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from .detector import Detector
from .sources import Sample, Source, is_regular

COUNT = 4096  # samples read ahead


def read_ahead(samples: Iterable[Sample], detector: Detector) -> Iterator[Sample]:
    """Yield samples as they come, but read some thousand of them before the first is given out.

    Args:
        samples: Of a source that does not wait for the world, such as a file.
        detector: The detector that they are for.
    """
    iterator = iter(samples)
    failure: Exception | None = None
    while failure is None:
        chunk: list[Sample] = []
        try:
            chunk.extend(islice(iterator, COUNT))
        except Exception as error:  # what came before it still counts
            failure = error
        if chunk:
            detector.expect([sample.values for sample in chunk], [sample.time for sample in chunk])
            yield from chunk
        elif failure is None:
            return
    raise failure


def ahead_of(source: Source, path: Path | str, detector: Detector) -> Source:
    """Return the source, read ahead where it is a file that does not grow: nobody waits for a pipe's next row then.

    Args:
        source: The source.
        path: Its file, `-` for standard input.
        detector: The detector that its samples are for.
    """
    return ReadAhead(source, detector) if is_regular(path) else source


class ReadAhead:
    """A source of another one's samples, read ahead.

    Args:
        source: A file.
        detector: The detector that they are for.
    """

    def __init__(self, source: Source, detector: Detector) -> None:
        self._source, self._detector = source, detector
        self._closed = False
        self.name, self.replayable = source.name, source.replayable

    @property
    def skipped(self) -> int:
        """See `Source`."""
        return self._source.skipped

    def __iter__(self) -> Iterator[Sample]:
        """The samples, oldest first."""
        for sample in read_ahead(self._source, self._detector):
            if self._closed:
                return
            yield sample

    def close(self) -> None:
        """See `Source`."""
        self._closed = True
        self._source.close()
