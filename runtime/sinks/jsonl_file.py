"""A file of JSON lines that does not grow for ever."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..io.addresses import Spec
from .jsonl import compact
from .store_and_forward import LONGEST_WAIT


@dataclass(frozen=True)
class FileOptions:
    """When a file is rotated."""

    limit: int = 10_000_000
    """Bytes after which it is renamed to FILE.1 (and FILE.1 to FILE.2 …); 0 never does."""
    keep: int = 4
    """Old files kept."""


class FileDelivery:
    """Appends records as JSON lines, one write a batch, and rotates by size."""

    longest_wait = LONGEST_WAIT

    def __init__(self, spec: Spec, options: FileOptions) -> None:
        self.name, self.options = f"file:{spec.target}", options
        self.path = Path(spec.target)
        try:
            self._file = self._opened()
        except OSError as error:
            raise OutputError(f"Cannot write {self.path}: {error.strerror or error}.") from error

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        size = os.fstat(self._file).st_size
        lines = "".join(compact(record) + "\n" for record in records).encode()
        if self.options.limit and size and size + len(lines) > self.options.limit:
            self._rotate()
            size = 0
        if os.write(self._file, lines) < len(lines):
            os.ftruncate(self._file, size)  # disk full in the middle of a line
            raise OSError("no space left on the device")
        return len(records)

    def _rotate(self) -> None:
        for number in range(self.options.keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._old(number), self._old(number + 1))
        if self.options.keep:
            os.replace(self.path, self._old(1))
        else:
            os.truncate(self.path, 0)
        os.close(self._file)
        self._file = self._opened()

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def hurry(self) -> None:
        """Each attempt ends by itself."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
