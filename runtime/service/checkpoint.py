"""Detector state and event log on disk, so that a restart after a power cut goes on where the last run was.

The state file holds the detector, the number of rows of the source that it has seen, and the end of the event log at that
moment. It is replaced whole (write, fsync, rename, fsync of the folder) every few minutes, which spares SD cards. After a
crash the log is cut back to the end that the state knows, the rows since then are read again from a replayable
source, and the same events, with the same ids, are written again: no event is lost and none is there twice.

When logrotate has renamed or truncated the log, the next event begins a new one, with a snapshot of its own. A full disk
does not end the watch: events wait in memory, and no snapshot is taken before they are in the log.

A state belongs to a source as much as to a model: another model goes on after the rows that were reported on, with a warm-up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from ..alarms.events import Event
from ..errors import ModelError, OutputError
from ..model_at_work import ModelAtWork
from ..sources.sample import Sample
from .event_log import EventLog, Position, lock_beside
from .state_file import read_state, write_state

log = logging.getLogger("edgelstm")
INTERVAL = 300.0  # seconds: a window of 100 samples and 8 channels writes some 4 MB a day


class Checkpoint:
    """One detector's state on disk, and its event log when one is named.

    Args:
        detector: The model at work.
        path: State file, made with mode 0600.
        events: Event log, JSON lines; None for none.
        interval: Seconds between snapshots.

    Raises:
        ConfigError: If another process or stream uses the state or the log.
        OutputError: If one of them cannot be written.
    """

    def __init__(
        self, detector: ModelAtWork, path: Path | str, events: Path | str | None = None, interval: float = INTERVAL
    ) -> None:
        self.detector, self.path, self.interval = detector, Path(path), interval
        self.rows = 0
        """Rows of the source's file that the detector has seen."""
        self._first = ""  # that file's first row: another file is not the one whose rows have been seen
        self._next_first = ""
        self._place: dict[str, Any] | None = None  # of a source that goes on where it was
        self.written = 0
        """Bytes of state written so far."""
        self.left_open: tuple[Event, ...] = ()
        """Events of the model before, closed as another one goes on; to be reported first."""
        self._failure = ""
        self._source: Iterable[Sample] | None = None
        self._closed = False
        self._due = monotonic() + interval
        self._rotated = False
        self._lock = lock_beside(self.path, f"The state {path}", "Give each its own --state.")
        self._log: EventLog | None = None
        try:
            position = self._resume()
            self._log = None if events is None else EventLog(Path(events), position)
            if position is None:
                self.save()  # from here on the log's end is known
        except BaseException:
            self.close()
            raise

    @property
    def dropped(self) -> int:
        """Events that neither the log nor the memory had room for."""
        return self._log.dropped if self._log is not None else 0

    def _resume(self) -> Position | None:
        """Restore the detector; return the event log's end at that time, None when starting afresh."""
        try:
            state = read_state(self.path)
            if state is None:
                return None
            if state["detector"]["model"] == self.detector.identity:
                self.detector.restore(state["detector"])
            else:
                self.left_open = self.detector.succeed(state["detector"])
                log.warning("%s is of another model: this one warms up and goes on where that one ended", self.path)
            self.rows, self._first = int(state["rows"]), str(state["first"])
            self._next_first = self._first
            place = state.get("place")
            self._place = place if isinstance(place, dict) else None
            return Position(int(state["log"]), state.get("log_file"))
        except (ModelError, KeyError, TypeError, ValueError) as error:
            log.warning("The state in %s is not used, the model starts afresh: %s", self.path, error)
            self.detector.reset()
            self.rows, self.left_open = 0, ()
            return None

    def unseen(self, source: Iterable[Sample], replayable: bool = True) -> Iterator[Sample]:
        """Iterate the samples that the detector has not seen; all of a source that cannot be replayed or resumed.

        Args:
            source: Samples.
            replayable: Whether the source begins with the same rows at every start.
        """
        seen = self.rows if replayable else 0
        if not replayable:
            self.rows = 0
        self._source = source
        if hasattr(source, "resume") and self._place is not None:
            self._go_on(source, self._place)
        for sample in source:
            if not sample.row and replayable:
                first = repr((sample.time, sample.values))
                if first != self._first and seen:
                    log.warning("The file is not the one that %s knows: it is read from its beginning", self.path)
                seen, self._next_first = (seen if first == self._first else 0), first
            if sample.row >= seen:
                seen = 0
                yield sample

    def _go_on(self, source: Any, place: dict[str, Any]) -> None:
        if place.get("source") == source.name:
            source.resume(place.get("position"))
        else:
            log.warning(
                "%s knows a position in %s, not in %s: it is not used", self.path, place.get("source"), source.name
            )

    def _reached(self) -> dict[str, Any] | None:
        """Place in a source that can be resumed, None for any other."""
        position = getattr(self._source, "position", None)
        return None if position is None else {"source": getattr(self._source, "name", ""), "position": position}

    def event(self, event: Event) -> None:
        """Append an event to the log; while that fails it waits.

        In a log that was rotated it waits for the end of the sample, when the new log begins with a snapshot.
        """
        if self._log is None:
            return
        self._log.hold(event)
        self._rotated = self._rotated or self._log.rotated
        if self._rotated:
            return
        try:
            self._log.flush()
        except OutputError as error:
            self._warn(error)

    def after(self, row: int) -> None:
        """Count a row whose events are all reported, and take a snapshot when one is due; go on when that fails."""
        self.rows, self._first = row + 1, self._next_first
        fresh, self._place = self._place is None, self._reached()
        if self._rotated or monotonic() >= self._due or (fresh and self._place is not None):
            self.save_or_warn()

    def replace(self, detector: ModelAtWork) -> None:
        """Go on with another model, from a snapshot that is taken now: a kill must not mix it with the old one's state."""
        self.detector = detector
        self.save_or_warn()

    def save_or_warn(self) -> None:
        """Take a snapshot now, unless closed; a failure is logged, and tried again at the next interval."""
        if self._closed:
            return
        try:
            self.save()
        except OutputError as error:
            self._warn(error)

    def save(self) -> None:
        """Take a snapshot now.

        Raises:
            OutputError: If it cannot be written.
        """
        position = Position(0, None)
        self._due, self._rotated = monotonic() + self.interval, False
        if self._log is not None:
            self._log.reopen()
            self._log.flush()
            self._log.sync()
            position = self._log.position
        state = {"rows": self.rows, "first": self._first, "log": position.length, "log_file": position.inode}
        if self._place is not None:
            state["place"] = self._place
        self.written += write_state(self.path, {**state, "detector": self.detector.snapshot()})
        if self._failure:
            log.warning("%s: can be written again", self.path)
            self._failure = ""

    def _warn(self, error: OutputError) -> None:
        if not self._failure:
            log.warning("%s The watch goes on; tried again every %g s.", error, self.interval)
        self._failure = str(error)

    def close(self) -> None:
        """Close the log, and release the state for others."""
        self._closed = True
        if self._log is not None:
            self._log.close()
            self._log = None
        self._lock.close()
