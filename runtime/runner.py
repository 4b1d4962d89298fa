"""The loop on the device: source → detector → sinks, until the source ends or somebody says stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from .detector import Detector
from .events import Event, Result
from .sinks import Sink
from .sources import Sample, Source


@dataclass
class Runner:
    """One model at work."""

    detector: Detector
    """The model."""
    source: Source
    """Where its samples come from."""
    sinks: Sequence[Sink]
    """Where its results go."""
    samples: int = field(default=0, init=False)
    """Samples taken so far."""
    scored: int = field(default=0, init=False)
    """Samples that got a score."""
    events: int = field(default=0, init=False)
    """Events opened so far."""

    def run(self) -> None:
        """Take samples until the source ends; then close open events and flush the sinks.

        Raises:
            EdgelstmError: If the source or a sink cannot go on. What was scored until then has been written.
        """
        try:
            for sample in self.source:
                self._take(sample, self.detector.update(sample.values, sample.time))
            for event in self.detector.finish():
                self._event(event)
        finally:
            for sink in self.sinks:
                sink.close()

    def stop(self) -> None:
        """End the run soon, as if the source had ended; may be called from a signal handler or another thread."""
        self.source.close()

    def _take(self, sample: Sample, result: Result) -> None:
        self.samples += 1
        self.scored += result.score is not None
        for sink in self.sinks:
            sink.take(sample, result)
        for event in result.events:
            self._event(event)

    def _event(self, event: Event) -> None:
        self.events += event.state == "open"
        for sink in self.sinks:
            sink.event(event)


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
