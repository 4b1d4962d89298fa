"""The first lines of a file, by which its form is told: cells or records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..errors import SeriesError
from .csv_table import read_head
from .records import array_lines, is_json, is_line_protocol


def begun(lines: Iterable[str], origin: str) -> tuple[list[str], Iterator[str]]:
    """The first lines of a file and the later ones; a JSON array has its records one a line.

    Args:
        lines: Of the file.
        origin: Name of the file, for errors.

    Raises:
        SeriesError: If it is a damaged JSON array.
    """
    lines = iter(lines)
    head = read_head(lines)
    try:
        records = array_lines(head, lines)
    except SeriesError as error:
        raise SeriesError(f"{origin} is {error}.") from error
    return (head, lines) if records is None else (records, iter(()))


def holds_records(head: Sequence[str]) -> bool:
    """Tell whether a file holds records, not cells, by its first lines."""
    first = next((line for line in head if line.strip()), "")
    return is_json(first) or is_line_protocol(first)
