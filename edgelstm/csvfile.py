"""One CSV file as it stands: separator, header, time column and number columns found."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.timeparse import LABEL_NAMES, TIME_NAMES, is_time, parse_time

Doubles = npt.NDArray[np.float64]
PEEK = 1 << 16  # bytes that separator and header are guessed from
SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """One file's columns as they stand."""

    values: Doubles
    time: Doubles | None
    channels: tuple[str, ...]
    labels: npt.NDArray[np.str_] | None
    ignored: tuple[str, ...]

    @classmethod
    def read(
        cls, path: Path, columns: Sequence[str] | None, time_column: str | None, label_column: str | None
    ) -> Table:
        """Read one file with pandas."""
        frame = read_frame(path)
        names = list(frame.columns)
        for name in [*(columns or ()), *(part for part in (time_column, label_column) if part)]:
            if name not in names:
                raise SeriesError(f"{path.name} has no column {name!r}; it has {', '.join(names)}.")
        time_name = time_column or _find_time(frame, columns)
        labels = None if label_column is None else frame[label_column].astype(str).to_numpy(str)
        wanted = list(columns) if columns else [name for name in names if name not in (time_name, label_column)]
        taken, ignored = _numbers(frame, wanted, path, explicit=bool(columns))
        if not taken:
            raise SeriesError(f"{path.name} has no column of numbers; it has {', '.join(names)}.")
        values = np.column_stack([taken[name] for name in taken])
        time = None if time_name is None else _times(frame[time_name], path, time_name)
        return cls(values, time, tuple(taken), labels, tuple(ignored))


def read_frame(path: Path) -> Any:
    """The file as a pandas frame of text or numbers, header found or made."""
    import pandas as pd

    separator, header = sniff(path)
    try:
        frame = pd.read_csv(path, sep=separator, header=0 if header else None, skipinitialspace=True, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError, EOFError) as error:
        raise SeriesError(f"{path} is not a readable CSV file: {' '.join(str(error).split())[:200]}.") from error
    except OSError as error:
        raise SeriesError(f"Cannot read {path}: {error.strerror or error}.") from error
    if frame.empty:
        raise SeriesError(f"{path} holds no rows. Give a CSV file with one row a sample.")
    frame.columns = [str(name).strip() if header else f"column_{i + 1}" for i, name in enumerate(frame.columns)]
    return frame


def sniff(path: Path) -> tuple[str, bool]:
    """Separator of a CSV file, and whether its first row is a header.

    Raises:
        SeriesError: If the file cannot be read or is empty.
    """
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
            text = file.read(PEEK)
    except FileNotFoundError as error:
        raise SeriesError(f"There is no file {path}. Check the name.") from error
    except (OSError, EOFError) as error:
        raise SeriesError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error
    lines = [line for line in text.splitlines() if line.strip()][:20]
    if not lines:
        raise SeriesError(f"{path} is empty. Give a CSV file with one row a sample.")
    counts = {mark: min(line.count(mark) for line in lines) for mark in SEPARATORS}
    separator = max(SEPARATORS, key=lambda mark: counts[mark])
    if not counts[separator]:
        separator = r"\s+" if len(lines[0].split()) > 1 and not is_time(lines[-1]) else ","
    cells = lines[0].split() if separator == r"\s+" else next(csv.reader([lines[0]], delimiter=separator))
    return separator, not any(_is_number(cell) or is_time(cell) for cell in cells if cell.strip())


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _find_time(frame: Any, columns: Sequence[str] | None) -> str | None:
    """The time column: a known name, or the first column whose cells are dates."""
    candidates = [name for name in frame.columns if name not in (columns or ())]
    for known in TIME_NAMES:
        for name in candidates:
            if name.lower() == known:
                return str(name)
    for name in candidates[:2]:
        cells = frame[name].dropna().head(5)
        if len(cells) and all(isinstance(cell, str) and is_time(cell) for cell in cells):
            return str(name)
    return None


def _times(column: Any, path: Path, name: str) -> Doubles:
    try:
        return np.asarray([parse_time(str(cell)) for cell in column.to_numpy()], np.float64)
    except ValueError:
        for row, cell in enumerate(column.to_numpy()):
            try:
                parse_time(str(cell))
            except ValueError as error:
                raise SeriesError(
                    f"{path.name}, data row {row + 1}, time column {name!r}: {str(cell)!r} is not a time. "
                    "Use ISO 8601 (2024-05-01 12:00:00) or seconds, or name another column with --time-column."
                ) from error
        raise


def _numbers(frame: Any, wanted: list[str], path: Path, explicit: bool) -> tuple[dict[str, Doubles], list[str]]:
    """The number columns among the wanted ones; text and unasked labels are left out."""
    import pandas as pd

    taken: dict[str, Doubles] = {}
    ignored: list[str] = []
    for name in wanted:
        if not explicit and name.lower() in LABEL_NAMES:
            ignored.append(name)
            continue
        numbers = pd.to_numeric(frame[name], errors="coerce")
        text = frame[name].notna() & numbers.isna()
        if text.any():
            row = int(np.flatnonzero(text.to_numpy())[0])
            if explicit or text.mean() < 0.5:
                raise SeriesError(
                    f"{path.name}, data row {row + 1}, column {name!r}: {str(frame[name].iloc[row])!r} is not a number. "
                    "Mend the cell, leave it empty, or choose other columns with --columns."
                )
        values = np.array(numbers, np.float64)
        values[~np.isfinite(values)] = np.nan
        if text.any() or np.isnan(values).all():
            ignored.append(name)
        else:
            taken[name] = values
    return taken, ignored
