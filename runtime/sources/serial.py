"""Source that reads a serial port (`pip install edgelstm[serial]`): one row of CSV or JSON a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import SeriesError
from ..io.extras import load_extra
from ..io.reconnect import Attempts
from .column_mapping import Columns
from .line_reader import BLOCK, WAIT, Splitter
from .live import LiveSource
from .sample import Sample


@dataclass(frozen=True)
class SerialOptions:
    """Settings of a serial port."""

    baud: int = 115200
    """Bits a second."""


class SerialSource(LiveSource):
    """Samples from a serial port; a device that is unplugged is opened again when it is back.

    Args:
        port: Device, such as /dev/ttyUSB0.
        options: Speed.
        columns: Columns that feed the model.

    Raises:
        ConfigError: If pyserial is missing.
        SeriesError: If the line cannot be opened at the start.
    """

    def __init__(self, port: str, options: SerialOptions, columns: Columns) -> None:
        super().__init__(columns, f"serial:{port}")
        self.port, self.options = port, options
        self._library = load_extra("serial", "serial")
        self._line: Any = None
        self._attempts, self._lost = Attempts(self.name), ""

    def __iter__(self) -> Iterator[Sample]:
        self._line = self._opened()
        try:
            while not self._stop.is_set():
                yield from self._until_lost()
                self._reopen()
        finally:
            self._line.close()

    def _opened(self) -> Any:
        try:
            return self._library.Serial(self.port, self.options.baud, timeout=WAIT)
        except (self._library.SerialException, OSError, ValueError) as error:
            raise SeriesError(f"Cannot open {self.port}: {error}. Check the device and its permissions.") from error

    def _until_lost(self) -> Iterator[Sample]:
        splitter = Splitter(self.name, self.rows.pass_over)
        fresh = not self.rows.row  # the first line may have begun before us
        while not self._stop.is_set():
            try:
                block = self._line.read(max(1, min(BLOCK, self._line.in_waiting)))
            except (self._library.SerialException, OSError) as error:
                self._lost = f"lost ({error})"
                return
            if block:
                self._attempts.works()
            lines = splitter.feed(block)
            if lines and fresh:
                fresh = False
                lines = self._first(lines)
            yield from self.rows.samples(lines)

    def _first(self, lines: list[str]) -> list[str]:
        """Leave out the first line, which may have begun before us, unless it is a header."""
        try:
            self.rows.line(lines[0])
        finally:
            self.rows.bad = self.rows.row = 0
        if not self.rows.header:
            self.rows.new_file()
        return lines[1:]

    def _reopen(self) -> None:
        """Open the line again; one that opens and is lost at once is tried ever more slowly, too."""
        self._line.close()
        while not self._stop.wait(self._attempts.failed(self._lost)):
            try:
                self._line = self._opened()
            except SeriesError as error:
                self._lost = str(error)
                continue
            return
