"""Pictures of a replay: sensors, scores, alarms and labels over time."""

from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from edgelstm.runtime.model_file.metadata import Metadata

from ..data.label_cells import read_labels
from ..data.series import Series
from .label_runs import ranges
from .replaying import Replay

INK, BLUE, VERMILLION, ORANGE = "#1d2430", "#0072B2", "#D55E00", "#E69F00"  # Okabe and Ito's palette
DATED = 1e8  # seconds from which a time counts from 1970


def alarm_figure(
    series: Series, result: Replay, threshold: float, metadata: Metadata | None = None, zone: Any = timezone.utc
) -> Figure:
    """Channels on top and the score with alarms below, labelled stretches shaded.

    Args:
        series: The rows, with names of faults as labels or without labels.
        result: Scores and alarms of the detector on them.
        threshold: Its alarm threshold.
        metadata: The model's, for units; None for none.
        zone: Time zone of the axis, where times are dates.
    """
    channels = len(series.channels)
    figure = Figure(figsize=(10, 1.05 * channels + 2.6), layout="constrained")
    axes = figure.subplots(channels + 1, 1, sharex=True, height_ratios=[1] * channels + [2])
    times, title = _axis(series, zone)
    units = {channel.name: channel.unit for channel in metadata.channels} if metadata else {}
    for axis, name, column in zip(axes, series.channels, series.values.T, strict=False):
        axis.plot(times, column, color=INK, linewidth=0.6)
        axis.set_ylabel(_label(name, units.get(name, "")), rotation=0, ha="right", va="center", fontsize=8)
        axis.tick_params(labelsize=7)
    score = axes[-1]
    _draw_score(score, times, result, threshold)
    score.set_xlabel(title)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    if series.labels is not None:
        _shade(axes, times, series)
    handles, _ = score.get_legend_handles_labels()
    score.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=len(handles), frameon=False, fontsize=8)
    return figure


def _axis(series: Series, zone: Any) -> tuple[Any, str]:
    """Times as matplotlib takes them, and the title of their axis."""
    if series.period is None:
        return np.arange(len(series.values)), "row"
    if np.nanmax(series.time) >= DATED:
        moments = [datetime.fromtimestamp(second, zone).replace(tzinfo=None) for second in series.time.tolist()]
        return np.array(moments, "datetime64[us]"), f"time ({zone})"
    return series.time / 60, "time (min)"


def _label(name: str, unit: str) -> str:
    text = name.replace("_", " ", 1).replace("_", "\n")
    return f"{text}\n{unit}" if unit and unit not in name else text


def _draw_score(axis: Any, times: npt.NDArray[Any], result: Replay, threshold: float) -> None:
    axis.plot(times, result.scores, color=BLUE, linewidth=0.8, label="anomaly score")
    if np.isfinite(threshold):
        axis.axhline(threshold, color=VERMILLION, linestyle="--", linewidth=1, label="threshold")
    if np.isfinite(result.scores).any():
        axis.set_yscale("log")
        axis.set_ylim(bottom=max(0.05, float(np.nanquantile(result.scores, 0.02))))
    for number, (first, last) in enumerate(result.alarms):
        axis.plot(times[[first, last]], [0.97, 0.97], transform=axis.get_xaxis_transform(), color=VERMILLION,
                  linewidth=6, solid_capstyle="butt", label="alarm" if number == 0 else None)  # fmt: skip


def _shade(axes: Any, times: npt.NDArray[Any], series: Series) -> None:
    """Shade labelled stretches, with their names on top."""
    labels = np.asarray(series.labels)
    for number, (first, last) in enumerate(ranges(read_labels(labels))):
        end = times[min(last + 1, len(times) - 1)]
        for axis in axes:
            label = "labelled fault" if number == 0 and axis is axes[-1] else None
            axis.axvspan(times[first], end, color=ORANGE, alpha=0.22, linewidth=0, label=label)
        middle = times[first] + (times[last] - times[first]) / 2
        axes[0].annotate(str(labels[first]).replace("_", "\n"), (middle, 1.04), xycoords=("data", "axes fraction"),
                         ha="center", va="bottom", fontsize=7.5)  # fmt: skip
