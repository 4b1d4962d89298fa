"""Fit of a detector's weights: recurrent layers by gradient steps, linear forecasts in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .architectures import build, build_learner
from .fitting import Fit
from .lookback import Lookback
from .options import Options
from .shared_trace import shared_learner, shared_predictor
from .witnesses import Comparison, build_recurrent, compare, join

Floats = npt.NDArray[np.float32]
MOST_WINDOWS = 20_000  # windows an epoch; of a longer series each epoch draws others
STEPS = 40  # batches an epoch that an automatic batch size aims at


@dataclass(frozen=True)
class Weights:
    """A fitted model."""

    model: Any
    """The Keras model."""
    course: Fit
    """Course of the training."""
    batch: dict[str, Any]
    """Batch size, and the rule that it came from."""
    comparison: Comparison | None = None
    """Errors of both forecasts of a model that holds two; None for other models."""
    learned: tuple[Floats, ...] = ()
    """Weights that gradient steps found, as `fit_weights` takes them for a start; none of streaming models."""


def fit_weights(
    options: Options,
    lookback: Lookback,
    early: list[Floats],
    late: list[Floats],
    callbacks: Iterable[Any],
    start: Sequence[Floats] = (),
    channels: int | None = None,
) -> Weights:
    """Fit the weights.

    Args:
        options: Shape of the network and course of the training.
        lookback: Rows that the forecasts or the autoencoder read.
        early: Scaled rows to learn from, each (T_i, F), or wider with a calendar.
        late: Scaled rows that say when to stop, alike.
        callbacks: Keras callbacks.
        start: Weights to begin with, those that a model of the same shape learned; none for random ones.
        channels: Channels, F, the first of a row; None for all of it.
    """
    import keras

    keras.utils.set_random_seed(options.seed)
    channels = channels or early[0].shape[1]
    moment = early[0].shape[1] - channels
    if options.architecture.streaming:
        return _fit_streaming(options, lookback.rows, early, late, callbacks, channels)
    from .batches import LARGEST, Batches
    from .linear_init import set_linear, solve_moment

    architecture, window = options.architecture, lookback.rows
    horizon = options.horizon if architecture.forecasts else 0
    training = Batches(early, window, horizon, options.batch_size, options.seed, MOST_WINDOWS, STEPS, channels=channels)
    validation = Batches(
        late, window, horizon, max(training.batch_size, LARGEST), None, MOST_WINDOWS // 4, STEPS, channels=channels
    )
    batch = {"size": training.batch_size, "rule": "given" if options.batch_size else training.rule}
    if options.apart:
        recurrent = build_recurrent(architecture, window, channels, moment)
        if moment:
            recurrent.get_layer("calendar").set_weights(solve_moment(training))
        recurrent = _begun(recurrent, start)
        course = None if architecture.kind == "linear" else _learn(options, recurrent, training, validation, callbacks)
        model = join(architecture, recurrent, lookback.order, training, channels)
        comparison = compare(shared_predictor(model), validation)
        return Weights(model, course or _solved(comparison), batch, comparison, tuple(recurrent.get_weights()))
    model = _begun(build(architecture, window, channels, options.horizon, moment), start)
    if horizon and architecture.linear:
        set_linear(model, training)
    course = _learn(options, model, training, validation, callbacks)
    return Weights(model, course, batch, learned=tuple(model.get_weights()))


def _begun(model: Any, start: Sequence[Floats]) -> Any:
    if start:
        model.set_weights(list(start))
    return model


def _fit_streaming(
    options: Options, window: int, early: list[Floats], late: list[Floats], callbacks: Iterable[Any], channels: int
) -> Weights:
    """Fit a forecaster on long stretches, with a target at every row."""
    from .batches import stretches
    from .linear_init import set_linear

    architecture, horizon, moment = options.architecture, options.horizon, early[0].shape[1] - channels
    learner = build_learner(architecture, channels, horizon, moment)
    training, validation = (
        stretches(parts, window, horizon, options.batch_size, seed, channels)
        for parts, seed in ((early, options.seed), (late, None))
    )
    if architecture.linear:
        set_linear(learner, training)
    course = _learn(options, learner, training, validation, callbacks)
    model = build(architecture, window, channels, horizon, moment)
    for layer in learner.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    return Weights(
        model, course, {"size": training.batch_size, "rule": "given" if options.batch_size else training.rule}
    )


def _learn(options: Options, model: Any, training: Any, validation: Any, callbacks: Iterable[Any]) -> Fit:
    """Fit a model's weights until the validation loss no longer falls."""
    import keras

    from .epochs import fit_windows

    clip = {"clipvalue": options.clipvalue} if options.clipvalue else {"clipnorm": options.clipnorm}
    optimizer = {"learning_rate": options.learning_rate, **clip}
    learner = shared_learner(model, optimizer, training.layout, validation.layout)
    stop = keras.callbacks.EarlyStopping(patience=options.patience, restore_best_weights=True)
    slower = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=max(1, options.patience // 3), min_lr=1e-5)
    course = fit_windows(learner, training, validation, options.epochs, [stop, slower, *callbacks])
    model.set_weights(learner.model.get_weights())
    return course


def _solved(comparison: Comparison) -> Fit:
    """Return the course of a training that was one pass."""
    return Fit({"loss": [comparison.linear**2], "val_loss": [comparison.linear**2]}, False)
