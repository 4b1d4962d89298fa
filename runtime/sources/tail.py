"""A growing file, as `tail -n +1 -F` reads it: through rotation and truncation, for ever."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ..errors import SeriesError
from .column_mapping import Columns
from .line_reader import BLOCK, WAIT, Splitter
from .live import LiveSource
from .sample import Sample


class FollowSource(LiveSource):
    """Samples of a file that is written to, from its beginning; a file that is not there yet is waited for.

    Args:
        path: File name. When another file takes its name (logrotate), the old one is read to its end first.
        columns: Which columns feed the model.
    """

    def __init__(self, path: Path | str, columns: Columns) -> None:
        super().__init__(columns, str(path), clock=None)
        self.path, self.replayable = Path(path), True

    def __iter__(self) -> Iterator[Sample]:
        while not self._stop.is_set():
            try:
                stream = open(self.path, "rb", buffering=0)  # noqa: SIM115 - closed just below
            except FileNotFoundError:
                self._stop.wait(WAIT)
                continue
            except OSError as error:
                raise SeriesError(f"Cannot read {self.path}: {error.strerror or error}.") from error
            self.rows.new_file()
            with stream:
                yield from self.rows.samples(self._lines(stream))

    def _lines(self, stream: FileIO) -> Iterator[str]:
        """The lines of one file until another has taken its place."""
        splitter = Splitter(self.name, self.rows.pass_over)
        last = False
        while not self._stop.is_set():
            block = stream.read(BLOCK)
            if block:
                yield from splitter.feed(block)
                continue
            if self._truncated(stream):
                stream.seek(0)
                splitter = Splitter(self.name, self.rows.pass_over)
                self.rows.new_file()
            elif last:
                yield from splitter.rest()
                return
            elif not self._replaced(stream):  # read once more after the change: a writer may have been quick
                self._stop.wait(WAIT)
            else:
                last = True

    def _truncated(self, stream: FileIO) -> bool:
        return os.fstat(stream.fileno()).st_size < stream.tell()

    def _replaced(self, stream: FileIO) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False  # moved away, not yet made anew: the old one may still be written to
        here = os.fstat(stream.fileno())
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
