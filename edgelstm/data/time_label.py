"""A time as a file writes it: without a zone, times are shown as they came."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.sources.record_table import open_path

FIRST = 100  # rows that are looked at


def time_label(path: Path | str, metadata: Metadata, time_column: str | None = None) -> str:
    """Return the first time of a file as it is written; empty where it has none.

    Args:
        path: The file.
        metadata: The model's; its channels are no times.
        time_column: Column with the time; None looks for one.
    """
    table = open_path(Path(path))
    time = table.time(time_column, tuple(name for name in metadata.names if name in table.names))
    if not time.positions:
        return ""
    for _, cells in islice(table.rows(), FIRST):
        try:
            moment, label = time.read(cells)
        except SeriesError:
            return ""
        if moment is not None:
            return label
    return ""
