"""Contents of the plots, made small: thinned curves and example windows."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.data.series import Series
from edgelstm.evaluation.replaying import Replay
from edgelstm.runtime.input.calendar import scaled_inputs
from edgelstm.runtime.model_file.metadata import Metadata

from .judge_outputs import Windows
from .plot_schema import Curve, Example, Scores, Span

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]
Predict = Callable[[tuple[Array, ...]], Array]
POINTS = 900  # stretches a curve is thinned to, two points each: finer than a page shows
CHANNELS = 6  # shown of an example


def thin(values: Doubles, columns: int = POINTS) -> Curve:
    """Thin a curve; each stretch keeps its smallest and largest value, so that a spike stays visible.

    Args:
        values: Shape (T,), NaN where there is none.
        columns: Number of stretches.

    >>> thin(np.arange(10.0), columns=2)
    Curve(x=(0.0, 4.0, 5.0, 9.0), y=(0.0, 4.0, 5.0, 9.0))
    """
    keep: list[int] = []
    edges = np.unique(np.linspace(0, len(values), min(columns, len(values)) + 1).astype(int))
    for start, stop in itertools.pairwise(edges.tolist()):
        known = np.flatnonzero(np.isfinite(values[start:stop]))
        part = values[start:stop][known]
        keep += sorted({start + int(known[part.argmin()]), start + int(known[part.argmax()])}) if len(part) else [start]
    return Curve(tuple(map(float, keep)), tuple(_short(values[row]) for row in keep))


def _short(value: float) -> float | None:
    """To five digits; None for NaN."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def scores(series: Series, replays: Mapping[str, Replay], labels: Sequence[Span]) -> Scores:
    """Scores, thresholds and alarms of several models on the same rows.

    Args:
        series: The rows.
        replays: Replays by scheme.
        labels: First and last row of each labelled anomaly.
    """
    return Scores(
        len(series.values), series.period,
        {name: thin(result.scores) for name, result in replays.items()},
        {name: result.threshold for name, result in replays.items() if result.threshold is not None},
        {name: result.alarms for name, result in replays.items()},
        tuple(labels),
    )  # fmt: skip


def normal_example(metadata: Metadata, windows: Windows, predicts: Mapping[str, Predict]) -> Example:
    """The window that Keras explains neither well nor badly: its error is the median one.

    Args:
        metadata: The Keras model's.
        windows: Windows of normal operation.
        predicts: Models by scheme.
    """
    outputs = np.asarray(predicts["keras"](windows.inputs))
    errors = windows.errors(outputs)[:, 0]
    middle = int(np.argsort(errors, kind="stable")[len(errors) // 2])
    before, after = windows.inputs[0][middle], windows.targets[middle][: metadata.horizon]
    after = np.pad(after, ((0, 0), (0, before.shape[1] - after.shape[1])))  # their calendar is no input
    whole = np.concatenate([before, after])
    return _example("normal operation, the window with the median error", metadata, whole, predicts)


def anomalous_example(
    metadata: Metadata, series: Series, result: Replay, labels: npt.NDArray[np.bool_], predicts: Mapping[str, Predict]
) -> Example | None:
    """The window that ends at the labelled row with the highest Keras score; None where none is whole.

    Args:
        metadata: The Keras model's.
        series: The rows.
        result: Replay of Keras.
        labels: Whether each row is anomalous, shape (T,).
        predicts: Models by scheme.
    """
    if metadata.scaler is None or metadata.stateful:
        return None
    length = metadata.window + metadata.horizon
    ranked = np.argsort(-np.where(labels & np.isfinite(result.scores), result.scores, -np.inf))
    for row in ranked[: int(labels.sum())].tolist():
        part = series.values[row + 1 - length : row + 1]
        if len(part) == length and np.isfinite(part).all():
            return _example("inside a labelled anomaly, where Keras' score is highest", metadata,
                            scaled_inputs(metadata, part, series.time[row + 1 - length : row + 1]), predicts)  # fmt: skip
    return None


def _example(title: str, metadata: Metadata, whole: Array, predicts: Mapping[str, Predict]) -> Example:
    """Channels are those with the largest error of Keras; `whole` holds scaled rows (W + H, F), or wider with a calendar."""
    window = whole[None, : metadata.window]
    channels = whole.shape[1] - metadata.width + len(metadata.channels)
    whole = whole[:, :channels]
    outputs = {name: np.asarray(predict((window,)))[0].reshape(-1, channels) for name, predict in predicts.items()}
    error = np.abs(outputs["keras"] - whole[-len(outputs["keras"]) :]).mean(axis=0)
    shown = sorted(np.argsort(-error, kind="stable")[:CHANNELS].tolist())

    def columns(values: Array) -> tuple[tuple[float, ...], ...]:
        real = metadata.scaler.inverse(values) if metadata.scaler else values
        return tuple(tuple(float(f"{value:.5g}") for value in real[:, channel]) for channel in shown)

    names = tuple(channel_name(metadata, channel) for channel in shown)
    return Example(title, names, columns(whole), {name: columns(output) for name, output in outputs.items()})


def channel_name(metadata: Metadata, index: int) -> str:
    """A channel with its unit, where known.

    Args:
        metadata: The model's.
        index: Number of the channel.
    """
    channel = metadata.channels[index]
    return f"{channel.name} ({channel.unit})" if channel.unit else channel.name
