"""A table of the user's as a CSV file, exact to the last bit."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from edgelstm.runtime.io.atomic_files import write_atomic

from .columns import TIME, columns_of, library_of, pandas_seconds
from .frames import has_dates


def write_rows(path: Path, rows: Any) -> None:
    """Write a table with all its columns; dates become seconds since 1970.

    Args:
        path: File to write.
        rows: pandas or polars table, or array (T, F), whose columns are called x0, x1 and so on.
    """
    cells: dict[str, list[str]] = {}
    if library_of(rows) == "numpy":
        values = np.asarray(rows, np.float64)
        cells = {f"x{at}": [_number(value) for value in column.tolist()] for at, column in enumerate(values.T)}
    else:
        frame = rows.collect() if hasattr(rows, "collect") else rows
        if has_dates(frame):
            cells["time"] = [_number(second) for second in pandas_seconds(frame.index.array).tolist()]
        for name, column in columns_of(frame).items():
            numbers = column.cells.dtype.kind == "f" or column.kind == TIME
            cells[name] = [_number(cell) for cell in column.cells.tolist()] if numbers else column.texts().tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(cells)
    writer.writerows(zip(*cells.values(), strict=True))
    write_atomic(path, text.getvalue().encode())


def _number(value: float) -> str:
    return "" if np.isnan(value) else repr(value)
