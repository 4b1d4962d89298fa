"""The steps of training a forecaster: from a series to a Keras model with metadata for the device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import Series
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.forecasting.calendar import DAY, YEAR
from edgelstm.runtime.forecasting.features import NORMALIZATIONS, SECTION, InputFeatures
from edgelstm.runtime.forecasting.spread import spread
from edgelstm.runtime.io.time_zones import find_zone
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler, fit_scaler
from edgelstm.tensorflow import load_tensorflow
from edgelstm.training.fitting import Fit, fit
from edgelstm.training.train import Trained
from edgelstm.versions import tool_versions

from .architecture import Network, build
from .data import Pairs, Rows, drawn, origins, pairs, thin
from .holidays import holidays_of
from .intervals import fit_intervals, hours_of
from .linear_path import Equations, best_alone
from .proof import Best, proven
from .representative_data import representative
from .spread import MOST as SPREAD
from .spread import with_spread

VALIDATION = 0.15  # newest share of the rows: chooses the epoch, the normalization and the intervals
MOST = 60_000  # origins times targets that are drawn from
PASSES = 12
DRAWN = 10_000  # of these, anew each epoch: neighbours resemble each other
JUDGED = 4_000  # validation examples
WORTH = 0.95  # of the error relative to the last value: what another normalization has to reach
PROBED = 6_000  # that choose the normalization
EMBEDDED, HELD = (
    256,
    768,
)  # examples stored to choose ranges on, and to validate and calibrate the converted model on
LEAST = 100  # origins below which there is nothing to learn from
DAY_PATCHES, LONGEST_DAY, OTHER_PATCHES = 7, 96, 8
PLENTY = 100  # examples by input from which the linear map is trained further: on ETTh1's OT, 50, that cost 0.4 % in validation
PREDICTED = 2048  # examples a batch


@dataclass(frozen=True)
class Options:
    """Settings of a training."""

    horizon: int
    """Rows to forecast, H."""
    targets: int = 1
    """The first channels are forecast, C."""
    known: int = 0
    """The next channels are also known for the hours to come."""
    calendar: bool = False
    """True if hour, weekday and season of the hours to come are inputs."""
    zone: str = ""
    """IANA time zone of the calendar; empty takes times as they are written."""
    holidays: str = ""
    """Country or region whose public holidays are inputs (US, DE-BY), or a file with a date a line; empty for none."""
    lookback: int | None = None
    """Rows looked back, W; None takes a week of days, or 8 patches."""
    normalize: str | None = None
    """last, window or none; None takes last, unless another is clearly better for a linear model."""
    network: Network = field(default_factory=Network)
    """Shape of the network."""
    scaler: str = "standard"
    """minmax, standard, robust or none."""
    epochs: int | None = None
    """Passes over 10,000 examples; None takes 12, and 24 where there are more than 60,000 to draw from. The learning rate
    falls to 0 along a cosine, the epoch with the least validation loss is kept."""
    batch_size: int = 128
    """Examples a step."""
    learning_rate: float = 3e-3
    """Start value of AdamW's."""
    seed: int = 0
    """Of weights and shuffling."""

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise TrainingError(f"A horizon is at least 1 row; received {self.horizon}.")
        if self.normalize not in (None, *NORMALIZATIONS):
            raise TrainingError(f"A normalization is one of {', '.join(NORMALIZATIONS)}; received {self.normalize!r}.")


def train_forecaster(
    series: Series, options: Options, callbacks: Iterable[Any] = (), validation_start: int | None = None
) -> Trained:
    """Train a forecaster.

    Args:
        series: Rows, the channels in this order: targets, known ones, others.
        options: Settings.
        callbacks: Keras callbacks, such as a progress display.
        validation_start: First row that the weights do not see; None holds the newest 15 % back.

    Raises:
        TrainingError: If there is too little data, or a calendar without times.
    """
    window, patch = layout(series, options)
    cut = int((1 - VALIDATION) * len(series.values)) if validation_start is None else validation_start
    early, late = _parted(series, window, options.horizon, cut)
    scaler = fit_scaler(
        np.concatenate([series.values[first : min(last, cut)] for first, last in series.segments if first < cut]),
        options.scaler,
    )
    yearly = options.calendar and float(np.ptp(series.time[:cut])) >= 2 * YEAR
    features = InputFeatures(
        patch,
        options.targets,
        options.known,
        options.calendar,
        yearly,
        options.zone,
        normalize=options.normalize or "last",
    )
    if options.holidays:
        features = replace(features, holidays=holidays_of(series, options.holidays, patch if options.calendar else 0))
    options = replace(options, epochs=options.epochs or passes(len(early) * options.targets))
    early = thin(early, MOST // options.targets)
    if options.normalize is None:
        features = replace(
            features, normalize=_normalization(series, scaler, features, window, options.horizon, early, late)
        )
    learn = pairs(series, scaler, features, window, options.horizon, early)
    judge = pairs(series, scaler, features, window, options.horizon, thin(late, JUDGED // options.targets))
    reach = (int(np.ptp(late)) + 1, max(options.horizon, patch))
    model, course = _fit(options, learn, judge, reach, callbacks)
    answers, few = predict(model, judge), learn.take(thin(np.arange(len(learn)), SPREAD))
    features = with_spread(features, few, predict(model, few), judge, answers)
    residuals = (judge.answers - answers) / spread(features, judge.inputs, answers)
    fitted = fit_intervals(residuals, options.targets, hours_of(judge.clock, options.horizon, series.period))
    metadata = Metadata(
        kind="forecaster",
        window=window,
        horizon=options.horizon,
        channels=_channels(series, cut),
        period=series.period,
        scaler=scaler,
        tools=tool_versions(),
        sections={
            SECTION: replace(features, **fitted).record(),
            "training": _record(options, window, course, series),
            **series.sections,
        },
    )
    return Trained(model, metadata, representative(learn, judge, options.targets), course.history, course.interrupted)


def passes(examples: int) -> int:
    """Passes for so many examples; Dayton's 85,000 gave a validation MAE of 0.2084 after 12 passes and 0.2010 after 24."""
    return PASSES if examples <= MOST else 2 * PASSES


def layout(series: Series, options: Options) -> tuple[int, int]:
    """Choose the rows looked back and the rows a patch: whole days where rows have times and a day has at most 96 of them.

    Args:
        series: The rows.
        options: Look-back, horizon and calendar.

    Raises:
        TrainingError: If the calendar is asked for and there are no times.
    """
    if options.calendar and series.period is None:
        raise TrainingError("A calendar needs a time column. Name it with --time-column, or leave --calendar out.")
    find_zone(options.zone or "UTC")
    day = DAY / series.period if series.period else 0.0
    patch = int(day) if day == int(day) and 2 <= day <= LONGEST_DAY else 0
    wanted = options.lookback
    if wanted is None:
        patch = patch or max(1, options.horizon // 2)
        return (DAY_PATCHES if day == patch else OTHER_PATCHES) * patch, patch
    if wanted < 2:
        raise TrainingError(f"A look-back is at least 2 rows; received {wanted}.")
    if not patch or wanted % patch:
        patch = max(part for part in range(1, max(1, wanted // 4) + 1) if wanted % part == 0)
    return wanted, patch


def _parted(series: Series, window: int, horizon: int, cut: int) -> tuple[Rows, Rows]:
    """Origins whose answers lie before the cut, and those whose answers lie after it."""
    every = origins(series, window, horizon)
    early, late = every[every + horizon <= cut], every[every >= cut]
    if len(early) < LEAST or not len(late):
        raise TrainingError(
            f"Training needs at least {LEAST} stretches of {window} + {horizon} rows without a gap, and later ones to "
            f"stop by; these {len(series.values)} rows give {len(early)} and {len(late)}. "
            "Give more rows, or a shorter --lookback or --horizon."
        )
    return early, late


def _normalization(
    series: Series, scaler: Scaler, features: InputFeatures, window: int, horizon: int, early: Rows, late: Rows
) -> str:
    """`last`, which survives drift, unless a linear model forecasts the validation rows clearly better with another."""

    def error(kind: str) -> float:
        made = replace(features, normalize=kind)
        learn, judge = (
            pairs(series, scaler, made, window, horizon, thin(rows, PROBED // features.targets))
            for rows in (early, late)
        )
        return Equations.of(learn.history, learn.context, learn.answers).solve().error(judge)

    errors = {kind: error(kind) for kind in NORMALIZATIONS}
    best = min(errors, key=lambda kind: errors[kind])
    return best if errors[best] < WORTH * errors["last"] else "last"


def _fit(
    options: Options, learn: Pairs, judge: Pairs, reach: tuple[int, int], callbacks: Iterable[Any]
) -> tuple[Any, Fit]:
    """Train on absolute errors in scaled units; keep the best epoch, or the linear map of past and context where it is as good.

    Where examples are plenty, training starts from the map of the past alone and learns the context's beside the LSTM: from
    the joint solution on Victoria's demand ended with 2 % more validation error, and in large weights of opposite sign,
    which 8 bits blur.
    """
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(options.seed)
    patches, patch = learn.history.shape[1:]
    model = build(options.network, patches, patch, learn.context.shape[1], learn.answers.shape[1])
    plenty = len(learn) >= PLENTY * patches * patch
    steps, epochs = -(-min(len(learn), DRAWN) // options.batch_size), options.epochs or PASSES
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps * epochs)
    equations = Equations.of(learn.history, learn.context, learn.answers)
    linear = best_alone(equations, judge)
    linear.set(model, trainable=plenty)
    alone = Best(linear.error(judge), model.get_weights())
    if plenty:
        equations.solve(with_context=False).set(model, trainable=True)
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
    kept = {"kept_val_loss": [float(best.loss)], "linear_val_loss": [float(alone.loss)]}
    return model, replace(course, history=course.history | kept)


def _better(model: Any, judge: Pairs, alone: Best, best: Best, reach: tuple[int, int]) -> bool:
    """Tell whether the trained weights are better than the linear map beyond chance."""
    errors = []
    for one in (alone, best):
        model.set_weights(one.weights)
        errors.append((np.abs(predict(model, judge) - judge.answers) * judge.unit).mean(axis=1))
    return proven(errors[0], errors[1], *reach)


def predict(model: Any, examples: Pairs) -> npt.NDArray[np.float32]:
    """Predict with a Keras model, shape (N * C, H).

    Args:
        model: The Keras model.
        examples: Inputs of N origins and C targets.
    """
    return np.asarray(model.predict(examples.inputs, batch_size=PREDICTED, verbose=0))


def _channels(series: Series, cut: int) -> tuple[Channel, ...]:
    seen = series.values[:cut]
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    pairs_of = zip(series.channels, low, high, strict=True)
    return tuple(
        Channel(name, series.unit_of(name), train_low=float(least), train_high=float(most))
        for name, least, most in pairs_of
    )


def _record(options: Options, window: int, course: Fit, series: Series) -> dict[str, Any]:
    rule = "given" if options.lookback else "a week of days, or 8 patches"
    return {
        "options": asdict(options),
        "lookback": {"rows": window, "rule": rule, "autocorrelation": []},
        "history": {name: [round(value, 6) for value in values] for name, values in course.history.items()},
        "interrupted": course.interrupted,
        "rows": len(series.values),
        "repairs": series.repairs.record(),
    }
