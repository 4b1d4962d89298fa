"""The forecasting network: a linear map of past and context, and an LSTM over the past that learns what that map cannot."""

from dataclasses import dataclass
from typing import Any

from edgelstm.runtime.errors import TrainingError

BRIEF = 16  # numbers of the context that each step of the LSTM is told


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
