"""A lock file that keeps a second process, or a second stream of the same one, from writing the same files."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..errors import ConfigError


class FileLock:
    """An advisory lock held until `close`, or until the process ends in whatever way.

    The file keeps the number of the process that holds it, and stays when the lock is released: removing it would let
    two processes lock two files of one name.

    Args:
        path: The lock file, made with mode 0600.
        subject: Name of what it protects, for the error.
        remedy: Advice for the error: a second place for the second process.

    Raises:
        ConfigError: If another process or stream holds it.
        OSError: If the file cannot be made.
    """

    def __init__(self, path: Path, subject: str, remedy: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            if holder == str(os.getpid()):
                raise ConfigError(f"{subject} is used twice in this configuration. {remedy}") from error
            raise ConfigError(
                f"{subject} is in use by another edgelstm (process {holder or 'unknown'}). Stop that one. {remedy}"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)
