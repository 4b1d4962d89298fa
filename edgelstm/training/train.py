"""Training: from a series to a Keras model with metadata for the converter and the device."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.calibration import fit_detector, newest_rows, promise_doubt
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.input.policies import longest_run
from edgelstm.runtime.model_file.detection_limits import SECTION
from edgelstm.runtime.model_file.metadata import CALENDAR, Channel, Metadata
from edgelstm.runtime.model_file.scaler import fit_scaler
from edgelstm.runtime.scoring.registry import style_of
from edgelstm.runtime.scoring.scorer import Scoring
from edgelstm.runtime.scoring.threshold_rules import unlabelled_rule

from ..data.outlier_rows import Contamination, leave_out, sentences
from ..data.series import Series
from ..data.split import split, usable
from ..evaluation.batched_predict import batched_predict
from ..keras_file import Representative
from ..tensorflow import load_tensorflow
from ..versions import tool_versions
from .architectures import PER_ROW
from .calendar import calendar_of, dated_parts, scaled
from .detection_limits import detection_limits
from .fitting import Fit
from .lookback import Lookback, choose_lookback
from .lookback_trials import train_best
from .options import BEST, Options
from .shared_trace import shared_predictor
from .trained import Trained
from .weights import fit_weights
from .witnesses import window_of, witness_style

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
VALIDATION = 0.15  # newest share of the rows, held back from the weights
LEAST_WINDOWS = 50  # training windows below which a network has nothing to learn from
EMBEDDED_ROWS, HELD_ROWS = 4096, 12_288  # of the early and the late rows, stored in the .keras file


def train(
    series: Series,
    options: Options | None = None,
    callbacks: Iterable[Any] = (),
    tell: Callable[[str], None] = lambda _: None,
    start: Sequence[Floats] = (),
) -> Trained:
    """Train an autoencoder or a forecaster on rows of normal operation.

    Args:
        series: The rows; the newest 15 % choose when to stop.
        options: Settings; None for the defaults.
        callbacks: Keras callbacks, such as a progress display; they are told of epochs, not of batches.
        tell: Called with a sentence for what the user should know before the training.
        start: Weights to begin with, see `fit_weights`.

    Raises:
        TrainingError: If there is too little data; raised before training starts.
    """
    options = options or Options()
    if options.lookback == BEST:
        trained = train_best(_trained, series, options, callbacks, tell)
    else:
        trained = _trained(series, options, callbacks, tell, start)
    return _with_limits(trained) if options.limits else trained


def _trained(
    series: Series,
    options: Options,
    callbacks: Iterable[Any],
    tell: Callable[[str], None],
    start: Sequence[Floats] = (),
) -> Trained:
    """Train a model of one look-back, without its detection limits."""
    rule = unlabelled_rule(options.threshold_rule)
    calendar = calendar_of(series, options)
    lookback = lookback_of(series, options)
    horizon = options.horizon if options.architecture.forecasts else 0
    reach = lookback.rows + horizon
    contamination = None
    if options.leave_out:
        series, contamination = leave_out(series, reach)
        for sentence in sentences(contamination, series):
            tell(sentence)
    early, late = split(dated_parts(series, calendar), VALIDATION, reach)
    _check_amount(early, late, reach, len(series.values))
    load_tensorflow()
    channels = len(series.channels)
    scaler = fit_scaler(np.concatenate(early)[:, :channels], options.scaler)
    scaled_early, scaled_late = ([scaled(scaler, part) for part in parts] for parts in (early, late))
    weights = fit_weights(options, lookback, scaled_early, scaled_late, callbacks, start, channels)
    scoring = _style(options, lookback.rows, channels)
    if weights.comparison:
        moment = calendar.size if calendar else 0
        if options.witnessed:
            scoring = witness_style(weights.comparison, options.architecture, lookback, channels, moment)
        if options.architecture.kind != "linear":
            tell(weights.comparison.sentence)
    metadata = Metadata(
        kind="forecaster" if horizon else "autoencoder",
        window=lookback.rows,
        horizon=horizon,
        channels=_channels(series),
        period=series.period,
        scaler=scaler,
        tools=tool_versions(),
        scoring=scoring,
        sections={
            "decision": {
                **_patience(options.architecture.kind, lookback.rows, channels),
                **options.decision,
            },
            "training": {
                **_record(options, lookback, weights.course, weights.batch, series, contamination),
                "witnesses": asdict(weights.comparison) if weights.comparison else None,
            },
            **({CALENDAR: calendar.record()} if calendar else {}),
            **series.sections,
        },
    )
    kept = [newest_rows(parts, rows) for parts, rows in ((scaled_early, EMBEDDED_ROWS), (scaled_late, HELD_ROWS))]
    normal = [part for side in kept for part in side]
    predictor = shared_predictor(weights.model)
    metadata = fit_detector(metadata, batched_predict(predictor, metadata, normal), normal, rule)
    if promise := promise_doubt(metadata):
        tell(promise)
    course = weights.course
    return Trained(weights.model, metadata, Representative(*map(tuple, kept)), course.history, course.interrupted)


def _with_limits(trained: Trained) -> Trained:
    """The model with its detection limits, where they can be measured."""
    assert trained.representative is not None
    metadata = trained.metadata
    limits = detection_limits(shared_predictor(trained.model), metadata, trained.representative.normal)
    if not limits:
        return trained
    return replace(trained, metadata=metadata.with_(sections={**metadata.sections, SECTION: limits}))


def _style(options: Options, window: int, channels: int) -> Scoring:
    """Score from errors: by the newest row where rows are compressed, by the newer half of a compressed window."""
    forecaster = options.architecture.forecasts
    method = options.score or ("ewma" if forecaster else "mean")
    rows = 1 if forecaster or channels >= PER_ROW else max(1, window // 2)
    return style_of(method, rows, options.smoothing)


def _patience(kind: str, window: int, channels: int) -> dict[str, int]:
    """De-bounce in samples, by the reach of a score.

    Where a whole window is compressed, a score moves with half a window of samples: an alarm is believed after a quarter of
    a window, and what returns within four windows is the same event. Elsewhere the runtime's defaults hold.
    """
    compressed = kind == "autoencoder" and channels < PER_ROW
    return {"minimum": max(1, window // 4), "cooldown": 4 * window} if compressed else {}


def lookback_of(series: Series, options: Options) -> Lookback:
    """Choose the look-back.

    Args:
        series: Rows of normal operation.
        options: Settings of the training.

    Raises:
        TrainingError: If there is no stretch of rows without a gap.
    """
    parts = usable(series.parts(), 8)
    if not parts:
        raise TrainingError(
            f"Training needs stretches of at least 8 complete rows; these {len(series.values)} rows hold none. "
            "Give more rows, or leave out columns full of holes with --columns."
        )
    chosen = choose_lookback(parts, options.architecture.forecasts and options.horizon == 1)
    if options.rows is not None and options.rows < 2:
        raise TrainingError(f"A look-back is at least 2 rows; received {options.rows}.")
    if options.apart:
        return window_of(chosen, max(map(len, parts)), options.rows)
    if options.rows is None:
        return chosen
    return Lookback(options.rows, "given", chosen.autocorrelation)


def _check_amount(early: list[Doubles], late: list[Doubles], reach: int, rows: int) -> None:
    windows = sum(len(part) - reach + 1 for part in early)
    if windows < LEAST_WINDOWS or not late:
        raise TrainingError(
            f"Training needs at least {LEAST_WINDOWS} windows of {reach} rows without a gap, and a later part to stop "
            f"by; these {rows} rows give {windows}. Give more rows, or a shorter --lookback."
        )


def _channels(series: Series) -> tuple[Channel, ...]:
    parts = series.parts()
    low = np.min([part.min(axis=0) for part in parts], axis=0)
    high = np.max([part.max(axis=0) for part in parts], axis=0)
    return tuple(
        Channel(
            name,
            series.unit_of(name),
            train_low=float(low[at]),
            train_high=float(high[at]),
            longest_run=max(longest_run(part[:, at]) for part in parts),
        )
        for at, name in enumerate(series.channels)
    )


def _record(
    options: Options,
    lookback: Lookback,
    course: Fit,
    batch: dict[str, Any],
    series: Series,
    contamination: Contamination | None,
) -> dict[str, Any]:
    record = asdict(options)
    record["architecture"]["units"] = list(options.architecture.units)
    return {
        "options": record,
        "lookback": {"rows": lookback.rows, "rule": lookback.rule, "autocorrelation": list(lookback.autocorrelation)},
        "batch": batch,
        "history": {name: [round(value, 6) for value in values] for name, values in course.history.items()},
        "interrupted": course.interrupted,
        "rows": len(series.values),
        "repairs": series.repairs.record(),
        "contamination": None if contamination is None else contamination.record(),
    }
