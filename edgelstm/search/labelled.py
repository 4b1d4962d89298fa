"""Labels of the rows that a search judges on, checked before a hundred trials rest on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgelstm.runtime.errors import SeriesError

from ..data.label_cells import read_labels
from ..data.label_columns import require_label_column
from ..data.reading import Reading


def check_labels(path: Path, label_column: str | None, reading: Reading, channels: Sequence[str]) -> str:
    """Return the name of a file's label column.

    Args:
        path: Labelled rows.
        label_column: Name that the user chose; None looks for one.
        reading: Options of the reading of the rows to train on.
        channels: Channels of those rows.

    Raises:
        SeriesError: If there is no such column, it labels no row as anomalous or none as normal, or the file lacks a channel.
    """
    name = require_label_column(path, label_column, channels)
    columns = reading.columns or (() if reading.signals else tuple(channels))
    labels = replace(reading, columns=columns, time_column=None, label_column=name).series([path]).labels
    assert labels is not None
    anomalous = read_labels(labels)
    if not anomalous.any() or anomalous.all():
        side = "every row" if anomalous.any() else "no row"
        raise SeriesError(
            f"A search is judged on normal and anomalous rows; {name} of {path.name} marks {side} as anomalous. "
            "Give other rows with --data, or leave it out for injected faults."
        )
    return name
