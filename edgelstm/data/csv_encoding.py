"""A CSV file's encoding, and its dialect as the device finds it too."""

from __future__ import annotations

import codecs
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.sources.csv_dialect import MOST_LINES, Dialect, sniff

PEEK = 1 << 16  # characters that the format is guessed from


@dataclass(frozen=True)
class Format:
    """What a reader has to know of one file."""

    encoding: str
    """utf-8-sig, utf-16 or cp1252."""
    dialect: Dialect
    """How its rows are written."""

    @classmethod
    def of(cls, path: Path) -> Format:
        """Find out how a file is written, from its beginning.

        Raises:
            SeriesError: If the file cannot be read or is empty.
        """
        encoding, text = _decoded(path)
        lines = text.splitlines()[: MOST_LINES + 1]
        lines = lines if len(text) < PEEK else lines[:-1] or lines  # the last one may be cut off
        found = sniff(lines[:MOST_LINES])
        if found is None:
            raise SeriesError(f"{path} is empty. Give a CSV file with one row a sample.")
        return cls(encoding, found)


def open_text(path: Path, encoding: str, errors: str = "strict") -> IO[str]:
    """A CSV file as text, unpacked if it is gzipped.

    Raises:
        SeriesError: If it is missing or cannot be opened.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        if packed:
            return io.TextIOWrapper(gzip.open(path), encoding, errors, newline="")
        return path.open("r", encoding=encoding, errors=errors, newline="")
    except FileNotFoundError as error:
        raise SeriesError(f"There is no file {path}. Check the name.") from error
    except OSError as error:
        raise SeriesError(f"Cannot read {path}: {error.strerror or error}.") from error


def _decoded(path: Path) -> tuple[str, str]:
    with open_text(path, "latin-1") as file:  # a byte a character, whatever they are
        try:
            head = file.read(PEEK).encode("latin-1")
        except (OSError, EOFError) as error:
            raise SeriesError(f"{path} is a truncated or damaged gzip file. Copy it again.") from error
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", head[: len(head) // 2 * 2].decode("utf-16", "replace")
    if b"\0" in head:
        raise SeriesError(f"{path} is no text file. Give a CSV file with one row a sample.")
    try:
        return "utf-8-sig", codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return "cp1252", head.decode("cp1252", "replace")
