"""The forecasting network: a linear map of the past, and an LSTM over its patches that learns what that map cannot."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import TrainingError

Array = npt.NDArray[Any]
BRIEF = 16  # numbers of the context that each step of the LSTM is told
BLOCK = 4096  # examples whose normal equations are summed up at a time
RIDGE = 5e-3  # penalty as a share of the inputs' mean sum of squares: large weights of opposite sign cannot be rounded to 8 bits


@dataclass(frozen=True)
class Network:
    """Shape of a forecaster."""

    units: int = 64
    """Units of the LSTM, and of the layer that joins it with the context."""
    dropout: float = 0.1
    """Share of values dropped before and after that layer while training."""

    def __post_init__(self) -> None:
        if self.units < 1:
            raise TrainingError(f"A forecaster's LSTM has at least 1 unit; received {self.units}.")
        if not 0 <= self.dropout < 1:
            raise TrainingError(f"Dropout is a share in [0, 1); received {self.dropout}.")


def build(network: Network, patches: int, patch: int, context: int, horizon: int) -> Any:
    """An untrained Keras model.

    Args:
        network: Its shape.
        patches: Patches that go in, n: as many steps the LSTM has.
        patch: Rows a patch, P.
        context: Numbers in a context, K.
        horizon: Rows to forecast, H.

    Returns:
        A model from histories (n, P) and contexts (K,) to (H,). Its recurrent part begins silent: before the first
        step it is the linear map alone (LSTNet's highway, arXiv 1703.07015).
    """
    import keras

    history = keras.Input((patches, patch), name="history")
    known = keras.Input((context,), name="context")
    linear = keras.layers.Dense(horizon, name="linear")(keras.layers.Flatten(name="flat")(history))
    brief = keras.layers.Dense(BRIEF, activation="tanh", name="brief")(known)
    told = keras.layers.RepeatVector(patches, name="told")(brief)
    steps = keras.layers.Concatenate(name="steps")([history, told])
    hidden = keras.layers.LSTM(network.units, name="encoder")(steps)
    hidden = keras.layers.Concatenate(name="joined")([hidden, known])
    hidden = keras.layers.Dropout(network.dropout, name="dropout_1")(hidden)
    hidden = keras.layers.Dense(network.units, activation="relu", name="decoder")(hidden)
    hidden = keras.layers.Dropout(network.dropout, name="dropout_2")(hidden)
    beside = keras.layers.Dense(horizon, kernel_initializer="zeros", name="beside")(hidden)
    outputs = keras.layers.Add(name="forecast")([linear, beside])
    return keras.Model([history, known], outputs, name="forecaster")


def solve_linear(history: Array, answers: Array) -> tuple[Array, Array]:
    """Ridge regression of answers on histories.

    Args:
        history: Shape (N, n, P).
        answers: Shape (N, H).

    Returns:
        Kernel (n * P, H) and bias (H,).
    """
    gram: Any = 0.0
    moment: Any = 0.0
    for start in range(0, len(history), BLOCK):
        flat = history[start : start + BLOCK].reshape(len(history[start : start + BLOCK]), -1).astype(np.float64)
        inputs = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
        gram = gram + inputs.T @ inputs
        moment = moment + inputs.T @ answers[start : start + BLOCK]
    penalty = np.full(len(gram), max(RIDGE * float(np.diag(gram)[:-1].mean()), 1e-9))
    penalty[-1] = 1e-9
    solved = np.linalg.solve(gram + np.diag(penalty), moment).astype(np.float32)
    return solved[:-1], solved[-1]
