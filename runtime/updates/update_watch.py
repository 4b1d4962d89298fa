"""The model of a running stream: fetched in the background, taken over between two samples, undone where it fails."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from ..alarms.events import Event, Result
from ..detector import Detector
from ..errors import DamagedModelError, EdgelstmError, ModelError
from ..model_at_work import ModelAtWork
from ..model_file.bundle import Bundle, load_bundle, parse_bundle
from ..sources.sample import Sample
from .carry_over import take_over
from .child import Child
from .ledger import Release
from .normal_rows import NormalRows
from .options import UpdateOptions
from .probation import Probation
from .store import ModelStore
from .update import Place, update

log = logging.getLogger("edgelstm")
LOOK = 1.0  # seconds between looks at the ledger, which other commands change, too
FIRST_LOOK = 5.0  # seconds after the start
GOOD_AFTER = 30.0  # seconds at work after which a start counts as good
MEMORY = 0.05  # weight of the newest sample in the mean time a sample


class UpdateWatch:
    """Updates of one stream.

    Args:
        store: Folder of the device's models.
        options: Settings.
        load: Function that makes the detector from a model file's content.
        release: The signed model at work, None for the configuration's.
        channels: Number of channels, F.
        spare: Model of the configuration to fall back to; None for none.
        notes: State folder for the notes of trials.
    """

    def __init__(
        self,
        store: ModelStore,
        options: UpdateOptions,
        load: Callable[[Bundle], Detector],
        release: Release | None,
        channels: int,
        spare: Path | None = None,
        notes: Path | None = None,
    ) -> None:
        self.store, self.options, self.load = store, options, load
        self.release, self.spare, self.notes = release, spare, notes
        self.rows = NormalRows(store.folder, channels)
        self.place = Place(options.url, options.root, options.group, options.name)
        self._child = Child()
        self._thread: threading.Thread | None = None
        self._look_at = monotonic()
        self._poll_at = monotonic() + min(FIRST_LOOK, options.interval)
        self._good_at: float | None = monotonic() + GOOD_AFTER
        self._ledger = store.ledger
        self._stamp = store.stamp
        self._banned: set[str] = set()  # undone here, also where the disk is full and the ledger cannot say so
        self._events: list[Event] = []
        self._seconds = 0.0
        self._probation: Probation | None = None
        self.report: dict[str, Any] = {}
        """Facts about the model at work, for status topics, metrics and the page."""
        self._resume_trial = self._ledger.trial_since is not None and release == self._ledger.current
        self._tell()

    def replaced(self, old: ModelAtWork) -> Detector | None:
        """Return the detector that takes over now, None for none.

        Args:
            old: The detector at work.
        """
        assert isinstance(old, Detector), "updates are for detectors alone"
        now = monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK
        if self._resume_trial:
            self._probation, self._resume_trial = Probation(old.metadata, self._trial_left()), False
        self._confirm(now)
        self._poll(now, old)
        new = self._follow(old)
        self._tell()
        return new

    def _trial_left(self) -> float:
        """Seconds of the trial time that are left after a restart."""
        passed = time.time() - (self._ledger.trial_since or 0.0)
        return min(max(self.options.trial_seconds - passed, 0.0), self.options.trial_seconds)

    def _confirm(self, now: float) -> None:
        """Note that the model at work did well: for a start, or for its trial time."""
        if self._probation is not None:
            if self._probation.over and self.release is not None:
                self._probation = self._good_at = None
                self._keep(self.store.confirm, self.release.digest)
        elif self._good_at is not None and now >= self._good_at:
            self._good_at = None
            self._keep(self.store.count_start, 0)

    def _poll(self, now: float, old: Detector) -> None:
        """Look at the repository in a thread, unless a trial time runs."""
        if now < self._poll_at or self._probation is not None or (self._thread is not None and self._thread.is_alive()):
            return
        self._poll_at = now + self.options.interval * random.uniform(0.9, 1.1)  # not all devices at once
        self.rows.save()
        self._thread = threading.Thread(target=self._update, args=(old.metadata.names,), name="update", daemon=True)
        self._thread.start()

    def _update(self, channels: tuple[str, ...]) -> None:
        before = self._ledger.error
        try:
            update(self.store, self.place, self._child, trial=True, channels=channels, notes=self.notes)
        except Exception as error:  # whatever it is, the watch goes on
            if not self._child.stopped and str(error) != before:
                log.warning("No update: %s", error)

    def _follow(self, old: Detector) -> Detector | None:
        """Load the model that the ledger names, where that is another one."""
        stamp = self.store.stamp
        if stamp == self._stamp:
            return None
        try:
            self._ledger = self.store.ledger
        except ModelError as error:
            log.warning("%s", error)
        self._stamp = stamp
        return self._load(old, self._wanted())

    def _wanted(self) -> Release | None:
        current, previous = self._ledger.current, self._ledger.previous
        return previous if current is not None and current.digest in self._banned else current

    def _load(self, old: Detector, release: Release | None) -> Detector | None:
        if release == self.release or (release is None and self.spare is None):
            return None
        newest = self._ledger.history[-1:]
        trial = bool(release and newest and (newest[0].event, newest[0].digest) == ("installed", release.digest))
        if trial:
            self._keep(self.store.count_start, 1)  # a crash from here on is the new model's
        begin = time.perf_counter()
        try:
            bundle = self._bundle(release)
            new = self.load(bundle)
            warm = take_over(new, old)
        except DamagedModelError as error:
            log.warning("%s", error)
            return None
        except Exception as error:
            if release is not None:
                self._undo(release, str(error) or type(error).__name__)
            return None
        title = release.title if release else str(self.spare)
        log.info("%s takes over%s", title, "" if warm else " and warms up")
        log.debug("Taking over took %.3f s", time.perf_counter() - begin)
        self._probation = None
        if trial:
            self._probation = Probation(new.metadata, self.options.trial_seconds, self._seconds)
        self.release, self._seconds = release, 0.0
        return new

    def _bundle(self, release: Release | None) -> Bundle:
        if release is not None:
            return parse_bundle(self.store.read(release), release.title)
        assert self.spare is not None
        return load_bundle(self.spare)

    def observe(self, sample: Sample, result: Result, seconds: float) -> None:
        """Take a result of the model at work; undo the model where it breaks a rule of its trial time.

        Args:
            sample: The sample.
            result: The result.
            seconds: Time that it took.
        """
        self._seconds += (MEMORY if self._seconds else 1.0) * (seconds - self._seconds)
        if result.status == "ok" and not result.anomaly and result.score is not None:
            self.rows.add(sample.time, sample.values)
        if self._probation is not None and self.release is not None:
            reason = self._probation.add(result, seconds)
            if reason:
                self._undo(self.release, reason)

    def crashed(self, error: Exception) -> bool:
        """Undo a model in its trial time that raised an error; return whether the error is dealt with.

        Args:
            error: The error.
        """
        if self._probation is None or self.release is None:
            return False
        return self._undo(self.release, f"{type(error).__name__}: {error}")

    def _undo(self, release: Release, reason: str) -> bool:
        """Return to the model before, where there is one."""
        if self._ledger.previous is None and self.spare is None and release == self.release:
            self._probation = None
            log.warning("%s fails (%s); there is no model before it.", release.title, reason)
            self._keep(self.store.note_error, f"{release.title} fails: {reason}")
            return False
        log.warning("%s is undone: %s", release.title, reason)
        self._banned.add(release.digest)
        self._keep(self.store.leave, "undone", reason, release.digest)
        now, reason = time.time(), f"{release.title} was undone: {reason}"
        self._events.append(Event(f"model-{release.digest[:12]}", "model", "closed", now, now, None, (), reason))
        self._probation, self._stamp, self._look_at = None, (0, 0), 0.0  # the model before takes over at once
        return True

    def _keep(self, change: Callable[..., Any], *arguments: Any) -> None:
        """Change the ledger, where the disk allows it."""
        try:
            change(*arguments)
        except EdgelstmError as error:
            log.warning("%s", error)

    def take_events(self) -> list[Event]:
        """Return the events of models that were undone since the last call."""
        events, self._events = self._events, []
        return events

    def _tell(self) -> None:
        """Renew the report, where it has changed."""
        release = self.release
        report = {
            "name": release.name if release else "", "version": release.version if release else 0,
            "group": self.options.group, "digest": release.digest if release else "",
            "trial": self._probation is not None, "error": self._ledger.error,
        }  # fmt: skip
        if report != self.report:
            self.report = report

    def close(self) -> None:
        """End what runs in the background; the model at work did not crash."""
        self._child.stop()
        if self._thread is not None:
            self._thread.join(10.0)
        self.rows.save()
        self._keep(self.store.count_start, 0)
