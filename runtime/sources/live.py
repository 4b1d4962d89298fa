"""Common parts of live sources: bad lines are passed over, and samples without a time get that of their arrival."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from threading import Event as Flag

from ..errors import EdgelstmError, SeriesError, ShapeError
from ..io.timestamps import stamp
from .column_mapping import Columns, Row
from .sample import Sample
from .stream_rows import StreamRows

log = logging.getLogger("edgelstm")
PATIENCE = 20  # lines at the start that may be unreadable before the source counts as a wrong one
Clock = Callable[[], float]


class LiveRows:
    """Lines to samples; an unreadable line is counted and passed over, and said once.

    Args:
        columns: Columns that feed the model.
        origin: Name of the source, for messages.
        clock: Time of arrival for samples that bring none, seconds since 1970; None leaves them without.
    """

    def __init__(self, columns: Columns, origin: str, clock: Clock | None = time.time) -> None:
        self.columns, self.origin, self.clock = columns, origin, clock
        self.bad = self.row = 0
        self.fits = False
        """True if anything so far has fit the model, and no header since was refused."""
        self.error: EdgelstmError | None = None
        """Reason why the first unreadable line is none, or that of a header that is refused later."""
        self._rows = StreamRows(columns, origin)
        self._begin = self._passed = 0

    @property
    def header(self) -> str:
        """The line that names the columns; empty where none does."""
        return self._rows.header

    def line(self, line: str) -> Sample | None:
        """Return one line's sample; None for a header, a blank or an unreadable line.

        Raises:
            EdgelstmError: If not one of the first lines fits the model.
        """
        try:
            row = self.read(line)
        except (SeriesError, ShapeError) as error:
            self.pass_over(error)
            return None
        return None if row is None else self.sample(row)

    def read(self, line: str) -> Row | None:
        """Return one line's row; None for a header or a blank.

        Raises:
            SeriesError: If it cannot be read.
            ShapeError: If it does not fit the model.
        """
        try:
            return self._rows.read(line)
        except ShapeError as error:
            if self._rows.refusal is error:
                self._doubt(error)
            raise

    def _doubt(self, error: ShapeError) -> None:
        """Take a header that is refused for a wrong source's, whatever came before it."""
        if self.fits:
            self.fits, self.error, self._passed = False, None, self.bad

    def sample(self, row: Row) -> Sample:
        """Make a row the next sample."""
        self.fits = True
        number, self.row = self.row - self._begin, self.row + 1
        if self.clock is None:
            return Sample(row.values, row.time, number, row.label)
        arrival = time.monotonic()
        if row.time is not None:
            return Sample(row.values, row.time, number, row.label, arrival)
        now = self.clock()
        return Sample(row.values, now, number, stamp(now), arrival)

    def pass_over(self, error: EdgelstmError) -> None:
        """Count a line that cannot be used; the first one is logged.

        Raises:
            EdgelstmError: If not one of the first lines could be used, or of those after a header that is refused.
        """
        if not self.fits and self.bad - self._passed + 1 >= PATIENCE:
            self.bad += 1
            raise error
        self.count(error)

    def count(self, error: EdgelstmError) -> None:
        """Count a line that cannot be used, whatever came before; the first one is logged."""
        self.bad += 1
        if self.error is None:
            self.error = error
            log.warning("%s: a line is passed over: %s", self.origin, error)

    def new_file(self) -> None:
        """Settle the layout anew, as a rotated file may have other columns, and count its rows from 0."""
        self._rows.forget()
        self._begin = self.row

    def samples(self, lines: Iterable[str]) -> Iterator[Sample]:
        """Iterate the samples of some lines."""
        for line in lines:
            sample = self.line(line)
            if sample is not None:
                yield sample


class Rounds:
    """Values that come one channel at a time, gathered into rows.

    A row is full when every channel has come; when one comes again before that, the row is given as it is, with NaN
    for the silent ones.

    >>> rounds = Rounds(2)
    >>> rounds.put(0, 1.0), rounds.put(1, 2.0), rounds.put(0, 3.0), rounds.put(0, 4.0)
    (None, [1.0, 2.0], None, [3.0, nan])
    """

    def __init__(self, channels: int) -> None:
        self._empty = [math.nan] * channels
        self._values, self._come = self._empty.copy(), [False] * channels

    @property
    def begun(self) -> bool:
        """True if some channels have come and others have not."""
        return any(self._come)

    def put(self, channel: int, value: float) -> list[float] | None:
        """Take a value; return the row that it completes.

        Args:
            channel: Its position.
            value: Sensor units.
        """
        if self._come[channel]:
            row = self._flush()
            self._set(channel, value)
            return row
        self._set(channel, value)
        return self._flush() if all(self._come) else None

    def _set(self, channel: int, value: float) -> None:
        self._values[channel], self._come[channel] = value, True

    def _flush(self) -> list[float]:
        row, self._values = self._values, self._empty.copy()
        self._come = [False] * len(row)
        return row


class Grid:
    """Values that come one channel at a time, sampled at a fixed interval; a value older than three of them is NaN.

    Args:
        channels: Number of channels, F.
        every: Seconds between rows.
        clock: Clock that never jumps, seconds.
    """

    def __init__(self, channels: int, every: float, clock: Clock = time.monotonic) -> None:
        self.every, self._clock = every, clock
        self._values = [math.nan] * channels
        self._at = [-math.inf] * channels
        self._due = clock() + every

    def put(self, channel: int, value: float) -> None:
        """Take a value.

        Args:
            channel: Its position.
            value: Sensor units.
        """
        self._values[channel], self._at[channel] = value, self._clock()

    def due(self) -> list[float] | None:
        """Return the row that is due now, None if none is; after a standstill one row, not many."""
        now = self._clock()
        if now < self._due:
            return None
        self._due += self.every * (1 + (now - self._due) // self.every)
        oldest = now - 3 * self.every
        return [value if at >= oldest else math.nan for value, at in zip(self._values, self._at, strict=True)]


def ticks(every: float, stop: Flag) -> Iterator[None]:
    """Beats at a steady interval until told to stop; those that were missed are left out.

    Args:
        every: Seconds between beats.
        stop: Set to end them.
    """
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        yield
        due += every * max(1, math.ceil((time.monotonic() - due) / every))


class LiveSource:
    """A source that goes on for as long as it is read.

    Args:
        columns: Columns that feed the model.
        name: Name in messages.
        clock: See `LiveRows`.
    """

    replayable = False

    def __init__(self, columns: Columns, name: str, clock: Clock | None = time.time) -> None:
        self.name = name
        self.rows = LiveRows(columns, name, clock)
        self._stop = Flag()

    @property
    def skipped(self) -> int:
        """See `Source`."""
        return self.rows.bad

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        self._stop.set()
