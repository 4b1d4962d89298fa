"""The last model that worked: kept beside the state, and started with when the configured file cannot be used.

Three files belong to a state file NAME: NAME.model, a copy of the last model that ran for `GOOD_AFTER` seconds, and
NAME.starts, a count of starts of a model that ended before. The count is written before a model is loaded and removed when it
has worked, or when the program ends in an orderly way; so only crashes and power cuts are counted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..alarms.events import Event
from ..errors import EdgelstmError, ModelError
from ..io.atomic_files import write_atomic
from ..model_file.bundle import Bundle, parse_bundle, read_model_file
from ..model_file.trial import try_model

log = logging.getLogger("edgelstm")
GOOD_AFTER = 30.0  # seconds at work after which a model is good
MOST_CRASHES = 3


@dataclass(frozen=True)
class LoadedModel:
    """A model file that has been verified and tried."""

    content: bytes
    """Bytes of the file."""
    bundle: Bundle
    """The same, taken apart."""
    fallback: str = ""
    """Reason why it is the last good model and not the configured file; empty for the configured file."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file, hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def notice(self) -> Event | None:
        """Event that says that the last good model is at work; None for the configured file."""
        if not self.fallback:
            return None
        return Event(f"model-{self.digest[:12]}", "model", "open", time.time(), None, None, (), "last_good")


class LastGoodModel:
    """The copy of the last good model, and the count of crashes after a start.

    Args:
        state: The state file; the other files lie beside it.
    """

    def __init__(self, state: Path | str) -> None:
        state = Path(state)
        self.copy = state.with_name(f"{state.name}.model")
        self.starts = state.with_name(f"{state.name}.starts")

    def crashes(self, digest: str) -> int:
        """Starts of a model that neither lasted nor ended in an orderly way."""
        try:
            record = json.loads(self.starts.read_bytes()[:1000])
            return int(record["starts"]) if record["model"] == digest else 0
        except (OSError, ValueError, TypeError, KeyError):
            return 0

    def starting(self, digest: str) -> None:
        """Count a start; call it before the model is loaded."""
        record = {"model": digest, "starts": self.crashes(digest) + 1}
        with suppress(EdgelstmError):  # on a full disk nothing is counted
            write_atomic(self.starts, json.dumps(record).encode(), 0o600)

    def ended(self, digest: str) -> None:
        """Forget the starts of a model: it has worked, or the program ends in an orderly way."""
        if self.crashes(digest):
            with suppress(OSError):
                self.starts.unlink()

    def confirm(self, model: LoadedModel) -> None:
        """Keep a model that has worked."""
        self.ended(model.digest)
        try:
            if self.copy.read_bytes() == model.content:
                return
        except OSError:
            pass
        try:
            write_atomic(self.copy, model.content, 0o600)
        except EdgelstmError as error:
            log.warning("The model that works cannot be kept: %s", error)

    def load(self, reason: str, folder: Path | None = None) -> LoadedModel:
        """Read the copy.

        Args:
            reason: Reason why it is needed.
            folder: State folder, for the trial's note.

        Raises:
            ModelError: If there is none, or it is damaged.
        """
        content = read_model_file(self.copy)
        bundle = parse_bundle(content, self.copy.name)
        try_model(content, self.copy.name, folder)
        return LoadedModel(content, bundle, reason)


def choose_model(
    path: Path | str, good: LastGoodModel | None = None, folder: Path | None = None, *, noted: bool = True
) -> LoadedModel:
    """Read the configured model; where it is damaged, or crashed again and again, the last good one.

    Args:
        path: The configured file.
        good: Keeper of the last good model; None to do without.
        folder: State folder; None for the user's own.
        noted: Whether to note that a file has passed its trial.

    Raises:
        ModelError: If the file is missing, or is not usable and no good one is kept.
        InterpreterError: If no interpreter is installed.
    """
    path = Path(path)
    content = read_model_file(path)
    digest = hashlib.sha256(content).hexdigest()
    try:
        model = LoadedModel(content, parse_bundle(content, path.name))
        crashes = good.crashes(digest) if good else 0
        if crashes >= MOST_CRASHES:
            raise ModelError(f"{path.name} ended the process {crashes} times soon after its start.")
        try_model(content, path.name, folder, noted=noted)
    except ModelError as error:
        if good is None:
            raise
        kept = _kept(good, str(error), folder)
        if kept is None or kept.digest == digest:
            if good.crashes(digest) < MOST_CRASHES:
                raise
            log.warning("%s There is no other model that has worked: it is started again.", error)
            return model
        log.warning("%s The last good model, %s, is used instead. Replace the file.", error, good.copy)
        return kept
    return model


def _kept(good: LastGoodModel, reason: str, folder: Path | None) -> LoadedModel | None:
    try:
        return good.load(reason, folder)
    except EdgelstmError:
        return None
