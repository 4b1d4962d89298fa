"""A file or standard input as a source of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Event as Flag

from ..errors import SeriesError, ShapeError
from .lines import read_lines
from .live import LiveRows
from .rows import Columns, Parse, layout
from .sample import Sample


class PipeSource:
    """Standard input as it comes, for as long as it comes: a bad line is counted, said once and passed over.

    Args:
        columns: Which columns feed the model.

    Raises (while reading):
        SeriesError, ShapeError: If not one line fits the model.
    """

    name = "standard input"

    def __init__(self, columns: Columns) -> None:
        self.rows = LiveRows(columns, self.name, clock=None)
        self._stop = Flag()

    @property
    def skipped(self) -> int:
        """See `Source`."""
        return self.rows.bad

    def __iter__(self) -> Iterator[Sample]:
        yield from self.rows.samples(read_lines("-", self._stop))
        if self.rows.error is not None and not self.rows.row:
            raise self.rows.error

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        self._stop.set()


class TextSource:
    """CSV or JSON lines, from a file (gzipped or not) or from standard input, one row at a time.

    Args:
        path: File name, `-` for standard input.
        columns: Which columns feed the model.

    Raises (while reading):
        SeriesError: With the number of the line, if the file or a row cannot be read.
        ShapeError: If channels are missing.
    """

    def __init__(self, path: Path | str, columns: Columns) -> None:
        self.name = "standard input" if str(path) == "-" else str(path)
        self.path, self.columns = path, columns
        self.replayable = str(path) != "-"
        self._stop = Flag()

    skipped = 0

    def __iter__(self) -> Iterator[Sample]:
        return parse_lines(read_lines(self.path, self._stop), self.columns, self.name)

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        self._stop.set()


def parse_lines(lines: Iterable[str], columns: Columns, origin: str) -> Iterator[Sample]:
    """Samples from lines of CSV or JSON; blank lines are passed over.

    Raises:
        SeriesError: With the number of the line.
        ShapeError: If channels are missing.

    >>> [(sample.row, sample.values) for sample in parse_lines(["flow,motor", "1,2"], Columns(("motor",)), "x")]
    [(0, [2.0])]
    """
    parse: Parse | None = None
    row = 0
    for at, line in enumerate(lines, 1):
        if not line or line.isspace():
            continue
        try:
            if parse is None:
                parse, header = layout(line, columns, origin)
                if header:
                    continue
            values, time, label = parse(line)
        except SeriesError as error:
            raise SeriesError(f"{origin}, line {at}: {error}.") from error
        except ShapeError as error:
            raise ShapeError(f"{error} (line {at})") from error
        yield Sample(values, time, row, label)
        row += 1
