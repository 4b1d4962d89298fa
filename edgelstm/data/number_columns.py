"""Columns of a table as numbers: told from text once all rows have come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.sources.csv_cells import SWITCHES, CellReader

Doubles = npt.NDArray[np.float64]
COUNTER = 50  # rows from which a column that goes up by one a row counts rows and measures nothing
TEXT_SHARE = 0.5  # of a column's cells: from there on it is a text column, below it the text is a mistake
SURELY_TEXT, SURELY_SHARE = 2000, 0.99  # rows, and share of text in them, after which a column is read no further
MOST_TEXTS = 100_000  # cells of text that are remembered


class NumberColumn:
    """A column that may turn out to be numbers.

    Args:
        name: Of the column.
        file: Name of the file, for errors.
        cells: Reads its numbers.
        explicit: Whether the user named the column: then text in it is an error.
    """

    def __init__(self, name: str, file: str, cells: CellReader, explicit: bool = False) -> None:
        self.name, self.file, self.explicit = name, file, explicit
        self.cells = cells
        self._blocks: list[Doubles] = []
        self._rows = self._text = 0
        self._plain = False
        self._texts: list[tuple[int, int, str]] = []

    @property
    def example(self) -> tuple[int, str] | None:
        """Line and content of the first cell of text."""
        return self._texts[0][1:] if self._texts else None

    @property
    def _is_text(self) -> bool:
        mostly = self._text >= TEXT_SHARE * max(1, self._rows)
        return not self.explicit and (mostly or (self._text > 0 and not self._plain))  # ON, OFF and STANDBY are words

    @property
    def _hopeless(self) -> bool:
        return not self.explicit and self._rows > SURELY_TEXT and self._text >= SURELY_SHARE * self._rows

    def numbers(self) -> Doubles | None:
        """The numbers so far, NaN for text, shape (T,); None for a column of text."""
        return None if self._hopeless or self._text == self._rows else np.concatenate(self._blocks)

    def of_channels(self, codes: npt.NDArray[np.int64], names: Sequence[str]) -> Doubles:
        """The numbers of a long table's values, shape (T,), where each channel may have a unit of its own.

        Args:
            codes: Channel of each row, shape (T,).
            names: Name of each channel.

        Raises:
            SeriesError: If there is text among the numbers of a channel; a channel of text alone is NaN.
        """
        values = np.concatenate(self._blocks)
        readers: dict[int, CellReader] = {}
        texts: list[tuple[int, int, str]] = []
        for row, line, cell in self._texts:
            reader = readers.setdefault(int(codes[row]), self.cells.another())
            value = reader.read(cell, names[codes[row]])
            if value is None:
                texts.append((row, line, cell))
            else:
                values[row] = value
        for reader in readers.values():
            self.cells.understood.update(reader.understood)
        counts = np.bincount(codes)
        lost = np.bincount(codes[[row for row, _, _ in texts]], minlength=len(counts))
        for row, line, cell in texts:
            if lost[codes[row]] < TEXT_SHARE * counts[codes[row]]:
                raise self._error(line, cell)
        return values

    def take(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Take the next rows.

        Args:
            cells: Of this column.
            lines: Number of each row's line.
        """
        if self._hopeless:
            return
        self._rows += len(cells)
        self._blocks.append(self._read(cells, lines))

    def _read(self, cells: Sequence[str], lines: Sequence[int]) -> Doubles:
        if self.cells.thousands != ".":  # else 1.234 would be taken as it stands
            try:
                values = np.array(list(map(float, cells)))
            except ValueError:
                pass
            else:
                self.cells.clear(values)
                values[~np.isfinite(values)] = np.nan
                self._plain = True
                return values
        values = np.full(len(cells), np.nan)
        for at, cell in enumerate(cells):
            value = self.cells.read(cell, self.name)
            if value is not None:
                values[at] = value if np.isfinite(value) else np.nan
                self._plain = self._plain or (value == value and cell.strip().casefold() not in SWITCHES)
                continue
            if len(self._texts) < MOST_TEXTS:
                self._texts.append((self._rows - len(cells) + at, lines[at], cell.strip()))
            self._text += 1
        return values

    def finish(self) -> Doubles | None:
        """The numbers, (T,); None for a column of text or without a value.

        Raises:
            SeriesError: If there is text among numbers.
        """
        if self._hopeless:
            return None
        values = np.concatenate(self._blocks)
        self._blocks.clear()
        if self.example and (self.explicit or not self._is_text):
            raise self._error(*self.example)
        if self.example or np.isnan(values).all():
            if self.explicit:
                raise SeriesError(f"{self.file}, column {self.name!r} holds no value. Choose others with --columns.")
            return None
        return values

    def _error(self, line: int, cell: str) -> SeriesError:
        return SeriesError(
            f"{self.file}, line {line}, column {self.name!r}: {cell[:40]!r} is not a number{self._unit()}. "
            "Repair the cell, leave it empty, name the word with --missing, or choose other columns with --columns."
        )

    def _unit(self) -> str:
        """A word on the column's unit where a cell may have another."""
        unit = self.cells.units.get(self.name)
        return f" in {unit}, the unit of this column" if unit else ""


def counts_rows(values: Doubles) -> bool:
    """Tell whether a column is a row counter, as spreadsheets add one.

    >>> counts_rows(np.arange(100.0)), counts_rows(np.zeros(100))
    (True, False)
    """
    return len(values) >= COUNTER and bool((np.diff(values) == 1).all())
