"""Imports of large packages, and the end of a process that has them."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without searches for garbage, of which modules make next to none: they are a sixth of TensorFlow's import."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def quick_exit() -> None:
    """End this process without a last search for garbage, which takes a fifth of TensorFlow's import.

    For processes of our own alone: a file that a user's object holds open in a cycle is flushed by that search.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
