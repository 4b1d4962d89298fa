"""Fitting a Keras model: Ctrl-C ends it early and keeps the weights, a loss that is not finite is an error."""

import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from edgelstm.runtime.errors import TrainingError


@dataclass(frozen=True)
class Fit:
    """Course of a training."""

    history: dict[str, list[float]] = field(repr=False)
    """Losses and metrics by epoch, as Keras names them."""
    interrupted: bool
    """True if Ctrl-C ended it."""

    @classmethod
    def of(cls, history: Mapping[str, Sequence[Any]], interrupts: Sequence[int]) -> "Fit":
        """Return the course of a training that is over.

        Args:
            history: Losses and metrics by epoch.
            interrupts: See `stop_on_interrupt`.
        """
        return cls({name: [float(value) for value in values] for name, values in history.items()}, bool(interrupts))


def fit(model: Any, data: Any, callbacks: Iterable[Any] = (), **settings: Any) -> Fit:
    """Fit a compiled model until its epochs are over, a callback stops it, or Ctrl-C does.

    The first Ctrl-C ends the epoch after the step under way; the callbacks then see an ordinary end of training, so
    that `EarlyStopping` restores the best weights. The second one raises `KeyboardInterrupt` at once.

    Args:
        model: The compiled Keras model, without XLA.
        data: Training data, as `model.fit` takes it.
        callbacks: Keras callbacks.
        **settings: Further arguments of `model.fit`.

    Raises:
        TrainingError: If the loss is not finite at the end.
    """
    import keras

    from .fused_lstm import fused

    with stop_on_interrupt(model) as interrupts, fused(model):
        callbacks = [*callbacks, keras.callbacks.TerminateOnNaN()]
        history = model.fit(data, verbose=0, callbacks=callbacks, **settings).history
    check_finite(history["loss"][-1])
    return Fit.of(history, interrupts)


def check_finite(loss: float) -> None:
    """Refuse weights that a training has lost.

    Args:
        loss: Of the training rows.

    Raises:
        TrainingError: If it is not finite.
    """
    if not np.isfinite(loss):
        raise TrainingError("The loss is no longer finite. Lower --learning-rate.")


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
