"""Two forecasts of the next row in one model: a linear one, solved for exactly, and a recurrent one that learns apart.

Beside a solved linear path a recurrent layer finds nothing left to learn. Alone it learns what normal operation looks like
over a longer past, and its errors speak of other faults than the linear ones do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgelstm.runtime.scoring.registry import style_of
from edgelstm.runtime.scoring.scorer import Scoring

from .architectures import Architecture, encode, sensors, with_moment
from .linear_init import MOMENT, solve_linear
from .lookback import Lookback

if TYPE_CHECKING:
    from .batches import Batches

WITNESSES = 2
HEADS = ("linear", "forecast", MOMENT)  # layers that give both rows of the output
ROWS = 32  # that the recurrent forecast reads, where there are enough
PATCH = 4  # rows that a recurrent layer reads a step: a quarter of the time on the device
NOISE = 0.1  # deviation, scaled units, of what is added to the inputs while training
TRUSTED = 1.05  # times the linear forecast's error on held-back rows, up to which the recurrent one is listened to


@dataclass(frozen=True)
class Comparison:
    """Errors of both forecasts on held-back rows of normal operation."""

    linear: float
    """Root mean square of the linear forecast's error, scaled units."""
    recurrent: float
    """The same of the recurrent one."""

    @property
    def trusted(self) -> int:
        """Row of the output whose errors the control chart watches: 1, the recurrent forecast, where it generalises."""
        return int(self.recurrent <= TRUSTED * self.linear)

    @property
    def sentence(self) -> str:
        """Outcome in words."""
        errors = f"error on held-back rows: linear {self.linear:.3f}, recurrent {self.recurrent:.3f}"
        if self.trusted:
            return f"{errors}; both are listened to"
        return (
            f"{errors}, more than {TRUSTED:g} times as much: only the linear one is listened to. "
            "--kind linear writes it alone, as a smaller model"
        )


def window_of(chosen: Lookback, rows: int, lookback: int | None) -> Lookback:
    """Return the look-back of a model with both forecasts, in whole patches.

    Args:
        chosen: Look-back of the linear forecast.
        rows: Rows of the longest stretch; an eighth of them at most is looked back at.
        lookback: Rows that the user asks for, W; None for 32, or the linear forecast's where that is longer.
    """
    if lookback is not None:
        return replace(chosen, rows=lookback, rule="given", order=min(chosen.rows, lookback))
    window = -(-max(chosen.rows, min(ROWS, rows // 8)) // PATCH) * PATCH
    return replace(chosen, rows=window, rule=f"{chosen.rule}; {window} for the recurrent one", order=chosen.rows)


def build_recurrent(architecture: Architecture, window: int, channels: int, moment: int = 0) -> Any:
    """Build the recurrent forecaster as it learns, (W, F + C) to (1, F).

    Args:
        architecture: Its shape.
        window: Rows that go in, W.
        channels: Channels, F.
        moment: Numbers of the calendar behind the channels of each row, C.
    """
    import keras

    inputs = keras.Input((window, channels + moment), name="window")
    hidden = keras.layers.GaussianNoise(NOISE, name="noise")(sensors(inputs, channels))
    flat = keras.layers.Dense(channels, name="forecast")(_encoded(architecture, hidden, window, channels))
    flat = with_moment(flat, inputs, channels)
    return keras.Model(inputs, keras.layers.Reshape((1, channels), name="rows")(flat), name="recurrent")


def build_witnesses(architecture: Architecture, window: int, order: int, channels: int, moment: int = 0) -> Any:
    """Build the model with both forecasts, (W, F + C) to (2, F): the linear one in row 0, the recurrent one in row 1.

    Each fills its own row and leaves the other's at 0, so that their sum is both: a graph that the converter knows.

    Args:
        architecture: Shape of the recurrent layers; of kind linear there are none, and the output is (1, F).
        window: Rows that go in, W.
        order: Newest rows that the linear forecast reads.
        channels: Channels, F.
        moment: Numbers of the calendar behind the channels of each row, C.
    """
    import keras

    rows = 1 if architecture.kind == "linear" else WITNESSES
    inputs = keras.Input((window, channels + moment), name="window")
    readings = sensors(inputs, channels)
    near = readings if order == window else readings[:, window - order :]
    flat = keras.layers.Dense(rows * channels, name="linear")(keras.layers.Flatten(name="flat")(near))
    if rows > 1:
        code = _encoded(architecture, readings, window, channels)
        recurrent = keras.layers.Dense(rows * channels, name="forecast")(code)
        flat = keras.layers.Add(name="sum")([recurrent, flat])
    flat = with_moment(flat, inputs, channels)
    return keras.Model(inputs, keras.layers.Reshape((rows, channels), name="rows")(flat), name="forecaster")


def _encoded(architecture: Architecture, hidden: Any, window: int, channels: int) -> Any:
    import keras

    patch = next(rows for rows in (PATCH, 2, 1) if window % rows == 0)
    if patch > 1:
        hidden = keras.layers.Reshape((window // patch, patch * channels), name="patches")(hidden)
    return encode(architecture, hidden)


def join(architecture: Architecture, recurrent: Any, order: int, batches: Batches, channels: int) -> Any:
    """Return the model with both forecasts.

    Args:
        architecture: Its shape.
        recurrent: The trained recurrent forecaster; of kind linear any model of the same input.
        order: Newest rows that the linear forecast reads.
        batches: Training windows, which the linear forecast is solved on.
        channels: Channels, F.
    """
    window, width = recurrent.input_shape[1:]
    model = build_witnesses(architecture, window, order, channels, width - channels)
    kernel, bias = solve_linear(batches, order)
    linear = {"linear": [kernel[: order * channels], bias]}
    if width > channels:
        linear[MOMENT] = [kernel[order * channels :], 0 * bias]
    if architecture.kind == "linear":
        for name, weights in linear.items():
            model.get_layer(name).set_weights(weights)
        return model
    for layer in model.layers:
        if layer.weights:
            first = linear.get(layer.name)
            second = None if layer.name == "linear" else recurrent.get_layer(layer.name).get_weights()
            layer.set_weights(_side_by_side(first, second) if layer.name in HEADS else second)
    return model


def _side_by_side(first: Any, second: Any) -> list[Any]:
    """Return kernel and bias of a layer that gives both forecasts; a forecast that has no part in it gets zeros."""
    some = first or second
    return [
        np.hstack([zeros if part is None else part[at] for part in (first, second)])
        for at, zeros in enumerate(0 * weights for weights in some)
    ]


def compare(model: Any, held: Batches) -> Comparison:
    """Compare both forecasts on held-back windows.

    Args:
        model: The model with both.
        held: Held-back windows with their targets.
    """
    squares = [
        (model.predict_on_batch(windows) - targets) ** 2 for windows, targets in (held[i] for i in range(len(held)))
    ]
    errors = np.sqrt(np.concatenate(squares).mean(axis=(0, 2)))
    return Comparison(float(errors[0]), float(errors[-1]))


def witness_style(
    comparison: Comparison, architecture: Architecture, lookback: Lookback, channels: int, moment: int = 0
) -> Scoring:
    """Return the style of the score of such a model.

    Args:
        comparison: Says which forecast the control chart watches.
        architecture: Its shape.
        lookback: Rows that the recurrent and the linear forecast read.
        channels: Channels, F.
        moment: Numbers of the calendar that each forecast reads, too, C.
    """
    alone = architecture.kind == "linear"
    trusted = 0 if alone else comparison.trusted
    rows = (lookback.order, lookback.rows if trusted else lookback.order)
    reads = (rows[0] * channels + moment, rows[1] * channels + moment)
    return replace(style_of("witnesses"), witnesses=1 if alone else WITNESSES, trusted=trusted, reads=reads)
