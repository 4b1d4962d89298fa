"""Fitting a Keras model: Ctrl-C ends it early and keeps the weights, a loss that is not finite is an error."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from edgelstm.runtime.errors import TrainingError

NOT_FINITE = "The loss is no longer finite. Lower --learning-rate."


@dataclass(frozen=True)
class Fit:
    """Course of a training."""

    history: dict[str, list[float]] = field(repr=False)
    """Losses and metrics by epoch, as Keras names them."""
    interrupted: bool
    """True if Ctrl-C ended it."""


def fit(model: Any, data: Any, callbacks: Iterable[Any] = (), **settings: Any) -> Fit:
    """Fit a compiled model until its epochs are over, a callback stops it, or Ctrl-C does.

    The first Ctrl-C ends the epoch after the step under way; the callbacks then see an ordinary end of training, so
    that `EarlyStopping` restores the best weights. The second one raises `KeyboardInterrupt` at once.

    Args:
        model: The compiled Keras model.
        data: Training data, as `model.fit` takes it.
        callbacks: Keras callbacks.
        **settings: Further arguments of `model.fit`.

    Raises:
        TrainingError: If the loss is not finite at the end.
    """
    import keras

    with stop_on_interrupt(model) as interrupts:
        callbacks = [*callbacks, keras.callbacks.TerminateOnNaN()]
        history = model.fit(data, verbose=0, callbacks=callbacks, **settings).history
    if not np.isfinite(history["loss"][-1]):
        raise TrainingError(NOT_FINITE)
    losses = {name: [float(value) for value in values] for name, values in history.items()}
    return Fit(losses, bool(interrupts))


@contextmanager
def stop_on_interrupt(model: Any) -> Iterator[list[int]]:
    """Turn the first SIGINT into `stop_training`; signals reach the main thread alone.

    Args:
        model: The Keras model that learns.

    Yields:
        A list that the signal's number is put into.
    """
    interrupts: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, _: FrameType | None) -> None:
        interrupts.append(number)
        model.stop_training = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
