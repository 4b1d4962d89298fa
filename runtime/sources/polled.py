"""Common parts of sources that are asked for new rows: the look at a steady interval, and pages of whole groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..errors import EdgelstmError
from ..io.reconnect import Attempts
from .column_mapping import Columns
from .live import LiveSource, ticks
from .sample import Sample

MOST_ALIKE = 100_000  # rows asked for at once, where many share one key
Item = TypeVar("Item")


class PolledSource(LiveSource):
    """A source that is asked for new rows at a steady interval, page by page.

    Args:
        columns: Columns that feed the model.
        name: Name of the source, for messages.
        every: Seconds between looks for new rows.
        failure: Class of the errors of a question.
    """

    def __init__(self, columns: Columns, name: str, every: float, failure: type[EdgelstmError]) -> None:
        super().__init__(columns, name)
        self._every, self._failure, self._attempts = every, failure, Attempts(name)

    def __iter__(self) -> Iterator[Sample]:
        try:
            for _ in ticks(self._every, self._stop):
                more = True
                while more and not self._stop.is_set():
                    try:
                        page, more = self._next_page()
                    except self._failure as error:
                        self._failed(error)
                        break
                    self._attempts.works()
                    yield from self._samples(page)
        finally:
            self._hang_up()

    def _next_page(self) -> tuple[list[Any], bool]:
        """The next rows, and whether there may be more."""
        raise NotImplementedError

    def _samples(self, page: list[Any]) -> Iterator[Sample]:
        raise NotImplementedError

    def _failed(self, error: Any) -> None:
        """Wait before the next attempt, or end the reading by an error."""
        raise NotImplementedError

    def _hang_up(self) -> None:
        raise NotImplementedError


def whole_groups(
    ask: Callable[[int], list[Item]], key: Callable[[Item], Any], refusal: Callable[[Item], EdgelstmError], batch: int
) -> tuple[list[Item], bool]:
    """Ask for rows by growing key, and return them with whether there may be more.

    Rows with the same key come together: the ones at the end of a full batch, which others may follow, wait.

    Args:
        ask: Function from the most rows of an answer to these, ordered by key.
        key: Key of a row.
        refusal: Error for a row whose key more than `MOST_ALIKE` share.
        batch: Rows asked for at first.
    """
    limit = batch
    while True:
        rows = ask(limit)
        if len(rows) < limit:
            return rows, False
        whole = [row for row in rows if key(row) != key(rows[-1])]
        if whole:
            return whole, True
        if limit >= MOST_ALIKE:
            raise refusal(rows[0])
        limit = min(10 * limit, MOST_ALIKE)
