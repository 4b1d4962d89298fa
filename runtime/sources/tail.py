"""A growing file, as `tail -n +1 -F` reads it: through rotation and truncation, for ever."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ..errors import SeriesError
from .column_mapping import Columns
from .line_reader import BLOCK, WAIT, Splitter
from .live import LiveSource
from .sample import Sample

log = logging.getLogger("edgelstm")
GONE = 5.0  # seconds without the file after which it is said; a rotation takes less
LOOKS = round(GONE / WAIT)


class FollowSource(LiveSource):
    """Samples of a file that is written to, from its beginning; a file that is not there yet is waited for.

    Args:
        path: File name. When another file takes its name (logrotate), the old one is read to its end first.
        columns: Which columns feed the model.

    Raises (while reading):
        SeriesError: If the folder of the file is missing at the start, or the file cannot be read.
    """

    def __init__(self, path: Path | str, columns: Columns) -> None:
        super().__init__(columns, str(path), clock=None)
        self.path, self.replayable = Path(path), True
        self._absent = 0  # looks in a row that did not find the file

    def __iter__(self) -> Iterator[Sample]:
        self._absent = LOOKS * announce_absence(self.path)  # said already
        while not self._stop.is_set():
            try:
                stream = open(self.path, "rb", buffering=0)  # noqa: SIM115 - closed just below
            except FileNotFoundError:
                self._count_absence()
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
            self._count_absence()
            return False  # moved away, not yet made anew: the old one may still be written to
        self._absent = 0
        here = os.fstat(stream.fileno())
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def _count_absence(self) -> None:
        """Count a look that did not find the file; say so once, when a rotation would be over."""
        self._absent += 1
        if self._absent == LOOKS:
            log.warning("%s is gone; waiting for a new one of its name.", self.path)


def announce_absence(path: Path) -> bool:
    """Say that a file to follow is not there yet; return whether it is not.

    Args:
        path: The file.

    Raises:
        SeriesError: If there is no folder in which it could appear.
    """
    if os.path.exists(path):
        return False
    if not os.path.isdir(path.parent):
        raise SeriesError(f"There is no folder {path.parent} for {path}. Check the name.")
    log.warning("There is no %s yet; waiting for it.", path)
    return True
