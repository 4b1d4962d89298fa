"""The forecasting network: a linear map of past and context, and an LSTM over the past that learns what that map cannot."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import TrainingError

from .data import Pairs

Array = npt.NDArray[Any]
BRIEF = 16  # numbers of the context that each step of the LSTM is told
BLOCK = 4096  # examples whose normal equations are summed up at a time
RIDGE = 5e-3  # penalty as a share of the inputs' mean sum of squares: large weights of opposite sign cannot be rounded to 8 bits


@dataclass(frozen=True)
class Network:
    """Shape of a forecaster."""

    units: int = 44
    """Units of the LSTM, and of the layer that joins it with the context: as many as 48 half-hours ahead from a week fit into 64 KB."""
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
        step it is the linear map alone, of all lags of the past (a week of days), the calendar and the covariates (LSTNet's
        highway, arXiv 1703.07015). Past and context have a map each: their 8-bit scales differ.
    """
    import keras

    history = keras.Input((patches, patch), name="history")
    known = keras.Input((context,), name="context")
    linear = keras.layers.Dense(horizon, name="linear")(keras.layers.Flatten(name="flat")(history))
    season = keras.layers.Dense(horizon, use_bias=False, kernel_initializer="zeros", name="season")(known)
    brief = keras.layers.Dense(BRIEF, activation="tanh", name="brief")(known)
    told = keras.layers.RepeatVector(patches, name="told")(brief)
    steps = keras.layers.Concatenate(name="steps")([history, told])
    hidden = keras.layers.LSTM(network.units, name="encoder")(steps)
    hidden = keras.layers.Concatenate(name="joined")([hidden, known])
    hidden = keras.layers.Dropout(network.dropout, name="dropout_1")(hidden)
    hidden = keras.layers.Dense(network.units, activation="relu", name="decoder")(hidden)
    hidden = keras.layers.Dropout(network.dropout, name="dropout_2")(hidden)
    beside = keras.layers.Dense(horizon, kernel_initializer="zeros", name="beside")(hidden)
    outputs = keras.layers.Add(name="forecast")([linear, season, beside])
    return keras.Model([history, known], outputs, name="forecaster")


def solve_linear(history: Array, context: Array, answers: Array) -> tuple[Array, Array, Array]:
    """Ridge regression of answers on histories and contexts; each of the two is penalized by its own size.

    Args:
        history: Shape (N, n, P).
        context: Shape (N, K); no columns to leave it out.
        answers: Shape (N, H).

    Returns:
        Kernel of the history (n * P, H), kernel of the context (K, H), and bias (H,).
    """
    gram: Any = 0.0
    moment: Any = 0.0
    for start in range(0, len(history), BLOCK):
        part = slice(start, start + BLOCK)
        flat = history[part].reshape(len(history[part]), -1)
        inputs = np.concatenate([flat, context[part], np.ones((len(flat), 1))], axis=1).astype(np.float64)
        gram = gram + inputs.T @ inputs
        moment = moment + inputs.T @ answers[part]
    lags, sizes = history[0].size, np.diag(gram)
    means = [sizes[:lags].mean(), sizes[lags:-1].mean() if context.shape[1] else 0.0]
    penalty = np.maximum(RIDGE * np.repeat(means, [lags, context.shape[1]]), 1e-9)
    solved = np.linalg.solve(gram + np.diag([*penalty, 1e-9]), moment).astype(np.float32)
    return solved[:lags], solved[lags:-1], solved[-1]


def set_linear(model: Any, learn: Pairs, *, with_context: bool, trainable: bool) -> None:
    """Set a network's linear map to the regression on its examples.

    Args:
        model: The network.
        learn: The examples.
        with_context: Whether the context is part of it, or has no weight yet.
        trainable: Whether training may go on from there.
    """
    context = learn.context if with_context else learn.context[:, :0]
    kernel, season, bias = solve_linear(learn.history, context, learn.answers)
    season = season if with_context else np.zeros((learn.context.shape[1], len(bias)), np.float32)
    for name, weights in (("linear", [kernel, bias]), ("season", [season])):
        layer = model.get_layer(name)
        layer.set_weights(weights)
        layer.trainable = trainable
