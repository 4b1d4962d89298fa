"""Loading TensorFlow without its chatter: it writes to file descriptor 2, past Python's `sys.stderr`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def load_tensorflow() -> None:
    """Import TensorFlow and Keras quietly, for the processor alone; a later `import keras` then says nothing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with _silent():
        import keras
        import tensorflow as tf

        # the first op starts the runtime, which has more to say
        tf.constant(0.0)
        keras.backend.backend()


@contextmanager
def _silent() -> Iterator[None]:
    """Send file descriptor 2 to nowhere for a while."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
