"""Bounded queue of records on disk, in order, that outlives the process.

Records are appended to segment files and read back from the oldest; a segment is deleted once it is delivered. Nothing
is synced record by record, which spares SD cards: a killed process loses nothing, a power cut at most what the kernel
held back (some 30 s).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import OutputError
from ..io.file_lock import FileLock
from .jsonl import compact

SEGMENT = 1 << 18  # bytes a file
DONE = 1 << 16  # bytes delivered after which a segment is left behind
SPARE = 1 << 12  # bytes kept free beyond the limit, for the record that says that it was reached


class Held(NamedTuple):
    """A record on disk."""

    record: dict[str, Any]
    """As it was put, with its number `seq`."""
    length: int
    """Bytes it takes."""


class Spool:
    """Queue on disk; one thread puts, another takes.

    Args:
        folder: Its own folder, made if need be.
        limit: Bytes at most; what does not fit is refused.

    Raises:
        ConfigError: If another process uses the folder.
        OutputError: If it cannot be made or written.
    """

    def __init__(self, folder: Path, limit: int = 16 << 20) -> None:
        self.folder, self.limit = folder, limit
        self.damaged = 0
        self._full, self._done = min(SEGMENT, limit // 4), min(DONE, limit // 8)
        self._guard = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FileLock(folder / "lock", str(folder), "Give this one another --state-dir.")
            self._cursor = os.open(folder / "cursor", os.O_RDWR | os.O_CREAT, 0o600)
            self._open()
        except OSError as error:
            raise OutputError(f"Cannot use {folder} to hold records: {error.strerror or error}.") from error

    def _open(self) -> None:
        self._segments = sorted(int(path.stem) for path in self.folder.glob("*.seg") if path.stem.isdigit())
        self._sizes = {first: self._path(first).stat().st_size for first in self._segments}
        self.seq = self._next_number()
        self._offset = self._stored_offset()
        self._writer: int | None = None
        self._reader: int | None = None
        self._roll()  # a last line torn by a power cut stays alone at its segment's end

    def _next_number(self) -> int:
        """Return one more than the last record's number, which the cursor keeps when no record is left."""
        numbers = [self._stored()[2]]
        for first in self._segments:
            numbers += [first + 1, *(item.record["seq"] + 1 for item in _parse(self._path(first).read_bytes()))]
        return max(numbers)

    def _stored(self) -> tuple[int, int, int]:
        """Return segment, offset and next number as last written; zeros where that is damaged."""
        with suppress(ValueError):
            segment, offset, number = map(int, os.pread(self._cursor, 99, 0).split())
            return segment, offset, number
        return 0, 0, 0

    def _stored_offset(self) -> int:
        segment, offset, _ = self._stored()
        head = self._segments[0] if self._segments else None
        return offset if segment == head and head is not None and offset <= self._sizes[head] else 0

    @property
    def size(self) -> int:
        """Bytes held, delivered ones of the oldest segment included."""
        return sum(self._sizes.values())

    @property
    def backlog(self) -> int:
        """Bytes not delivered yet."""
        return self.size - self._offset

    @property
    def roomy(self) -> bool:
        """True when there is room for many records again: in half of the limit, and on the disk."""
        disk = os.statvfs(self.folder)
        return self.backlog < self.limit // 2 and disk.f_bavail * disk.f_frsize > max(SEGMENT, self.limit // 2)

    def put(self, record: Mapping[str, Any], spare: bool = False) -> bool:
        """Append a record, giving it the next number.

        Args:
            record: Plain JSON types.
            spare: Whether it may use the room kept for the record that says that there is no more.

        Returns:
            False if there was no room for it, here or on the disk; nothing is held then.
        """
        with self._guard:
            line = (compact({"seq": self.seq, **record}) + "\n").encode()
            if self.size + len(line) > self.limit + SPARE * spare:
                return False
            if self._sizes[self._segments[-1]] > self._full:
                self._roll()
            return self._append(line)

    def _append(self, line: bytes) -> bool:
        last = self._segments[-1]
        try:
            if self._writer is None:
                self._writer = os.open(self._path(last), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            written = os.write(self._writer, line)
            if written < len(line):  # disk full in the middle of the line
                os.ftruncate(self._writer, self._sizes[last])
                return False
        except OSError:
            return False
        self._sizes[last] += written
        self.seq += 1
        return True

    def _roll(self) -> None:
        if self._writer is not None:
            os.close(self._writer)
        self._writer = None
        if not self._segments or self._segments[-1] != self.seq:
            self._segments.append(self.seq)
            self._sizes[self.seq] = 0

    def peek(self, count: int) -> list[Held]:
        """Return the oldest records, up to a count; they stay until `drop`."""
        with self._guard:
            while len(self._segments) > 1 and self._offset >= self._sizes[self._segments[0]]:
                self._forget()
            if self._offset >= self._sizes[self._segments[0]]:
                return []
            if self._reader is None:
                self._reader = os.open(self._path(self._segments[0]), os.O_RDONLY)
            block = os.pread(self._reader, SEGMENT, self._offset)
            if b"\n" not in block and self._offset + len(block) < self._sizes[self._segments[0]]:
                block = os.pread(self._reader, self._sizes[self._segments[0]], self._offset)
            records = _parse(block, count)
            if not records:  # nothing but a torn end
                self.damaged += 1
                self._offset = self._sizes[self._segments[0]]
            return records

    def drop(self, held: list[Held]) -> None:
        """Forget the oldest records, as they are delivered."""
        with self._guard:
            self._offset += sum(item.length for item in held)
            if self._offset >= max(self._done, self._sizes[self._segments[0]]):
                self._roll()
                self._forget()
            with suppress(OSError):
                os.pwrite(self._cursor, f"{self._segments[0]:<20} {self._offset:<20} {self.seq:<20}\n".encode(), 0)

    def _forget(self) -> None:
        """Delete the oldest segment."""
        first = self._segments.pop(0)
        del self._sizes[first]
        self._offset = 0
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None
        with suppress(FileNotFoundError):
            self._path(first).unlink()

    def _path(self, first: int) -> Path:
        return self.folder / f"{first:020}.seg"

    def close(self) -> None:
        """Close the files; what is held stays on disk."""
        with self._guard:
            for descriptor in (self._writer, self._reader, self._cursor):
                if descriptor is not None:
                    os.close(descriptor)
            self._lock.close()
            self._writer = self._reader = None


def _parse(block: bytes, count: int = 1 << 30) -> list[Held]:
    """Return the whole records at a block's start; a damaged line counts to the length of the one after it."""
    records: list[Held] = []
    skipped = 0
    for line in block.splitlines(keepends=True):
        if len(records) == count or not line.endswith(b"\n"):
            break
        try:
            record = json.loads(line)
            number = record["seq"]
        except (ValueError, TypeError, KeyError):
            skipped += len(line)
            continue
        if isinstance(number, int):
            records.append(Held(record, skipped + len(line)))
            skipped = 0
    return records
