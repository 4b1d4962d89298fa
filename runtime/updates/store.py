"""The folder of a device's signed models.

    ledger.json       the model at work, the one to return to, and the history: the only file that decides
    models/HASH.tflite
    NAME.tflite       link to the model at work, for commands that take a path
    incoming/         a model that is being fetched
    tuf/              metadata of the repository, verified

A model is written before the ledger names it and removed after the ledger has left it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError, DamagedModelError, ModelError, OutputError
from ..io.atomic_files import write_atomic
from ..io.file_lock import FileLock
from ..model_file.bundle import read_model_file
from .ledger import Ledger, Release, ledger_from_json

log = logging.getLogger("edgelstm")
PATIENCE = 10.0  # seconds that a change of the ledger waits for another process


class ModelStore:
    """The folder, made where it is missing.

    Args:
        folder: The folder.

    Raises:
        OutputError: If it cannot be made.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.models, self.incoming = self.folder / "models", self.folder / "incoming"
        self.path = self.folder / "ledger.json"
        try:
            for one in (self.folder, self.models, self.incoming, self.folder / "tuf"):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"Cannot make the folder {self.folder}: {error.strerror or error}. Name another one."
            ) from error

    @property
    def ledger(self) -> Ledger:
        """The record as it is on disk.

        Raises:
            ModelError: If it is damaged.
        """
        try:
            return ledger_from_json(self.path.read_bytes())
        except FileNotFoundError:
            return Ledger()
        except (OSError, ValueError) as error:
            raise ModelError(f"{self.path} cannot be used: {error}. Remove it, and update again.") from error

    def model_path(self, release: Release) -> Path:
        """File of a model."""
        return self.models / f"{release.digest}.tflite"

    def read(self, release: Release) -> bytes:
        """Read a model, and check that it is the one that was signed.

        Raises:
            DamagedModelError: If it is missing or another one.
        """
        try:
            content = read_model_file(self.model_path(release))
        except ModelError as error:
            raise DamagedModelError(f"{release.title} is missing on this device ({error}) Update again.") from error
        if hashlib.sha256(content).hexdigest() != release.digest:
            raise DamagedModelError(f"{release.title} is damaged on this device. Update again.")
        return content

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Something that differs after every change of the ledger, None while there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def install(self, release: Release, content: bytes, *, trial: bool) -> None:
        """Put a model to work, and keep the one before; the model at work, installed again, is repaired.

        Args:
            release: The model.
            content: Bytes of its file.
            trial: Whether a trial time begins.

        Raises:
            ModelError: If it is not the file that was signed.
            OutputError: If the disk is full.
        """
        if hashlib.sha256(content).hexdigest() != release.digest:
            raise ModelError(f"{release.title} is not the file that was signed.")
        write_atomic(self.model_path(release), content, 0o600)
        with self.changing() as ledger:
            if ledger.current is not None and ledger.current.digest == release.digest:
                self._write(ledger.note("repaired", release, time.time()))
            else:
                self._write(ledger.install(release, time.time(), trial=trial))

    def leave(self, event: str, reason: str, digest: str) -> bool:
        """Return to the previous model, unless another one is at work by now.

        Args:
            event: `undone` or `rolled back`.
            reason: Reason for the history.
            digest: The model to leave.
        """
        with self.changing() as ledger:
            if ledger.current is None or ledger.current.digest != digest:
                return False
            self._write(ledger.leave(event, reason, time.time()))
        return True

    def confirm(self, digest: str) -> None:
        """End the trial time of a model that did well."""
        with self.changing() as ledger:
            if ledger.current is not None and ledger.current.digest == digest:
                self._write(ledger.confirm(time.time()))

    def refuse(self, release: Release, reason: str) -> None:
        """Note that a model failed before it was at work, and do not take it again.

        Args:
            release: The model.
            reason: Reason for the history.
        """
        with self.changing() as ledger:
            noted = ledger.note("refused", release, time.time(), reason).refuse(release.digest)
            self._write(replace(noted, error=f"{release.title} was refused: {reason}"))

    def count_start(self, starts: int) -> None:
        """Keep the number of starts that did not end in an orderly way."""
        with self.changing() as ledger:
            if ledger.starts != starts:
                self._write(replace(ledger, starts=starts))

    def note_error(self, error: str) -> None:
        """Keep the last error, empty for none; nothing is written while it stays the same."""
        with self.changing() as ledger:
            if ledger.error != error:
                self._write(replace(ledger, error=error))

    @contextmanager
    def changing(self) -> Iterator[Ledger]:
        """Keep other processes and threads from changing the ledger while the block runs."""
        lock = self._lock(".ledger.lock", PATIENCE)
        try:
            yield self.ledger
        finally:
            lock.close()

    def updating(self) -> FileLock:
        """Keep a second update out.

        Raises:
            ConfigError: If one is running.
        """
        return self._lock(".update.lock", 0.0)

    def _lock(self, name: str, patience: float) -> FileLock:
        end = time.monotonic() + patience
        while True:
            try:
                return FileLock(self.folder / name, f"The folder {self.folder}", "Try again when it has ended.")
            except ConfigError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def _write(self, ledger: Ledger) -> None:
        write_atomic(self.path, ledger.to_json(), 0o600)
        with suppress(OSError):  # a convenience: the next change tries again
            self._link(ledger)
            self._tidy(ledger)

    def _link(self, ledger: Ledger) -> None:
        release = ledger.current
        for path in self.folder.glob("*.tflite"):
            if path.is_symlink() and (release is None or path.stem != release.name):
                path.unlink()
        if release is None:
            return
        link, target = self.folder / f"{release.name}.tflite", f"models/{release.digest}.tflite"
        if link.is_symlink() and os.readlink(link) == target:
            return
        beside = self.folder / ".link.part"
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        beside.replace(link)

    def _tidy(self, ledger: Ledger) -> None:
        """Remove models that nothing names, and what a power cut left behind."""
        kept = {self.model_path(one) for one in (ledger.current, ledger.previous, ledger.older) if one is not None}
        for path in self.models.iterdir():
            if path not in kept:
                path.unlink()
        for path in self.folder.glob(".ledger.json.*.part"):
            path.unlink()
