"""Recurrent architectures: small, and built of layers that the int8 converter fuses."""

from dataclasses import dataclass
from typing import Any

from edgelstm.runtime.errors import TrainingError

from .linear_init import MOMENT

KINDS = ("forecaster", "autoencoder", "linear")
CELLS = ("lstm", "gru")
PER_ROW = 3  # channels from which an autoencoder squeezes rows instead of the whole window
WINDOW_CODE = 8  # numbers that a whole window of fewer channels is compressed into
CODE_SHARE = 0.6  # numbers a row is compressed into, as a share of its channels
INITIALIZERS = {"glorot": "glorot_uniform", "he": "he_normal", "orthogonal": "orthogonal"}


@dataclass(frozen=True)
class Architecture:
    """Shape of a network."""

    kind: str = "forecaster"
    """forecaster (of the next rows), autoencoder, or linear: a forecaster of the next row without recurrent layers."""
    cell: str = "lstm"
    """lstm (fused on the device) or gru (unrolled there, larger)."""
    units: tuple[int, ...] = (24,)
    """Units of the stacked layers; an autoencoder of rows decodes in mirrored order."""
    bidirectional: bool = False
    """Read each window in both directions (autoencoders: the window is complete when it is judged)."""
    dropout: float = 0.0
    """Share of inputs dropped between layers while training."""
    attention: bool = False
    """Dot-product attention over the encoder's sequence (Luong et al. 2015)."""
    linear: bool = True
    """A linear map of the whole window beside a forecaster's layers (LSTNet's highway, arXiv 1703.07015): it is solved
    for exactly, and the recurrent layers learn what it cannot."""
    streaming: bool = False
    """True if a forecaster has causal layers alone and learns a forecast at every row of long stretches, so that
    its one-row form (`edgelstm convert --streaming`) is used as it was trained."""
    initializer: str = "glorot"
    """glorot (Xavier), he or orthogonal, for the input kernels; recurrent kernels are orthogonal."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise TrainingError(f"A kind is one of {', '.join(KINDS)} here; received {self.kind!r}.")
        if self.cell not in CELLS:
            raise TrainingError(f"A cell is one of {', '.join(CELLS)}; received {self.cell!r}.")
        if not self.units or min(self.units) < 1:
            raise TrainingError(f"Units are positive counts such as 32,16; received {self.units}.")
        if self.initializer not in INITIALIZERS:
            raise TrainingError(f"An initializer is one of {', '.join(INITIALIZERS)}; received {self.initializer!r}.")
        if self.bidirectional and self.forecasts:
            raise TrainingError(
                "A bidirectional forecaster would see the future. Leave --bidirectional out, or give --kind autoencoder."
            )
        if self.streaming and (self.kind, self.cell, self.attention) != ("forecaster", "lstm", False):
            raise TrainingError(
                "Streaming is for forecasters of LSTM layers without attention: a window is not there in a stream. "
                "Give --kind forecaster, or leave --streaming out."
            )
        if not 0 <= self.dropout < 1:
            raise TrainingError(f"Dropout is a share in [0, 1); received {self.dropout}.")

    @property
    def forecasts(self) -> bool:
        """True if the model forecasts the rows after its window."""
        return self.kind != "autoencoder"


def build(architecture: Architecture, window: int, channels: int, horizon: int = 1, moment: int = 0) -> Any:
    """An untrained Keras model.

    Args:
        architecture: Its shape.
        window: Rows that go in, W.
        channels: Channels, F.
        horizon: Rows to forecast, H.
        moment: Numbers of the calendar behind the channels of each row, C.

    Returns:
        A model from (W, F + C) to (W, F), or to (H, F) for a forecaster.
    """
    import keras

    inputs = keras.Input((window, channels + moment), name="window")
    if architecture.kind == "autoencoder" and channels >= PER_ROW:
        return _row_autoencoder(architecture, inputs, channels)
    # in a stream each row is read once, with its calendar
    rows = inputs if architecture.streaming else sensors(inputs, channels)
    code = encode(architecture, rows)
    if architecture.kind == "forecaster":
        flat = keras.layers.Dense(horizon * channels, name="forecast")(code)
        if architecture.linear:
            rows = rows[:, -1] if architecture.streaming else keras.layers.Flatten(name="flat")(rows)
            linear = keras.layers.Dense(horizon * channels, name="linear")(rows)
            flat = keras.layers.Add(name="sum")([flat, linear])
        if not architecture.streaming:
            flat = with_moment(flat, inputs, channels)
        outputs = keras.layers.Reshape((horizon, channels), name="rows")(flat)
        return keras.Model(inputs, outputs, name="forecaster")
    # a recurrent decoder that starts from one constant vector is ill-conditioned: on NAB's machine temperature weights
    # rounded to 8 bits changed its output by 5.5 %, those of this linear one by 1.8 %
    compressed = keras.layers.Dense(WINDOW_CODE, name="code")(code)
    flat = keras.layers.Dense(window * channels, name="reconstruction")(compressed)
    outputs = keras.layers.Reshape((window, channels), name="rows")(flat)
    return keras.Model(inputs, outputs, name="autoencoder")


def sensors(inputs: Any, channels: int) -> Any:
    """Return the channels of symbolic rows, without the calendar behind them.

    Args:
        inputs: Shape (B, W, F + C).
        channels: Channels, F.
    """
    return inputs[:, :, :channels] if inputs.shape[-1] > channels else inputs


def with_moment(flat: Any, inputs: Any, channels: int) -> Any:
    """Return a forecast with a linear map of the newest row's calendar added; the forecast itself where there is none.

    Args:
        flat: Symbolic forecast, shape (B, H * F).
        inputs: Symbolic rows, shape (B, W, F + C).
        channels: Channels, F.
    """
    import keras

    if inputs.shape[-1] == channels:
        return flat
    moment = keras.layers.Dense(flat.shape[-1], name=MOMENT)(inputs[:, -1, channels:])
    return keras.layers.Add(name="usual")([flat, moment])


def build_learner(architecture: Architecture, channels: int, horizon: int, moment: int = 0) -> Any:
    """A streaming forecaster as it learns: a forecast at every row, (B, L, F + C) to (B, L, H * F) for stretches of any length.

    Its layers have the names and weights of `build`'s.

    Args:
        architecture: Shape of the network.
        channels: Channels, F.
        horizon: Rows to forecast, H.
        moment: Numbers of the calendar behind the channels of each row, C.
    """
    import keras

    inputs = keras.Input((None, channels + moment), name="window")
    hidden = _stack(architecture, inputs, every=True)
    flat = keras.layers.Dense(horizon * channels, name="forecast")(hidden)
    if architecture.linear:
        linear = keras.layers.Dense(horizon * channels, name="linear")(inputs)
        flat = keras.layers.Add(name="sum")([flat, linear])
    return keras.Model(inputs, flat, name="learner")


def _row_autoencoder(architecture: Architecture, inputs: Any, channels: int) -> Any:
    """An autoencoder that compresses every row into fewer numbers than it has channels, knowing the rows before it.

    What it learns is how channels belong together over time (flow, pressure and current; a temperature that lags): a
    relation that breaks cannot be compressed. Tried against one code for the whole window on the simulated pump: seven
    times faster to train, and 6 instead of 2 of 7 faults found.
    """
    import keras

    hidden = inputs
    for number, units in enumerate(architecture.units, 1):
        hidden = _layer(architecture, units, True, f"encoder_{number}")(hidden)
        if architecture.dropout:
            hidden = keras.layers.Dropout(architecture.dropout, name=f"dropout_{number}")(hidden)
    if architecture.attention:
        attended = keras.layers.Attention(name="attention")([hidden, hidden])
        hidden = keras.layers.Concatenate(name="context")([hidden, attended])
    hidden = keras.layers.Dense(round(CODE_SHARE * channels), name="code")(hidden)
    for number, units in enumerate(reversed(architecture.units), 1):
        hidden = _layer(architecture, units, True, f"decoder_{number}")(hidden)
    outputs = keras.layers.Dense(channels, name="reconstruction")(hidden)
    return keras.Model(inputs, outputs, name="autoencoder")


def encode(architecture: Architecture, inputs: Any) -> Any:
    """Return one vector for the whole window.

    Args:
        architecture: Its shape.
        inputs: Symbolic rows, (B, W, F).
    """
    import keras

    hidden = _stack(architecture, inputs, architecture.attention)
    if architecture.attention:
        attended = keras.layers.Attention(name="attention")([hidden, hidden])
        hidden = keras.layers.GlobalAveragePooling1D(name="context")(attended)
    return hidden


def _stack(architecture: Architecture, inputs: Any, every: bool) -> Any:
    """The recurrent layers, with a vector for `every` row or for the last one."""
    import keras

    hidden = inputs
    last = len(architecture.units)
    for number, units in enumerate(architecture.units, 1):
        hidden = _layer(architecture, units, number < last or every, f"encoder_{number}")(hidden)
        if architecture.dropout and number < last:
            hidden = keras.layers.Dropout(architecture.dropout, name=f"dropout_{number}")(hidden)
    return hidden


def _layer(architecture: Architecture, units: int, sequence: bool, name: str) -> Any:
    import keras

    make = keras.layers.LSTM if architecture.cell == "lstm" else keras.layers.GRU
    layer = make(
        units,
        return_sequences=sequence,
        kernel_initializer=INITIALIZERS[architecture.initializer],
        name=name,
    )
    return keras.layers.Bidirectional(layer, name=f"{name}_both") if architecture.bidirectional else layer
