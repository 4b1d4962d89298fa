"""Sink that appends JSON lines to a file of bounded size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..io.addresses import Address
from ..io.append_file import AppendFile
from .delivery import LONGEST_WAIT, Stream
from .jsonl import compact


@dataclass(frozen=True)
class FileOptions:
    """Limits of the file."""

    limit: int = 10_000_000
    """Bytes after which it is renamed to FILE.1 (and FILE.1 to FILE.2 …); 0 never does."""
    keep: int = 4
    """Old files kept."""


class FileDelivery:
    """Writer of JSON lines, one write a batch, that rotates by size; logrotate may rotate the file instead.

    Args:
        address: Path of the file, made with mode 0600 where it is missing.
        options: Limits.
        stream: Unused.

    Raises:
        OutputError: If it cannot be written.
    """

    Options = FileOptions
    longest_wait = LONGEST_WAIT

    def __init__(self, address: Address, options: FileOptions, stream: Stream) -> None:
        self.name, self.options = address.name, options
        self.path = Path(address.target)
        try:
            self._file = AppendFile(self.path)
        except OSError as error:
            raise OutputError(f"Cannot write {self.path}: {error.strerror or error}.") from error

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        if self._file.renamed:
            self._file.reopen()
        size = self._file.size
        lines = "".join(compact(record) + "\n" for record in records).encode()
        if self.options.limit and size and size + len(lines) > self.options.limit:
            self._rotate()
        self._file.append(lines)
        return len(records)

    def _rotate(self) -> None:
        for number in range(self.options.keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._old(number), self._old(number + 1))
        if self.options.keep:
            os.replace(self.path, self._old(1))
            self._file.reopen()
        else:
            self._file.cut(0)

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: events about models come as records."""

    def stop_waiting(self) -> None:
        """Do nothing: each attempt ends by itself."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
