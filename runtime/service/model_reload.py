"""Taking over a model file that is replaced while it is at work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from ..alarms.events import Event, Result
from ..detector import Detector
from ..errors import ModelError
from ..model_at_work import ModelAtWork
from ..model_file.bundle import Bundle, parse_bundle, read_model_file
from ..model_file.trial import Trial, note_passed, trial_note
from ..sources import Sample
from ..sources.column_mapping import reading
from .last_good import GOOD_AFTER, LastGoodModel, LoadedModel

log = logging.getLogger("edgelstm")
EVERY = 5.0  # seconds between looks at the file
NOTHING: dict[str, Any] = {}


class ModelWatch:
    """A look at a model file now and then, and the new detector once a new file has passed every check.

    A new file is verified and tried in a process of its own while the old model goes on. Whatever is wrong with it, the old
    model stays.

    Args:
        path: The model file at work.
        load: Function that makes the detector from it.
        every: Seconds between looks.
        folder: State folder, for the notes of files that have passed; None for the user's own.
        good: Keeper of the last good model; None to do without.
        model: The model at work; None when it is not to be kept.
    """

    def __init__(
        self,
        path: Path | str,
        load: Callable[[Bundle], ModelAtWork] = Detector.from_bundle,
        *,
        every: float | None = None,
        folder: Path | None = None,
        good: LastGoodModel | None = None,
        model: LoadedModel | None = None,
    ) -> None:
        self.path, self.load, self.every = Path(path), load, EVERY if every is None else every
        self.folder, self.good = folder, good
        self._known = self._stamp()
        self._due = monotonic() + self.every
        self._candidate: _Candidate | None = None
        self._start(model)

    def _start(self, model: LoadedModel | None) -> None:
        """Begin the probation of a model: until it has worked for a while."""
        self._model = model if self.good is not None else None
        self._good_at = monotonic() + GOOD_AFTER

    def replaced(self, old: ModelAtWork) -> ModelAtWork | None:
        """Return the new detector, None while there is none; a file that fails is told of once.

        Args:
            old: The detector at work.
        """
        if self._candidate is None:
            if monotonic() < self._due:
                return None
            self._due = monotonic() + self.every
            self._confirm()
            self._look()
        candidate = self._candidate
        if candidate is None or not candidate.ended:
            return None
        self._candidate = None
        try:
            new = self._take_over(candidate, old)
        except Exception as error:  # whatever is wrong with a new file, the watch goes on
            self._refuse(error)
            return None
        log.info("%s was replaced: the new model warms up", self.path)
        return new

    def observe(self, sample: Sample, result: Result, seconds: float) -> None:
        """See `Watch`. A file that somebody put there by hand is not judged by its results."""

    def crashed(self, error: Exception) -> bool:
        """See `Watch`."""
        return False

    def take_events(self) -> list[Event]:
        """See `Watch`."""
        return []

    @property
    def report(self) -> dict[str, Any]:
        """See `Watch`."""
        return NOTHING

    def close(self) -> None:
        """End a trial that still runs; the model at work did not crash."""
        if self._candidate is not None:
            self._candidate.close()
        if self.good is not None and self._model is not None:
            self.good.ended(self._model.digest)

    def _confirm(self) -> None:
        """Keep the model at work, once it has worked for a while."""
        if self.good is not None and self._model is not None and monotonic() >= self._good_at:
            self.good.confirm(self._model)
            self._model = None

    def _look(self) -> None:
        """Begin the trial of a file that is new."""
        stamp = self._stamp()
        if stamp is None or stamp == self._known:
            return
        self._known = stamp
        try:
            self._candidate = _Candidate(self.path, self.folder)
        except Exception as error:
            self._refuse(error)

    def _take_over(self, candidate: _Candidate, old: ModelAtWork) -> ModelAtWork:
        model = candidate.result()
        if self.good is not None:
            self.good.starting(model.digest)
        try:
            new = self.load(model.bundle)
            if new.metadata.names != old.metadata.names:
                raise ModelError(f"It takes other channels: {', '.join(new.metadata.names)}.")
            if type(new) is not type(old):
                raise ModelError("One of the two is a detector, the other a forecaster. Start again to take it over.")
            if reading(new.metadata) != reading(old.metadata):
                raise ModelError("It was trained on rows of another grid. Start again to take it over.")
            new.probe()
        except Exception:
            if self.good is not None:
                self.good.ended(model.digest)
            raise
        new.index = old.index  # ids of events without times stay unique
        self._start(model)
        return new

    def _refuse(self, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        log.warning("%s was replaced by a file that cannot be used, the old model stays: %s", self.path, reason)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


class _Candidate:
    """A new model file, being tried unless it has passed before; until then this process reads nothing of it."""

    def __init__(self, path: Path, folder: Path | None) -> None:
        self._content, self._origin = read_model_file(path), path.name
        self._note = trial_note(self._content, folder)
        self._trial = None if self._note.exists() else Trial(self._content, path.name)

    @property
    def ended(self) -> bool:
        """Tell whether the trial's result is there."""
        return self._trial is None or self._trial.ended

    def result(self) -> LoadedModel:
        """Take the result.

        Raises:
            ModelError: If it did not pass.
        """
        if self._trial is not None:
            self._trial.check()
        model = LoadedModel(self._content, parse_bundle(self._content, self._origin))
        note_passed(self._note)
        return model

    def close(self) -> None:
        """End the trial."""
        if self._trial is not None:
            self._trial.close()
