"""Standard input as a source of samples, as they come."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import SeriesError
from .column_mapping import Columns
from .line_reader import read_lines
from .live import LiveSource
from .sample import Sample


class PipeSource(LiveSource):
    """Standard input as it comes, for as long as it comes: a bad line is counted, said once and passed over.

    Args:
        columns: Which columns feed the model.

    Raises (while reading):
        SeriesError, ShapeError: If not one line fits the model, or the newest header does not.
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns, "standard input", clock=None)

    def __iter__(self) -> Iterator[Sample]:
        yield from self.rows.samples(read_lines("-", self._stop, self.rows.pass_over))
        if not self.rows.fits and not self._stop.is_set():
            raise self.rows.error or SeriesError(f"{self.name} holds no rows. Give one row a sample.")
