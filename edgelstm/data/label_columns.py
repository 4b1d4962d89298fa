"""Label columns of CSV files: by common names, and by their cells."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import LABEL_NAMES
from edgelstm.runtime.sources.csv_cells import MISSING
from edgelstm.runtime.sources.record_table import open_path

from .table import read_names

MOST_CLASSES = 20  # different cells of a column of text above which it is no label
LEAST_ROWS = 5  # rows a class from which a column of text is a label
FLAGS = ({0.0, 1.0}, {-1.0, 1.0}, {1.0})
ROWS = 1_000_000  # rows looked at


def find_label_column(path: Path, channels: Sequence[str] = ()) -> str | None:
    """Find the label column by common names.

    Args:
        path: CSV file.
        channels: Columns that are inputs, and so no labels.

    Returns:
        Its name as the file has it; None where there is none.
    """
    names = {name.lower(): name for name in read_names(path) if name not in channels}
    return next((names[known] for known in LABEL_NAMES if known in names), None)


def require_label_column(path: Path, label_column: str | None, channels: Sequence[str] = ()) -> str:
    """Check a label column's name, or find one by common names.

    Args:
        path: CSV file.
        label_column: The name that the user chose; None looks for one.
        channels: Columns that are inputs, and so no labels.

    Raises:
        SeriesError: If there is no such column.
    """
    if label_column is not None:
        if label_column not in (names := read_names(path)):
            raise SeriesError(f"{path.name} has no column {label_column!r}; it has {', '.join(names)}.")
        return label_column
    name = find_label_column(path, channels)
    if name is None:
        remedy = advice(path, channels) or "Name it with --label-column."
        raise SeriesError(
            f"An evaluation needs labels; {path.name} has no column called anomaly, label or the like. {remedy}"
        )
    return name


def likely_label_columns(path: Path, channels: Sequence[str] = ()) -> list[str]:
    """Find columns whose cells look like labels: two flags, or a few words that come again and again.

    Args:
        path: CSV file.
        channels: Columns that are inputs, and so no labels.

    Returns:
        Their names, in the order of the file.
    """
    table = open_path(path)
    places = [place for place, name in enumerate(table.names) if name not in channels]
    cells: dict[int, set[str]] = {place: set() for place in places}
    rows = 0
    for _, row in islice(table.rows(), ROWS):
        rows += 1
        for place in places:
            if len(cells[place]) <= MOST_CLASSES:
                cells[place].add(row[place].strip().casefold())
    return [table.names[place] for place in places if _are_labels(cells[place], rows)]


def _are_labels(cells: set[str], rows: int) -> bool:
    """Tell flags, or words of at least two classes; an empty cell is a class, too."""
    if not 2 <= len(cells) <= MOST_CLASSES or len(cells) * LEAST_ROWS > rows:
        return False
    written = cells - MISSING
    if not any(map(_has_digit, written)):
        return bool(written)
    try:
        return {float(cell) for cell in written} in FLAGS
    except ValueError:
        return False


def _has_digit(cell: str) -> bool:
    return any(character.isdigit() for character in cell)


def advice(path: Path, channels: Sequence[str] = ()) -> str:
    """Sentence about the columns that look like labels; empty where there is none.

    Args:
        path: CSV file.
        channels: Columns that are inputs, and so no labels.
    """
    names = likely_label_columns(path, channels)
    if not names:
        return ""
    verb = "looks like labels" if len(names) == 1 else "look like labels"
    return f"{', '.join(names)} {verb}. Name the column with --label-column."
