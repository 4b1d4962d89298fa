"""Store and forward: records wait on disk, and a thread delivers them in order, at least once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..alarms.events import Event, Result
from ..sources.sample import Sample
from .delivery import LONGEST_WAIT, Delivery, TakesAnswers
from .jsonl import sample_record
from .spool import Held, Spool

log = logging.getLogger("edgelstm")
BATCH = 64  # records offered at once
FIRST_WAIT = 0.5  # seconds between attempts, doubling up to LONGEST_WAIT
GRACE = 20.0  # seconds that `close` goes on delivering, as long as it succeeds


class Forwarder:
    """Sink in front of a delivery, which may be slow or gone.

    Args:
        delivery: Carrier of the records.
        spool: Queue on disk in which they wait.
        model: Name of the model, part of every record.
        names: Channel names, F of them.
        scores: Whether samples are sent too, not events alone.
    """

    def __init__(
        self, delivery: Delivery, spool: Spool, model: str, names: tuple[str, ...], scores: bool = False
    ) -> None:
        self.delivery, self.spool, self.model, self.names, self.scores = delivery, spool, model, names, scores
        self.name = delivery.name
        self.delivered = self.dropped = self.failures = 0
        self.failure = ""
        self.report: Callable[[Event], None] | None = None
        """Receiver of the events that this sink raises itself."""
        self._overflow: Event | None = None
        self._lost = 0
        self._work_left, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"to {self.name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Bytes of records on disk."""
        return self.spool.backlog

    def result(self, sample: Sample, result: Result) -> None:
        """Queue the sample's score or forecast, where asked for.

        Args:
            sample: The sample.
            result: The model's result for it.
        """
        record = sample_record(sample, result, self.names) if self.scores else None
        if record is not None:
            self._put({"type": record.pop("type"), "model": self.model, **record})

    def event(self, event: Event) -> None:
        """Queue the event."""
        self._put({"type": "event", "model": self.model, **event.record()})

    def listen(self, answer: Callable[[str, str, str], None]) -> None:
        """Pass on answers to alarms that come back through the delivery, where it can take any.

        Args:
            answer: Receiver of an alarm's id, the answer and the way that it came.
        """
        if isinstance(self.delivery, TakesAnswers):
            self.delivery.listen(answer)

    def announce(self, facts: dict[str, Any]) -> None:
        """Tell facts about the model at work, at once and not in the queue: only the newest count."""
        self.delivery.announce(facts)

    def _put(self, record: Mapping[str, Any]) -> None:
        if self._overflow is not None and self.spool.roomy:
            self._end_overflow(self._overflow)
        if self._overflow is None and self.spool.put(record):
            self._work_left.set()
            return
        self.dropped += 1
        self._lost += 1
        if self._overflow is None:
            self._begin_overflow()

    def _begin_overflow(self) -> None:
        """Report once that the newest records are being dropped."""
        now = time.time()
        identity = f"overflow-{self.spool.folder.name}-{self.spool.seq}"  # two sinks may overflow at one record
        self._overflow = Event(identity, "overflow", "open", now, None, None, (), self.name)
        log.warning(
            "%s: %d bytes wait, there is room for no more; newer records are dropped", self.name, self.spool.backlog
        )
        self._report(self._overflow)

    def _end_overflow(self, begun: Event) -> None:
        """Report that there is room again, and how many records were lost."""
        reason = f"{self.name}: {self._lost} records dropped"
        log.warning("%s", reason)
        self._overflow, self._lost = None, 0
        self._report(Event(begun.id, "overflow", "closed", begun.start, time.time(), None, (), reason))

    def _report(self, event: Event) -> None:
        """Give an event to this sink in its turn, using the room kept for it, and to the others at once."""
        self.spool.put({"type": "event", "model": self.model, **event.record()}, spare=True)
        if self.report is not None:
            self.report(event)

    def _work(self) -> None:
        wait = FIRST_WAIT
        while True:
            self._work_left.clear()
            held = self.spool.peek(BATCH)
            if not held:
                if self._closing.is_set():
                    return
                self._work_left.wait()
                continue
            try:
                count = self.delivery.deliver([item.record for item in held])
            except Exception as error:  # whatever a library raises: the records are kept and the thread lives on
                count, reason = 0, str(error) or type(error).__name__
            else:
                reason = "no answer"
            if count:
                self._delivered(held[:count])
                wait = FIRST_WAIT
                continue
            self._failed(reason)
            if self._closing.wait(min(wait, self.delivery.longest_wait)):
                return
            wait = min(2 * wait, LONGEST_WAIT)

    def _delivered(self, held: list[Held]) -> None:
        self.spool.drop(held)
        self.delivered += len(held)
        if self.failure:
            log.warning("%s: works again", self.name)
            self.failure = ""

    def _failed(self, reason: str) -> None:
        self.failures += 1
        if not self.failure:
            log.warning("%s: %s; records wait on disk", self.name, reason)
        self.failure = reason

    def close(self) -> None:
        """Deliver what is left while that succeeds, for some seconds; the rest stays on disk for the next start."""
        if self._overflow is not None:
            self._end_overflow(self._overflow)
        self._closing.set()
        self._work_left.set()
        if self.failure:
            self.delivery.stop_waiting()
        self._thread.join(GRACE)
        if self.spool.backlog:
            log.warning("%s: %d bytes of records wait on disk for the next start", self.name, self.spool.backlog)
        if not self._thread.is_alive():
            self.delivery.close()
            self.spool.close()
