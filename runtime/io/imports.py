"""Imports of large packages."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without searches for garbage, of which modules make next to none; the process ends without one, too.

    They are a sixth of TensorFlow's import, and a fifth of it once more at the end.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
