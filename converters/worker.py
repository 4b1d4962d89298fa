"""The child process of a conversion, started as `python -m edgelstm.converters.worker FOLDER`, see `child`.

It loads TensorFlow, and waits on standard input for a line: a pickled task lies in the folder then, which receives the
pickled result. Standard input is also the parent's hand: when it closes, the parent is gone.
"""

import gc
import os
import pickle
import shutil
import sys
import threading
from pathlib import Path

from edgelstm.runtime.errors import EdgelstmError
from edgelstm.runtime.io.imports import quick_exit, quick_imports

from .child import LOADING, RESULT, TASK


def main(folder: Path) -> None:
    """Do what the folder asks for."""
    asked = threading.Event()
    threading.Thread(target=_listen, args=(folder, asked), daemon=True).start()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    _print_step(LOADING)
    quick_exit()
    with quick_imports():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401 (without it Keras loads it later)
    gc.freeze()  # what TensorFlow made stays: no search for garbage looks through it again
    asked.wait()
    place, task = pickle.loads((folder / TASK).read_bytes())
    os.chdir(place)  # the task's files may be named from there
    try:
        result = task(_print_step)
    except (EdgelstmError, OSError) as error:  # the command line has a sentence for both
        result = error
    (folder / RESULT).write_bytes(pickle.dumps(result))


def _print_step(step: str) -> None:
    # not to sys.stdout: a conversion keeps what TensorFlow prints off it
    print(f"step: {step}", file=sys.__stdout__, flush=True)


def _listen(folder: Path, asked: threading.Event) -> None:
    """Pass the parent's word on; when the parent was killed, remove the folder and end: it cannot do so itself."""
    # not through sys.stdin, whose lock the end of the interpreter would wait for
    while os.read(0, 1):
        asked.set()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
