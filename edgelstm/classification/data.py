"""Labelled texts and labelled windows from CSV files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from edgelstm import calibration_data
from edgelstm.data.series import Series
from edgelstm.data.table import read_text
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.sources.csv_cells import MISSING

Floats = npt.NDArray[np.float32]
INTENTS, INTENTS_TEST = "intents_train.csv", "intents_test.csv"
NORMAL = "normal"  # what an empty label cell means


@dataclass(frozen=True)
class Texts:
    """Labelled texts."""

    texts: tuple[str, ...]
    """N of them, as written."""
    labels: tuple[str, ...]
    """Class of each."""

    def __repr__(self) -> str:
        return f"Texts({len(self.texts)} texts, {len(set(self.labels))} classes)"


def read_texts(paths: Sequence[Path | str], text_column: str = "text", label_column: str = "intent") -> Texts:
    """Read labelled texts; rows without a label are left out.

    Args:
        paths: CSV files.
        text_column: Column with the texts.
        label_column: Column with the classes.

    Raises:
        SeriesError: If a file cannot be read, lacks a column, or holds no labelled text.
    """
    texts: list[str] = []
    labels: list[str] = []
    for path in map(Path, paths):
        table = read_text(path)
        for name in (text_column, label_column):
            if name not in table:
                raise SeriesError(
                    f"{path.name} has no column {name!r}; it has {', '.join(table)}. "
                    "Name them with --text-column and --label-column."
                )
        pairs = zip(table[text_column], table[label_column], strict=True)
        labelled = [(text, label) for text, label in pairs if label.casefold() not in MISSING]
        texts += [text for text, _ in labelled]
        labels += [label for _, label in labelled]
    if not texts:
        raise SeriesError("No labelled text was found. Give a CSV file with a text and a label a row.")
    return Texts(tuple(texts), tuple(labels))


def embedded_texts(name: str) -> Texts:
    """Read `INTENTS` or `INTENTS_TEST`, which are part of the package."""
    with TemporaryDirectory() as folder:
        return read_texts([calibration_data.write(name, Path(folder))])


def state_names(cells: npt.NDArray[np.str_]) -> list[str]:
    """Label cells as class names; an empty cell is `normal`.

    >>> state_names(np.array(["leak", "nan", " "]))
    ['leak', 'normal', 'normal']
    """
    return [NORMAL if cell.strip().lower() in ("", "nan") else cell.strip() for cell in cells.tolist()]


def labelled_windows(
    values: Sequence[Floats], states: Sequence[Sequence[str]], window: int
) -> tuple[Floats, list[str]]:
    """Cut every window of each segment, with the state of its last row: the question that a device answers.

    Args:
        values: Scaled segments, each (T_i, F).
        states: State of each row, of the same lengths.
        window: Rows a window, W.

    Returns:
        Windows (N, W, F) and N states.
    """
    pairs = [(part, names) for part, names in zip(values, states, strict=True) if len(part) >= window]
    if not pairs:
        raise SeriesError(
            f"No stretch without a gap holds a window of {window} rows. Give more, or a shorter --lookback."
        )
    cut = np.concatenate([sliding_windows(part, window) for part, _ in pairs])
    return cut, [name for _, names in pairs for name in names[window - 1 :]]


def segment_states(series: Series) -> list[list[str]]:
    """The state of each row, a list a segment.

    Raises:
        SeriesError: If the series was read without its label column.
    """
    if series.labels is None:
        raise SeriesError("A classifier learns from a label column. Name it with --label-column.")
    names = state_names(series.labels)
    return [names[start:stop] for start, stop in series.segments]
