"""Distillation: a student learns the outputs of its teacher on representative windows; labels are not needed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..training.fitting import fit

Arrays = tuple[npt.NDArray[Any], ...]
EPOCHS, BATCH, RATE = 60, 32, 3e-3
STEPS = 16  # a call of the graph: Keras' own loop around a step costs more than the step
PATIENCE = 8
VALIDATION = 0.15  # of the windows, the last ones


def outputs_of(model: Any, windows: Arrays) -> Arrays:
    """A Keras model's outputs, (N, ...) each.

    Args:
        model: The model.
        windows: (N, ...) an input.
    """
    import keras

    return tuple(np.asarray(part) for part in keras.tree.flatten(model.predict(_one(windows), verbose=0)))


def distill(student: Any, windows: Arrays, targets: Arrays, tell: Callable[[int], None] = lambda _: None) -> Any:
    """Train a student on its teacher's outputs; the best weights on windows that it does not learn from are kept.

    Args:
        student: Keras model, whose weights change.
        windows: Windows, (N, ...) an input.
        targets: The teacher's outputs for them, (N, ...) each.
        tell: Called with the number of each epoch that is over, from 1.

    Returns:
        The student without optimizer, whose state would triple its file.
    """
    import keras

    keras.utils.set_random_seed(0)
    cut = max(1, int((1 - VALIDATION) * len(windows[0])))
    early = [_one(tuple(part[:cut] for part in side)) for side in (windows, targets)]
    late = tuple(_one(tuple(part[cut:] for part in side)) for side in (windows, targets))
    loss = ["mse"] * len(targets) if len(targets) > 1 else "mse"
    student.compile(keras.optimizers.Adam(RATE), loss, jit_compile=False, steps_per_execution=STEPS)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
    slower = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=PATIENCE // 2)
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: tell(epoch + 1))
    fit(
        student, early[0], [told, stop, slower],
        y=early[1], validation_data=late, epochs=EPOCHS, batch_size=BATCH,
    )  # fmt: skip
    bare = type(student).from_config(student.get_config())
    bare.set_weights(student.get_weights())
    return bare


def _one(parts: Arrays) -> Any:
    return list(parts) if len(parts) > 1 else parts[0]
