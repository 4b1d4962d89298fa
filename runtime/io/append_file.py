"""A log file that is appended to in whole blocks, while other programs may rename or truncate it."""

from __future__ import annotations

import os
from pathlib import Path

LONGEST = 1 << 20  # bytes at the end that are searched for a line's end; an event has some hundred


class AppendFile:
    """An open log file, made with mode 0600 where it is missing.

    Args:
        path: File name.

    Raises:
        OSError: If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = self._opened()

    def _opened(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    @property
    def inode(self) -> int:
        """Number of the file in its file system, which a rename leaves alone."""
        return os.fstat(self._descriptor).st_ino

    @property
    def renamed(self) -> bool:
        """Another file has the name by now, or none."""
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return True
        own = os.fstat(self._descriptor)
        return (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino)

    def append(self, block: bytes) -> None:
        """Append a block, whole or not at all.

        Raises:
            OSError: If the disk is full.
        """
        size = self.size
        try:
            if os.write(self._descriptor, block) == len(block):
                return
        except OSError:
            self.cut(size)
            raise
        self.cut(size)
        raise OSError("no space left on the device")

    def cut(self, size: int) -> None:
        """Cut the file back to a size; one that is shorter stays."""
        if size < self.size:
            os.ftruncate(self._descriptor, size)

    def cut_half_line(self) -> None:
        """Cut off a last line that lacks its end, as a power cut leaves it."""
        size = self.size
        start = max(0, size - LONGEST)
        last = os.pread(self._descriptor, LONGEST, start)
        self.cut(start + last.rfind(b"\n") + 1)

    def sync(self) -> None:
        """Wait until all is on the disk."""
        os.fsync(self._descriptor)

    def reopen(self) -> None:
        """Go on in the file that has the name now."""
        old, self._descriptor = self._descriptor, self._opened()
        os.close(old)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
