"""TensorFlow in a worker that makes many models: started once, on one thread, with nothing left of the model before."""

import os
import threading

from ..tensorflow import load_tensorflow

ALONE = threading.Lock()
"""Held while a model is made: seeds and names of Keras belong to the whole process."""


def fresh_session() -> None:
    """Start TensorFlow on one thread, or forget what it made before: names of layers count from the beginning again."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    load_tensorflow()
    import keras

    keras.backend.clear_session()
