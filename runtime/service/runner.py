"""The loop on the device: source → detector → sinks, until the source ends or somebody says stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter
from types import FrameType

from ..alarms.events import Event
from ..detector import Detector
from ..errors import EdgelstmError
from ..sinks import Forwarder, Sink
from ..sources import Sample, Source
from .checkpoint import Keeper
from .model_reload import ModelWatch
from .status import Status

log = logging.getLogger("edgelstm")


class Runner:
    """One model at work.

    Args:
        detector: The model.
        source: Where its samples come from.
        sinks: Where its results go.
        name: What to call it.
        keeper: What keeps its state on disk.
        watch: What looks whether its file is replaced.
    """

    def __init__(
        self,
        detector: Detector,
        source: Source,
        sinks: Sequence[Sink],
        name: str = "model",
        keeper: Keeper | None = None,
        watch: ModelWatch | None = None,
    ) -> None:
        self.detector, self.source, self.name = detector, source, name
        self.keeper, self.watch = keeper, watch
        self._stopped = False
        self.status = Status(name, detector.metadata.names, detector.metadata.period)
        self.sinks: tuple[Sink, ...] = (self.status, *sinks)
        for sink in self.forwarders:
            sink.report = lambda event, full=sink: self._event(event, full)

    @property
    def troubles(self) -> dict[str, int]:
        """How often each input policy acted, and lines that gave no sample; those that never did are left out."""
        counts = {**self.detector.validator.counts, "unreadable": self.source.skipped}
        return {reason: count for reason, count in counts.items() if count}

    @property
    def forwarders(self) -> list[Forwarder]:
        """The sinks that deliver in a thread of their own."""
        return [sink for sink in self.sinks if isinstance(sink, Forwarder)]

    def run(self) -> None:
        """Take samples until the source ends; then close open events and flush the sinks.

        Raises:
            EdgelstmError: If the source or a sink cannot go on. What was scored until then has been written.
        """
        self.status.state = "running"
        with ExitStack() as closing:
            if self.keeper is not None:
                closing.callback(self.keeper.close)
            for sink in self.sinks:
                closing.callback(sink.close)
            try:
                self._loop()
            except BaseException as error:
                self.status.state, self.status.error = "failed", str(error) or type(error).__name__
                raise
        self.status.state = "ended"

    def stop(self) -> None:
        """End the run soon, as if the source had ended; may be called from a signal handler or another thread."""
        self._stopped = True
        self.source.close()

    def _loop(self) -> None:
        keeper = self.keeper
        for sample in keeper.unseen(self.source, self.source.replayable) if keeper else self.source:
            if self.watch is not None:
                self._swap(self.watch)
            self._take(sample)
            if keeper is not None:
                keeper.after(sample.row)
        if keeper is not None:
            keeper.save()  # before the end's events: a longer file would go on from here
        if keeper is None or not self._stopped:  # what is kept goes on later, an open alarm too
            for event in self.detector.finish():
                self._event(event)

    def _swap(self, watch: ModelWatch) -> None:
        new = watch.replaced(self.detector)
        if new is None:
            return
        for event in self.detector.finish():
            self._event(event)
        self.detector = new
        if self.keeper is not None:
            self.keeper.detector = new

    def _take(self, sample: Sample) -> None:
        begin = perf_counter()
        result = self.detector.update(sample.values, sample.time, sample.arrival)
        self.status.seconds += perf_counter() - begin
        for sink in self.sinks:
            sink.take(sample, result)
        for event in result.events:
            self._event(event)

    def _event(self, event: Event, but: Sink | None = None) -> None:
        if self.keeper is not None and but is None:
            self.keeper.event(event)
        for sink in self.sinks:
            if sink is not but:
                sink.event(event)


def run_all(runners: Sequence[Runner]) -> None:
    """Run several models side by side, each in its own thread; one that fails does not stop the others.

    Raises:
        EdgelstmError: At the end, the first failure.
    """
    if len(runners) == 1:
        runners[0].run()
        return
    failures: list[BaseException] = []

    def work(runner: Runner) -> None:
        try:
            runner.run()
        except BaseException as error:
            log.warning("%s has stopped: %s", runner.name, error)
            failures.append(error)

    threads = [threading.Thread(target=work, args=(runner,), name=runner.name) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a join without end would keep signals waiting
            thread.join(0.2)
    if failures:
        raise failures[0] if isinstance(failures[0], EdgelstmError) else EdgelstmError(str(failures[0])) from failures[
            0
        ]


@contextmanager
def stopping(*runners: Runner) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT end the runners cleanly; a second signal acts as usual."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        for runner in runners:
            runner.stop()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
