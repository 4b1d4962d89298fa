"""Surviving a power cut: a detector's state and its event log on disk, so that a restart goes on as if nothing was.

The state file holds the detector, how many rows of the source it has seen, and how long the event log was at that
moment. It is replaced whole (write, fsync, rename, fsync of the folder) every few minutes, which spares SD cards. After a
crash the log is cut back to the length that the state knows, the rows since then are read again from a replayable
source, and the same events, with the same ids, are written again: no event is lost and none is there twice.

A full disk does not end the watch: events wait in memory, and no snapshot is taken before they are in the log.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from ..alarms.events import Event
from ..detector import Detector
from ..errors import ModelError, OutputError
from ..io.atomic_files import write_atomic
from ..sources.sample import Sample

log = logging.getLogger("edgelstm")
INTERVAL = 300.0  # seconds: a window of 100 samples and 8 channels writes some 4 MB a day
LARGEST = 1 << 26  # bytes; a state is some KB
WAITING = 10_000  # events held while the log cannot be written; newer ones are dropped and counted


class Keeper:
    """Keeps one detector's state, and its event log when one is named.

    Args:
        detector: The model at work.
        path: State file.
        events: Event log, JSON lines; None for none.
        interval: Seconds between snapshots.

    Raises:
        OutputError: If the event log cannot be written.
    """

    def __init__(
        self, detector: Detector, path: Path | str, events: Path | str | None = None, interval: float = INTERVAL
    ) -> None:
        self.detector, self.path, self.interval = detector, Path(path), interval
        self.rows = 0
        """Rows of the source's file that the detector has seen."""
        self._first = ""  # that file's first row: another file is not the one whose rows have been seen
        self.written = 0
        """Bytes of state written so far."""
        self.dropped = 0
        """Events that neither the log nor the memory had room for."""
        self._waiting: deque[bytes] = deque()
        self._trouble = ""
        self._due = monotonic() + interval
        length = self._resume()
        self._log = None if events is None else _open_log(Path(events), length)
        if length is None:
            self.save()  # from here on the log's length is known

    def _resume(self) -> int | None:
        """Take the kept state on; return the event log's length at that time, None when starting afresh."""
        try:
            state = read_state(self.path)
            if state is None:
                return None
            self.detector.restore(state["detector"])
            self.rows, self._first = int(state["rows"]), str(state["first"])
            return int(state["log"])
        except (ModelError, KeyError, TypeError, ValueError) as error:
            log.warning("The state in %s is not used, the model starts afresh: %s", self.path, error)
            self.detector.reset()
            self.rows = 0
            return None

    def unseen(self, source: Iterable[Sample], replayable: bool = True) -> Iterator[Sample]:
        """The source's samples that the detector has not seen; all of one that cannot be replayed."""
        seen = self.rows if replayable else 0
        if not replayable:
            self.rows = 0
        for sample in source:
            if not sample.row and replayable:
                first = repr((sample.time, sample.values))
                if first != self._first and seen:
                    log.warning("The file is not the one that %s knows: it is read from its beginning", self.path)
                seen, self._first = (seen if first == self._first else 0), first
            if sample.row >= seen:
                seen = 0
                yield sample

    def event(self, event: Event) -> None:
        """Append an event to the log; while that fails it waits."""
        if self._log is None:
            return
        if len(self._waiting) >= WAITING:
            self.dropped += 1
            return
        self._waiting.append(json.dumps(event.record(), separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        try:
            self._write(self._log)
        except OutputError as error:
            self._troubled(error)

    def _write(self, log_file: int) -> None:
        """Append what waits, line by line and each whole."""
        while self._waiting:
            size, line = os.fstat(log_file).st_size, self._waiting[0]
            try:
                if os.write(log_file, line) < len(line):
                    raise OSError("no space left on the device")
            except OSError as error:
                os.ftruncate(log_file, size)
                raise OutputError(f"Cannot write the event log: {error.strerror or error}. Free some space.") from error
            self._waiting.popleft()

    def _troubled(self, error: OutputError) -> None:
        if not self._trouble:
            log.warning("%s The watch goes on; tried again every %g s.", error, self.interval)
        self._trouble = str(error)

    def after(self, row: int) -> None:
        """A row has been dealt with, its events too; take a snapshot when one is due, and go on when that fails."""
        self.rows = row + 1
        if monotonic() < self._due:
            return
        try:
            self.save()
        except OutputError as error:
            self._troubled(error)

    def save(self) -> None:
        """Take a snapshot now.

        Raises:
            OutputError: If it cannot be written.
        """
        length = 0
        self._due = monotonic() + self.interval
        if self._log is not None:
            self._write(self._log)
            os.fsync(self._log)
            length = os.fstat(self._log).st_size
        content = write_state(
            self.path, {"rows": self.rows, "first": self._first, "log": length, "detector": self.detector.snapshot()}
        )
        self.written += content
        if self._trouble:
            log.warning("%s: can be written again", self.path)
            self._trouble = ""

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            os.fsync(self._log)
            os.close(self._log)
            self._log = None


def write_state(path: Path, state: dict[str, Any]) -> int:
    """Replace the state file; returns its size."""
    body = json.dumps(state, separators=(",", ":")).encode()
    content = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    write_atomic(path, content)
    return len(content)


def read_state(path: Path) -> dict[str, Any] | None:
    """The state that was kept, None when there is none.

    Raises:
        ModelError: If it is damaged.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError("it is of an impossible size.")
        digest, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"it cannot be read ({error.strerror or error}).") from error
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ModelError("its checksum does not fit.")
    state: dict[str, Any] = json.loads(body)
    return state


def _open_log(path: Path, length: int | None) -> int:
    """Open the event log for appending, cut back to what the state knows of; None keeps all whole lines."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(descriptor).st_size
        if length is None:
            content = path.read_bytes()
            length = content.rfind(b"\n") + 1
        os.ftruncate(descriptor, min(length, size))
    except OSError as error:
        raise OutputError(f"Cannot write the event log {path}: {error.strerror or error}.") from error
    return descriptor
