"""Training of a forecaster's network, from the linear map or from another forecaster's weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.tensorflow import load_tensorflow
from edgelstm.training.fitting import Fit, fit

from .architecture import build
from .data import Pairs, drawn
from .linear_path import Equations, best_alone
from .options import PASSES, Options
from .proof import Best, proven

DRAWN = 10_000  # of the examples, anew each epoch: neighbours resemble each other
PLENTY = 100  # examples by input from which the linear map is trained further: on ETTh1's OT, 50, that cost 0.4 % in validation
SLOWER = 3.0  # times smaller steps from another forecaster's weights, as in fleets of detectors
PREDICTED = 2048  # examples a batch


def fit_network(
    options: Options,
    learn: Pairs,
    judge: Pairs,
    reach: tuple[int, int],
    callbacks: Iterable[Any],
    weights: Sequence[npt.NDArray[Any]] = (),
    week: int = 0,
) -> tuple[Any, Fit]:
    """Train on absolute errors in scaled units; keep the best epoch, or the weights that it has to beat where they are as good.

    These are the linear map of past and context, or another forecaster's as they are, whichever forecasts the validation rows better.

    Args:
        options: Settings.
        learn: Examples that the weights learn from.
        judge: Validation examples.
        reach: Rows that these span, and those of a horizon, or of a patch where that is longer.
        callbacks: Keras callbacks.
        weights: Those of another forecaster, from which training goes on in smaller steps.
        week: Rows a week where the history is short, see `best_alone`; else 0.

    Returns:
        The Keras model and the course of its training.
    """
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(options.seed)
    patches, patch = learn.history.shape[1:]
    model = build(options.network, patches, patch, learn.context.shape[1], learn.answers.shape[1])
    steps, epochs = -(-min(len(learn), DRAWN) // options.batch_size), options.epochs or PASSES
    begin = options.learning_rate / (SLOWER if weights else 1.0)
    rate = keras.optimizers.schedules.CosineDecay(begin, steps * epochs)
    alone, linear = _begin(model, learn, judge, weights, week)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3, clipnorm=1.0), "mae", jit_compile=False)
    best = Best(np.inf, alone.weights)
    course = fit(
        model,
        drawn(learn, options.batch_size, options.seed),
        steps_per_epoch=steps,
        epochs=epochs,
        validation_data=(judge.inputs, judge.answers, judge.unit[:, 0]),
        validation_batch_size=PREDICTED,
        shuffle=False,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: best.see(model, logs)), *callbacks],
    )
    best = best if _better(model, judge, alone, best, reach) else alone
    model.set_weights(best.weights)
    kept = {"kept_val_loss": [float(best.loss)], "linear_val_loss": [float(linear)]}
    return model, replace(course, history=course.history | kept)


def _begin(
    model: Any, learn: Pairs, judge: Pairs, weights: Sequence[npt.NDArray[Any]], week: int
) -> tuple[Best, float]:
    """Set a network to where its training begins; return what it has to beat, and the error of the linear map.

    Where examples are plenty, training starts from the map of the past alone and learns the context's beside the LSTM: from
    the joint solution on Victoria's demand ended with 2 % more validation error, and in large weights of opposite sign,
    which 8 bits blur.
    """
    patches, patch = learn.history.shape[1:]
    plenty = len(learn) >= PLENTY * patches * patch
    equations = Equations.of(learn.history, learn.context, learn.answers)
    linear = best_alone(equations, judge, week)
    linear.set(model, trainable=plenty)
    alone = Best(linear.error(judge), model.get_weights())
    if weights:
        model.set_weights(weights)
        before = Best(float(_errors(model, judge).mean()), model.get_weights())
        return min(alone, before, key=lambda one: one.loss), alone.loss
    if plenty:
        equations.solve(with_context=False).set(model, trainable=True)
    return alone, alone.loss


def _better(model: Any, judge: Pairs, alone: Best, best: Best, reach: tuple[int, int]) -> bool:
    """Tell whether the trained weights are better than those they have to beat, beyond chance."""
    errors = []
    for one in (alone, best):
        model.set_weights(one.weights)
        errors.append(_errors(model, judge))
    return proven(errors[0], errors[1], *reach)


def _errors(model: Any, judge: Pairs) -> npt.NDArray[Any]:
    """Mean absolute error of each example, scaled units, shape (N * C,)."""
    return np.asarray((np.abs(predict(model, judge) - judge.answers) * judge.unit).mean(axis=1))


def predict(model: Any, examples: Pairs) -> npt.NDArray[np.float32]:
    """Predict with a Keras model, shape (N * C, H).

    Args:
        model: The Keras model.
        examples: Inputs of N origins and C targets.
    """
    return np.asarray(model.predict(examples.inputs, batch_size=PREDICTED, verbose=0))
