"""The demo's picture: sensors, scores, alarms and labels on one page."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..data.series import Series, read_labels
from .metrics import ranges
from .replaying import Replay

INK, BLUE, VERMILLION, ORANGE = "#1d2430", "#0072B2", "#D55E00", "#E69F00"  # Okabe and Ito's palette


def alarm_picture(path: Path, series: Series, result: Replay, threshold: float) -> None:
    """Draw channels on top and the score with alarms below, labelled stretches shaded, as PNG.

    Args:
        path: File to write.
        series: With fault names as labels.
        result: Scores and alarms of the detector.
        threshold: Its alarm threshold.
    """
    assert series.labels is not None
    channels = len(series.channels)
    figure = Figure(figsize=(10, 1.05 * channels + 2.6), layout="constrained")
    axes = figure.subplots(channels + 1, 1, sharex=True, height_ratios=[1] * channels + [2])
    minutes = series.time / 60
    labelled = ranges(read_labels(series.labels))
    for axis, name, column in zip(axes, series.channels, series.values.T, strict=False):
        axis.plot(minutes, column, color=INK, linewidth=0.6)
        axis.set_ylabel(name.replace("_", " ", 1).replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=8)
        axis.tick_params(labelsize=7)
    score = axes[-1]
    score.plot(minutes, result.scores, color=BLUE, linewidth=0.8, label="anomaly score (int8)")
    score.axhline(threshold, color=VERMILLION, linestyle="--", linewidth=1, label="threshold")
    score.set_yscale("log")
    score.set_ylim(bottom=max(0.05, float(np.nanquantile(result.scores, 0.02))))
    score.set_xlabel("time (min)")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        for first, last in labelled:
            axis.axvspan(minutes[first], minutes[last] + 0.05, color=ORANGE, alpha=0.22, linewidth=0)
    for first, last in labelled:
        text = str(series.labels[first]).replace("_", "\n")
        axes[0].annotate(text, ((minutes[first] + minutes[last]) / 2, 1.04), xycoords=("data", "axes fraction"),
                         ha="center", va="bottom", fontsize=7.5)  # fmt: skip
    for number, (first, last) in enumerate(result.alarms):
        score.plot([minutes[first], minutes[last]], [0.97, 0.97], transform=score.get_xaxis_transform(), color=VERMILLION,
                   linewidth=6, solid_capstyle="butt", label="alarm" if number == 0 else None)  # fmt: skip
    score.fill_between([], [], [], color=ORANGE, alpha=0.22, label="labelled fault")
    score.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=4, frameon=False, fontsize=8)
    figure.savefig(path, format="png", metadata={"Software": None})
