"""Child processes of an update: a request in, an answer out, limits of time and memory, and an end that can be asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import Any

from ..errors import ModelError
from ..model_file.trial import ending_of
from ..model_file.trial_codes import REFUSED

LONGEST_ANSWER = 1 << 16  # bytes


class Child:
    """One process at work for an update; `stop` ends it from another thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()
        self.stopped = False
        """True if it was asked to end."""

    def ask(self, module: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Run a worker and return its answer.

        Args:
            module: The worker's module beside this one.
            request: Plain JSON types, its standard input.
            seconds: Limit of time, and of processor time.

        Raises:
            ModelError: If it refuses, takes too long or crashes.
        """
        with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as output:
            file.write(json.dumps(request).encode())
            file.seek(0)
            with self._guard:
                if self.stopped:
                    raise ModelError("The update was ended.")
                try:
                    self._process = process = subprocess.Popen(
                        [sys.executable, "-m", f"{__package__}.{module}", str(int(seconds) + 1)],
                        stdin=file, stdout=output, stderr=subprocess.DEVNULL,
                        env={**os.environ, "PYTHONSAFEPATH": "1", "OPENBLAS_NUM_THREADS": "1"},
                    )  # fmt: skip
                except OSError as error:
                    raise ModelError(f"No process can be started for an update ({error.strerror or error}).") from error
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise ModelError(
                    f"It took longer than {seconds:g} s; what was fetched is kept for next time."
                ) from None
            finally:
                self._end(process)
            output.seek(0)
            return _answer(process.returncode, output.read(LONGEST_ANSWER))

    def stop(self) -> None:
        """End the process that runs, and start no other."""
        with self._guard:
            self.stopped = True
            if self._process is not None:
                with suppress(OSError):
                    self._process.kill()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._guard:
            self._process = None
        with suppress(OSError):
            process.kill()
        process.wait()


def _answer(code: int, output: bytes) -> dict[str, Any]:
    if code == REFUSED:
        raise ModelError(output.decode("utf-8", "replace").strip())
    if code:
        raise ModelError(f"A process of the update ended by {ending_of(code)}.")
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError as error:
        raise ModelError("A process of the update gave no answer.") from error
    return answer
