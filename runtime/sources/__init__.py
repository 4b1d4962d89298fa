"""Where samples come from: anything that iterates `Sample`, has a `name`, and ends soon after `close()`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from .rows import Columns
from .sample import Sample
from .text import TextSource, parse_lines

__all__ = ["Columns", "Sample", "Source", "TextSource", "open_source", "parse_lines"]


class Source(Protocol):
    """A stream of samples."""

    name: str
    """What to call it in messages."""

    def __iter__(self) -> Iterator[Sample]:
        """The samples, oldest first."""

    def close(self) -> None:
        """End the iteration soon; may be called from a signal handler or another thread."""


def open_source(spec: Path | str, columns: Columns) -> Source:
    """The source that a command-line argument names: a file, or `-` for standard input."""
    return TextSource(spec, columns)
