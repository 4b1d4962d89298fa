"""Long tables, a value a row: told from tables with a column a channel by their cells, and pivoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.io.timestamps import LABEL_NAMES

Doubles = npt.NDArray[np.float64]
MOST_KEYS = 200  # channels of a long table
LEAST_ROWS = 5  # of each channel, in the mean; fewer make no series
DOUBLED = 0.2  # share of rows with a time that was there already, from which a table may be long
RESOLVED = 0.05  # such a share left within the channels, up to which the key explains the doubled times
REGULAR, NEAR = 0.8, 0.25  # share of steps near the median that make a series regular, and what is near
ALTERNATING = 0.3  # share of rows with another key than the row before, from which a table is interleaved
APART, FAR_APART = 0.5, 0.9  # of the values' variance that lies between keys: then they are different measurements
IN_ROUNDS = 0.95  # share of rows with the key of the round before
PAUSE = 2  # median steps; a longer one is a pause


class KeyColumn:
    """A column of few different cells, which may say which channel a row belongs to.

    Args:
        name: Of the column.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: dict[str, int] = {}
        """Code of each different cell, in the order in which they came."""
        self._blocks: list[npt.NDArray[np.int64]] = []

    def take(self, cells: Sequence[str]) -> None:
        """Take the next rows, as long as there are few different cells."""
        if len(self.cells) > MOST_KEYS:
            return
        known = self.cells
        self._blocks.append(np.array([known.setdefault(cell.strip(), len(known)) for cell in cells], np.int64))
        if len(known) > MOST_KEYS:
            self._blocks.clear()

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """Code of each row's cell, shape (T,)."""
        return np.concatenate(self._blocks or [np.zeros(0, np.int64)])

    def may_be_key(self, rows: int) -> bool:
        """Tell whether there are several different cells, and each often enough.

        Args:
            rows: Of the table, T.
        """
        return 2 <= len(self.cells) <= MOST_KEYS and rows >= LEAST_ROWS * len(self.cells) and "" not in self.cells


@dataclass(frozen=True)
class LongForm:
    """Columns of a long table."""

    keys: tuple[str, ...]
    """Columns that say which channel a row belongs to."""
    values: tuple[str, ...]
    """Columns with the values."""
    codes: npt.NDArray[np.int64]
    """Key of each row, shape (T,)."""
    names: tuple[str, ...]
    """Name of each key."""

    @classmethod
    def of(cls, keys: Sequence[KeyColumn], values: Sequence[str]) -> LongForm:
        """The form with known columns.

        Args:
            keys: Columns that say which channel a row belongs to.
            values: Names of the columns with the values.
        """
        key = keys[0] if len(keys) == 1 else joint(keys)
        return cls(tuple(part.name for part in keys), tuple(values), key.codes, tuple(key.cells))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels: the keys, and the value's column where there are several."""
        if len(self.values) == 1:
            return self.names
        return tuple(f"{name}.{value}" for name in self.names for value in self.values)

    def pivot(self, numbers: Mapping[str, Doubles]) -> tuple[tuple[str, ...], Doubles]:
        """Channels, and values of shape (T, F): each row holds its own channel's, NaN else; empty channels are left out.

        Args:
            numbers: The value columns, each (T,).
        """
        values = np.full((len(self.codes), len(self.channels)), np.nan)
        rows = np.arange(len(self.codes))
        for at, name in enumerate(self.values):
            values[rows, self.codes * len(self.values) + at] = numbers[name]
        filled = ~np.isnan(values).all(axis=0)
        return tuple(name for name, some in zip(self.channels, filled, strict=True) if some), values[:, filled]


def find_long(time: Doubles, keys: Sequence[KeyColumn], numbers: Mapping[str, Doubles], file: str) -> LongForm | None:
    """The form of a long table; None for a table with a column a channel.

    A table is long where rows share their times and a key tells them apart, or where channels come in turn.

    Args:
        time: Seconds, shape (T,).
        keys: Columns of few different cells.
        numbers: Columns of numbers, each (T,), NaN for text.
        file: Name of the file, for errors.

    Raises:
        SeriesError: If rows share their times for the most part, and no key tells them apart.
    """
    if len(time) < 4 * LEAST_ROWS:
        return None
    doubled, regular = _doubled(time, None), _regular(time, None)
    candidates = [key for key in keys if key.may_be_key(len(time))]
    best: tuple[float, LongForm] | None = None
    for key in [*candidates, *_joint(candidates, numbers)]:
        form = _form(key, numbers)
        if form is None:
            continue
        left = _doubled(time, form.codes)
        resolves = doubled >= DOUBLED and left < RESOLVED
        if not resolves and not (doubled < DOUBLED and _interleaved(time, form, numbers, regular)):
            continue
        rank = left + 0.01 * len(form.keys) + 0.1 * (form.keys[0] in numbers) - 1e-4 * len(form.names)
        if best is None or rank < best[0]:
            best = rank, form
    if best is None and doubled > 0.5:
        raise SeriesError(
            f"{doubled:.0%} of the rows of {file} have a time that was there already. If a second column holds the time of "
            "day, name it with --time-column; if each row holds one value of several channels, give each a column."
        )
    return None if best is None else best[1]


def _form(key: KeyColumn, numbers: Mapping[str, Doubles]) -> LongForm | None:
    """The table as it would be with a key: its values are the columns that vary within the key, but for labels."""
    codes = key.codes
    keys = key.name.split("\0")
    others = {name: column for name, column in numbers.items() if name not in keys and name.lower() not in LABEL_NAMES}
    values = tuple(name for name, column in others.items() if _varies(column, codes))
    return LongForm(tuple(keys), values, codes, tuple(key.cells)) if values else None


def _joint(keys: Sequence[KeyColumn], numbers: Mapping[str, Doubles]) -> list[KeyColumn]:
    """Keys together as one, where one alone may not do: all words, and all words with one column of numbers."""
    words = [key for key in keys if key.name not in numbers]
    parts = [words, *([*words, key] for key in keys if key.name in numbers)]
    together = [joint(part) for part in parts if len(part) > 1]
    return [key for key in together if key.may_be_key(len(key.codes))]


def joint(keys: Sequence[KeyColumn]) -> KeyColumn:
    """Several columns as one key, their cells joined by points."""
    together = KeyColumn("\0".join(key.name for key in keys))
    texts = [list(key.cells) for key in keys]
    rows = zip(*(key.codes for key in keys), strict=True)
    together.take([".".join(text[code] for text, code in zip(texts, row, strict=True)) for row in rows])
    return together


def _varies(column: Doubles, codes: npt.NDArray[np.int64]) -> bool:
    """Tell whether a column takes several values within some key."""
    for code in range(int(codes.max()) + 1):
        part = column[codes == code]
        part = part[~np.isnan(part)]
        if len(part) and part.max() > part.min():
            return True
    return False


def _steps(time: Doubles, codes: npt.NDArray[np.int64] | None) -> tuple[Doubles, npt.NDArray[np.int64]]:
    """Steps from row to row in time order, within each key, with the keys."""
    codes = np.zeros(len(time), np.int64) if codes is None else codes
    known = np.isfinite(time)
    order = np.lexsort((time[known], codes[known]))
    time, codes = time[known][order], codes[known][order]
    within = codes[1:] == codes[:-1]
    return np.diff(time)[within], codes[1:][within]


def _doubled(time: Doubles, codes: npt.NDArray[np.int64] | None) -> float:
    """Share of steps that are none."""
    steps, _ = _steps(time, codes)
    return float((steps == 0).mean()) if len(steps) else 0.0


def _regular(time: Doubles, codes: npt.NDArray[np.int64] | None) -> float:
    """Share of steps that are near the median of their key."""
    steps, keys = _steps(time, codes)
    near = 0
    for code in np.unique(keys):
        part = steps[keys == code]
        middle = np.median(part)
        near += int((np.abs(part - middle) <= NEAR * middle).sum())
    return near / max(1, len(steps))


def _interleaved(time: Doubles, form: LongForm, numbers: Mapping[str, Doubles], regular: float) -> bool:
    """Tell whether channels come in turn, at times of their own.

    Where rows are irregular, values that lie apart or keys that are more regular tell. Where rows are regular, channels come in
    rounds, with a pause between the rounds, or with values that words set far apart: an hour or a weekday beside a row does neither.
    """
    codes = form.codes[np.argsort(time, kind="stable")]
    if len(form.values) > 1 or (codes[1:] != codes[:-1]).mean() < ALTERNATING:
        return False
    apart, count = _apart(form, numbers[form.values[0]]), len(form.names)
    if regular <= REGULAR:
        return apart > APART or _regular(time, form.codes) > regular + 0.2
    if (codes[count:] == codes[:-count]).mean() < IN_ROUNDS:
        return False
    steps, _ = _steps(time, None)
    pauses = float((steps > PAUSE * np.median(steps)).mean()) * count
    return (abs(pauses - 1) < 0.2 and apart > APART) or (form.keys[0] not in numbers and apart > FAR_APART)


def _apart(form: LongForm, values: Doubles) -> float:
    """Share of the values' variance that lies between keys."""
    known = ~np.isnan(values)
    values, codes = values[known], form.codes[known]
    counts = np.bincount(codes, minlength=len(form.names))
    means = np.bincount(codes, values, len(form.names)) / np.maximum(1, counts)
    total = values.var() if len(values) else 0.0
    return float((counts * (means - values.mean()) ** 2).sum() / len(values) / total) if total else 0.0
