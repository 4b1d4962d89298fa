"""Event log on disk: one JSON line an event, none lost or doubled by a crash, through rotation by logrotate."""

from __future__ import annotations

import glob
import json
import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..alarms.events import Event
from ..errors import OutputError
from ..io.append_file import AppendFile
from ..io.file_lock import FileLock
from ..sinks.jsonl import compact

TAIL = 1 << 18  # bytes at the end of a log that hold the newest events
WAITING = 10_000  # events held while the log cannot be written; newer ones are dropped and counted


class Position(NamedTuple):
    """End of the log at the time of a snapshot."""

    length: int
    """Bytes."""
    inode: int | None
    """Number of the file, which a rename leaves alone; None when unknown."""


class EventLog:
    """An event log that belongs to one process alone.

    Args:
        path: File name; the file is made with mode 0600 where it is missing.
        position: Its end at the last snapshot, to which it is cut back; None keeps all whole lines.

    Raises:
        ConfigError: If another process or stream writes it.
        OutputError: If it cannot be written.
    """

    def __init__(self, path: Path, position: Position | None) -> None:
        self.path = path
        self.dropped = 0
        """Events that neither the log nor the memory had room for."""
        self._waiting: deque[bytes] = deque()
        self._lock = lock_beside(path, f"The event log {path}", "Give each its own --event-log.")
        try:
            self._file = AppendFile(path)
            self._cut_back(position)
        except OSError as error:
            self._lock.close()
            raise OutputError(f"Cannot write the event log {path}: {error.strerror or error}.") from error
        self._size = self._file.size

    def _cut_back(self, position: Position | None) -> None:
        """Remove events after the snapshot, whose rows will be read again; a renamed log has them still."""
        if position is not None:
            renamed = None if position.inode in (None, self._file.inode) else self._file_of(position.inode)
            if renamed is None:
                self._file.cut(position.length)
            elif renamed.stat().st_size > position.length:
                os.truncate(renamed, position.length)
        self._file.cut_half_line()

    def _file_of(self, inode: int | None) -> Path | None:
        """Find the file that a rotation renamed."""
        siblings = self.path.parent.glob(f"{glob.escape(self.path.stem)}*")
        return next((path for path in siblings if path.is_file() and path.stat().st_ino == inode), None)

    @property
    def rotated(self) -> bool:
        """The file was renamed or truncated by somebody else."""
        return self._file.renamed or self._file.size < self._size

    @property
    def position(self) -> Position:
        """End of the log."""
        return Position(self._file.size, self._file.inode)

    def hold(self, event: Event) -> None:
        """Keep an event in memory until the next flush."""
        if len(self._waiting) >= WAITING:
            self.dropped += 1
            return
        self._waiting.append(compact(event.record()).encode("utf-8", "surrogatepass") + b"\n")

    def flush(self) -> None:
        """Append the events that are held, line by line and each whole.

        Raises:
            OutputError: If the disk is full; the rest waits on.
        """
        try:
            while self._waiting:
                self._file.append(self._waiting[0])
                self._waiting.popleft()
                self._size = self._file.size
        except OSError as error:
            raise OutputError(f"Cannot write the event log: {error.strerror or error}. Free some space.") from error

    def reopen(self) -> None:
        """Go on in the file that has the log's name now.

        Raises:
            OutputError: If it cannot be opened.
        """
        try:
            if self._file.renamed:
                self._file.sync()
                self._file.reopen()
        except OSError as error:
            raise OutputError(f"Cannot write the event log {self.path}: {error.strerror or error}.") from error
        self._size = self._file.size

    def sync(self) -> None:
        """Wait until all is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Write what is held where that is possible, sync and close the file."""
        with suppress(OutputError, OSError):
            self.reopen()
            self.flush()
            self._file.sync()
        self._file.close()
        self._lock.close()


def recent_events(path: Path, most: int) -> list[Event]:
    """Read the newest events of a log, oldest first; lines that are none are passed over.

    Args:
        path: The log; one that is not there holds none.
        most: Number of events at most.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - TAIL))
            lines = stream.read(TAIL).splitlines()[-most:]
    except OSError:
        return []
    events = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            events.append(Event.of(json.loads(line)))
    return events


def lock_beside(path: Path, subject: str, remedy: str) -> FileLock:
    """Lock a file by a hidden lock file beside it, as a rename would replace a lock on the file itself.

    Args:
        path: The file.
        subject: See `FileLock`.
        remedy: See `FileLock`.

    Raises:
        ConfigError: If another process or stream holds it.
        OutputError: If its folder is missing or not writable.
    """
    path = path.resolve()
    try:
        return FileLock(path.with_name(f".{path.name}.lock"), subject, remedy)
    except OSError as error:
        advice = f" Make the folder {path.parent} first." if isinstance(error, FileNotFoundError) else ""
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.{advice}") from error
