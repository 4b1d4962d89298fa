"""A process of its own for a conversion, since TensorFlow's converter may crash one."""

import contextlib
import importlib.util
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ConversionError, EdgelstmError

TASK, RESULT, LOG = "task.pickle", "result.pickle", "log.txt"
LOADING = "loading TensorFlow"
Tell = Callable[[str], None]
Task = Callable[[Tell], Any]


def require_tensorflow() -> None:
    """Refuse a conversion where TensorFlow is not installed."""
    missing = [name for name in ("tensorflow", "keras") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConversionError(
            f"A conversion needs {' and '.join(missing)}, which the base install leaves out. "
            "Install it on a workstation: pip install 'edgelstm[train]'."
        )


class Here:
    """This process as the one that does a task."""

    def __enter__(self) -> "Here":
        require_tensorflow()
        self._scratch = tempfile.TemporaryDirectory(prefix="edgelstm-")
        self.folder = Path(self._scratch.name)
        """Folder for files of the task."""
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def run(self, task: Task, tell: Tell) -> Any:
        """Do a task.

        Args:
            task: Function that receives progress.
            tell: Called with the name of each step.
        """
        return task(tell)


class Child(Here):
    """A child process, which loads TensorFlow from its first moment on: its task can be prepared meanwhile.

    Nothing of it is left when the context ends, or when this process is killed.
    """

    def __enter__(self) -> "Child":
        super().__enter__()
        folder = self.folder
        with (folder / LOG).open("wb") as log:
            # in the empty folder: `-m` looks in the working directory first, and a clone of this project holds an edgelstm/
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgelstm.converters.worker", str(folder)],
                stdout=subprocess.PIPE, stderr=log, stdin=subprocess.PIPE, text=True, cwd=folder,
                # its matrices are small, as in the command line; TensorFlow leaves compiled files in its temporary folder
                env={"OPENBLAS_NUM_THREADS": "1", **os.environ, "TMPDIR": str(folder)},
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdout, self._process.stdin):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        super().__exit__()

    def run(self, task: Task, tell: Tell) -> Any:
        """Run a task that can be pickled, pass its steps on, and turn a crash into an error.

        Args:
            task: Function that receives progress.
            tell: Called with the name of each step.

        Raises:
            EdgelstmError: What the task raises, or a ConversionError for a crash.
            OSError: What the task raises.
        """
        (self.folder / TASK).write_bytes(pickle.dumps((os.getcwd(), task)))
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):  # it has crashed already
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        step = ""
        for line in self._process.stdout:
            if line.startswith("step: "):
                step = line[6:].strip()
                tell(step)
        code = self._process.wait()
        result = self.folder / RESULT
        if code or not result.exists():
            raise ConversionError(_crash(code, step, (self.folder / LOG).read_text(errors="replace")))
        made = pickle.loads(result.read_bytes())
        if isinstance(made, EdgelstmError | OSError):
            raise made
        return made


def _crash(code: int, step: str, log: str) -> str:
    """One sentence for a worker that did not end well; its last step says where."""
    if code < 0:
        return (
            f"The conversion crashed ({signal.Signals(-code).name}) at its step '{step}'. Please report the model; "
            "simplify it layer by layer to find which one it is."
        )
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reason = next(
        (line for line in reversed(lines) if ": " in line and not line.startswith(("File", "at "))), "no reason"
    )
    if step in ("", LOADING):  # reading the model and its data is part of that step
        return f"The process that converts failed before the conversion: {reason[:300]}."
    return f"TensorFlow's converter refused the model: {reason[:300]}. Replace the layer it names by a built-in one."
