"""Loop on the device: source → detector → sinks, until the source or a signal ends it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..alarms.events import Event
from ..alarms.narrator import Narrator
from ..errors import ConfigError, SeriesError
from ..input.unscored_rows import REASON
from ..input.unscored_warning import coverage_warning
from ..model_at_work import ModelAtWork
from ..sinks import RemoteSink, Sink
from ..sources import Sample, Source
from .answer_book import AnswerBook
from .model_watch import Watch
from .status import Status

if TYPE_CHECKING:
    from .checkpoint import Checkpoint

log = logging.getLogger("edgelstm")


class Runner:
    """One model at work.

    Args:
        detector: The model.
        source: Source of its samples.
        sinks: Receivers of its results.
        name: Name in topics, metrics and messages.
        checkpoint: Keeper of its state on disk; None for none.
        watch: Watcher of its model file; None for none.
        notice: Event to report at the start, closed when the file is replaced; None for none.
        narrator: Speaker of the events' sentences; None for English in the zone of the device.
        book: Keeper of the answers to alarms; None where nobody can answer.
    """

    def __init__(
        self,
        detector: ModelAtWork,
        source: Source,
        sinks: Sequence[Sink],
        name: str = "model",
        checkpoint: Checkpoint | None = None,
        watch: Watch | None = None,
        notice: Event | None = None,
        narrator: Narrator | None = None,
        book: AnswerBook | None = None,
    ) -> None:
        self.detector, self.source, self.name = detector, source, name
        self.checkpoint, self.watch, self._notice = checkpoint, watch, notice
        self._narrator, self._label = narrator or Narrator(), ""
        self._told: dict[str, Any] = {}
        self._stopped = False
        self._busy = threading.Lock()  # held from a sample to its last event: a snapshot never sees half of that
        metadata = detector.metadata
        units = tuple(channel.unit for channel in metadata.channels)
        self.status = Status(name, metadata.names, metadata.period, units)
        self._book = book
        if book is not None:
            self.status.answers = book.answers
        self.sinks: tuple[Sink, ...] = (self.status, *sinks)
        for sink in self.remote_sinks:
            sink.report = lambda event, full=sink: self._event(event, full)
            sink.listen(self.answer)

    @property
    def troubles(self) -> dict[str, int]:
        """Counts of what each input policy did, and of lines that gave no sample; zeros are left out."""
        counts = {**self.detector.validator.counts, "unreadable": self.source.skipped}
        return {reason: count for reason, count in counts.items() if count}

    @property
    def warning(self) -> str:
        """Sentence with the likely reason where most rows were not scored; empty otherwise."""
        return self._coverage(self.status.scored, self.status.statuses, self.source.skipped)

    def _coverage(self, scored: int, statuses: Mapping[str, int], unreadable: int = 0) -> str:
        verb = "scored" if self.status.forecast is None else "forecast from"
        return coverage_warning(self.detector.metadata, scored, statuses, unreadable, verb)

    @property
    def model(self) -> dict[str, Any]:
        """Facts about the signed model at work; empty where updates are not configured."""
        return self.watch.report if self.watch is not None else {}

    @property
    def remote_sinks(self) -> list[RemoteSink]:
        """The sinks that deliver in a thread of their own."""
        return [sink for sink in self.sinks if isinstance(sink, RemoteSink)]

    def run(self) -> None:
        """Score samples until the source ends; then close open events and flush the sinks.

        Raises:
            EdgelstmError: If the source or a sink cannot go on, or a file has ended and no row was scored. Results until then
                have been written.
        """
        self.status.state = "running"
        with ExitStack() as closing:
            if self.checkpoint is not None:
                closing.callback(self.checkpoint.close)
            if self.watch is not None:
                closing.callback(self.watch.close)
            for sink in self.sinks:
                closing.callback(sink.close)
            try:
                self._loop()
                if not self._stopped and self.checkpoint is None:  # a state's run may well be its file's last rows
                    self._refuse_nothing()
            except BaseException as error:
                self.status.state, self.status.error = "failed", str(error) or type(error).__name__
                raise
        self.status.state = "ended"

    def _refuse_nothing(self) -> None:
        """Raise SeriesError where a source has ended by itself without a row, or a file without a score."""
        if not self.status.samples and not self.source.skipped:
            raise SeriesError(f"{self.source.name} holds no rows. Give one row a sample.")
        if self.source.replayable and not self.status.scored and self.warning:  # a pipe may end before it has begun
            raise SeriesError(self.warning)

    def stop(self) -> None:
        """End the run soon, as if the source had ended; may be called from a signal handler or another thread."""
        self._stopped = True
        self.source.close()

    def save_state(self) -> None:
        """Take a snapshot now, and go on in the event log that has the name now; may be called from another thread."""
        with self._busy:
            if self.checkpoint is not None:
                self.checkpoint.save_or_warn()

    def answer(self, identity: str, answer: str, by: str) -> None:
        """Take a person's answer to an alarm; may be called from another thread.

        Args:
            identity: Id of the alarm, one of the newest.
            answer: real, false or normal.
            by: Way that it came.

        Raises:
            ConfigError: If there is no such alarm or answer, or the stream takes none.
            OutputError: If it cannot be stored.
        """
        from ..alarms.answers import Answer  # few streams are ever answered

        if self._book is None:
            raise ConfigError("This stream takes no answers.")
        event = self.status.find(identity)
        if event is None:
            raise ConfigError(f"There is no event {identity[:40]!r} among the newest ones.")
        response = Answer.of(event, answer, time.time(), by)
        with self._busy:
            self._book.add(response)
            told = self._narrator.tell(response.as_event(), self._label, self.detector.metadata.period)
            for sink in self.remote_sinks:
                sink.event(told)

    def _loop(self) -> None:
        checkpoint = self.checkpoint
        if self._notice is not None:
            self._event(self._notice)
        for event in checkpoint.left_open if checkpoint is not None else ():
            self._event(event)
        for sample in self._samples():
            with self._busy:
                if self.watch is not None:
                    self._swap(self.watch)
                self._score(sample)
                if checkpoint is not None:
                    checkpoint.after(sample.row)
        with self._busy:
            if checkpoint is not None:
                checkpoint.save()  # before the end's events: a longer file would go on from here
            if checkpoint is None or not self._stopped:  # a state that is kept goes on later, an open alarm too
                for event in self.detector.finish():
                    self._event(event)

    def _samples(self) -> Iterable[Sample]:
        if self.checkpoint is None:
            return self.source
        return self.checkpoint.unseen(self.source, self.source.replayable)

    def _swap(self, watch: Watch) -> None:
        new = watch.replaced(self.detector)
        for event in watch.take_events():
            self._event(event)
        if watch.report and watch.report is not self._told:
            self._told = watch.report
            for sink in self.remote_sinks:
                sink.announce(self._told)
        if new is None:
            return
        for event in self.detector.finish():
            self._event(event)
        if self._notice is not None:
            self._event(replace(self._notice, state="closed", end=time.time()))
            self._notice = None
        self.detector = new
        if self.checkpoint is not None:
            self.checkpoint.replace(new)

    def _score(self, sample: Sample) -> None:
        self._label = sample.label
        begin = perf_counter()
        try:
            result = self.detector.update(sample.values, sample.time, sample.arrival)
        except Exception as error:
            if self.watch is None or not self.watch.crashed(error):
                raise
            self._swap(self.watch)
            result = self.detector.update(sample.values, sample.time, sample.arrival)
        seconds = perf_counter() - begin
        self.status.seconds += seconds
        for sink in self.sinks:
            sink.result(sample, result)
        if self.status.sensors is not None:
            self.status.sensor_values(sample.values, *self.detector.expected)
        if self.watch is not None:
            self.watch.observe(sample, result, seconds)
        for event in result.events:
            self._event(event)
            if event.reason == REASON and event.state == "open":
                log.warning("%s: %s", self.name, self._coverage(0, self.status.unscored))

    def _event(self, event: Event, origin: Sink | None = None) -> None:
        """Give an event to the log and all sinks; one that a sink raised itself, to the other sinks alone."""
        event = self._narrator.tell(event, self._label, self.detector.metadata.period)
        if self.checkpoint is not None and origin is None:
            self.checkpoint.event(event)
        for sink in self.sinks:
            if sink is not origin:
                sink.event(event)
