"""Loading TensorFlow without its chatter: it writes to file descriptor 2, past Python's `sys.stderr`."""

import logging
import os

from edgelstm.runtime.io.imports import quick_imports
from edgelstm.runtime.io.native_stderr import silent_stderr


def load_tensorflow() -> None:
    """Import TensorFlow and Keras quietly, for the processor alone; a later `import keras` then says nothing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with silent_stderr(), quick_imports():
        import keras
        import tensorflow as tf

        # the first op starts the runtime, which has more to say
        tf.constant(0.0)
        keras.backend.backend()
    # it warns of models that are traced anew, which is meant here
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
