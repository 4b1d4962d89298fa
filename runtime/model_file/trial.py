"""Trial of a model file in a process of its own, before the process that watches loads it.

`flatbuffer.verifier` knows the rules of the format; the kernels of an interpreter have more, and some end the process where
they are broken. So a file that has not run on this machine before is loaded and invoked by `trial_worker`, with limits of
memory and time. That it has passed is noted in the state folder under its checksum, so that the next start costs nothing.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..inference.backend import backend
from ..io.state_folder import state_folder
from .bundle import Bundle, parse_bundle, read_model_file
from .trial_codes import REFUSED

if TYPE_CHECKING:
    import subprocess

SECONDS = 60.0  # a Raspberry Pi under load imports the interpreter in 5 s
MOST_NOTES = 256
WORKER = "edgelstm.runtime.model_file.trial_worker"
REMEDY = "It is damaged, or not for this machine: copy it again, or convert the Keras model again."


class Trial:
    """A model file that is being tried; the caller may go on meanwhile.

    Args:
        content: Bytes of the file.
        origin: Name of what is tried, for errors.
        seconds: Time limit; None for the usual one.
        worker: Module that tries it.
        arguments: Further arguments of the worker.
        remedy: Advice where it does not pass.

    Raises:
        OSError: If no process can be started.
    """

    def __init__(
        self,
        content: bytes,
        origin: str,
        seconds: float | None = None,
        worker: str = WORKER,
        arguments: tuple[str, ...] = (),
        remedy: str = REMEDY,
    ) -> None:
        import subprocess  # here, as nearly every start finds a note and tries nothing
        import tempfile

        self.origin, self.seconds, self.remedy = origin, SECONDS if seconds is None else seconds, remedy
        self._deadline = monotonic() + self.seconds
        with tempfile.TemporaryFile() as file:  # not a pipe: the child may read late, and nobody waits for it
            file.write(content)
            file.seek(0)
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-m", worker, str(int(self.seconds) + 1), *arguments],
                stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONSAFEPATH": "1", "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip

    @property
    def ended(self) -> bool:
        """True when the result is there, or the time is over."""
        return self._process.poll() is not None or monotonic() > self._deadline

    def check(self) -> None:
        """Wait for the result.

        Raises:
            ModelError: If the model did not load, run and answer finite values within its limits.
        """
        import subprocess

        try:
            words = self._process.communicate(timeout=max(0.0, self._deadline - monotonic()))[0]
        except subprocess.TimeoutExpired:
            raise ModelError(f"{self.origin} took longer than {self.seconds:g} s in a trial. {self.remedy}") from None
        finally:
            self.close()
        code = self._process.returncode
        if code == REFUSED:
            raise ModelError(words.decode("utf-8", "replace").strip().replace("MODEL", self.origin))
        if code:
            raise ModelError(f"{self.origin} ended a process in a trial ({ending_of(code)}). {self.remedy}")

    def close(self) -> None:
        """End the process, if it still runs."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def ending_of(code: int) -> str:
    """Signal or exit code of a process that did not end well."""
    if code < 0:
        import signal

        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def try_model(content: bytes, origin: str, folder: Path | None = None, *, noted: bool = True) -> None:
    """Try a model file, unless it is noted that it has passed before.

    Args:
        content: Bytes of the file.
        origin: Its name, for errors.
        folder: State folder; None for the user's own.
        noted: Whether to note that it has passed.

    Raises:
        ModelError: If it does not pass.
        InterpreterError: If no interpreter is installed.
    """
    note = trial_note(content, folder)
    if note.exists():
        return
    try:
        trial = Trial(content, origin)
    except OSError as error:
        raise ModelError(
            f"{origin} cannot be tried in a process of its own ({error.strerror or error}). Free some memory or disk space."
        ) from error
    trial.check()
    if noted:
        note_passed(note)


def load_tried_bundle(path: Path | str, folder: Path | None = None) -> Bundle:
    """Read a model file, verify it and try it.

    Args:
        path: The `.tflite` file.
        folder: State folder; None for the user's own.

    Raises:
        ModelError: If it is missing, damaged, carries no metadata, or does not pass its trial.
        InterpreterError: If no interpreter is installed.
    """
    path = Path(path)
    content = read_model_file(path)
    bundle = parse_bundle(content, path.name)
    try_model(content, path.name, folder)
    return bundle


def trial_note(content: bytes, folder: Path | None = None) -> Path:
    """Return the path of the note that a model has passed on this machine with this interpreter.

    Args:
        content: Bytes of the model file.
        folder: State folder; None for the user's own.
    """
    library = sys.modules[backend().interpreter.__module__].__file__
    stamp = os.stat(library).st_mtime_ns if library else 0  # an update of the interpreter asks for another trial
    return state_folder(folder) / "tried" / f"{hashlib.sha256(content).hexdigest()}-{stamp:x}"


def note_passed(note: Path) -> None:
    """Note that a model has passed; on a full or read-only disk it is tried again next time."""
    with suppress(OSError):
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.touch(mode=0o600)
        notes = sorted(note.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in notes[:-MOST_NOTES]:
            old.unlink()
