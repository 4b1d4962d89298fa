"""The report's figures: arrays in, SVG text out.

Colours of ink and paper are placeholders that become CSS variables, so that one figure serves light, dark and print.
Data colours are Okabe and Ito's palette (jfly.uni-koeln.de/color), which colour-blind readers can tell apart.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

INK, FAINT = "#010203", "#040506"
BLUE, ORANGE, GREEN, SKY, VERMILLION, PURPLE, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7", "#F0E442",
)  # fmt: skip
SCHEME_COLOURS = {
    "keras": BLUE, "float32": SKY, "float16": GREEN, "dynamic": PURPLE, "int8": VERMILLION, "int16x8": "#7F5539",
}  # fmt: skip
VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)"}
STYLE = {
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "edgelstm",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.35,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.3,
}
Doubles = npt.NDArray[np.float64]
POINTS = 1200  # columns an SVG line is thinned to: finer than a page shows


@contextmanager
def _canvas(width: float, height: float, rows: int = 1, columns: int = 1, **options: object) -> Iterator[Figure]:
    with context(["default", STYLE]):
        figure = Figure(figsize=(width, height))
        figure.subplots(rows, columns, **options)  # type: ignore[call-overload]
        yield figure


def _svg(figure: Figure, label: str) -> str:
    """The figure as inline SVG, with a label for screen readers."""
    with context(["default", STYLE]):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    text = re.sub(r'height="[^"]*pt"', "", text, count=1)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    # several figures share one page: their ids must not collide
    mark = re.sub(r"\W", "", label)[:24]
    text = re.sub(r'id="([^"]+)"', rf'id="{mark}-\1"', text)
    text = re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{mark}-\2", text)
    for placeholder, variable in VARIABLES.items():
        text = text.replace(placeholder, variable)
    return text


def thin(values: Doubles, columns: int = POINTS) -> tuple[Doubles, Doubles]:
    """Row numbers and values with each stretch's smallest and largest kept, so that a spike stays visible.

    >>> rows, kept = thin(np.arange(10.0), columns=2)
    >>> kept.tolist()
    [0.0, 4.0, 5.0, 9.0]
    """
    values = np.asarray(values, np.float64)
    if len(values) <= 2 * columns:
        return np.arange(len(values), dtype=np.float64), values
    edges = np.linspace(0, len(values), columns + 1).astype(int)
    keep: list[int] = []
    for start, stop in itertools.pairwise(edges):
        part = values[start:stop]
        known = np.flatnonzero(np.isfinite(part))
        if len(known):
            pair = {start + known[part[known].argmin()], start + known[part[known].argmax()]}
            keep.extend(sorted(int(row) for row in pair))
        else:
            keep.append(int(start))
    rows = np.asarray(keep)
    return rows.astype(np.float64), values[rows]


def accuracy_versus_size(
    sizes: Mapping[str, float], quality: Mapping[str, float], intervals: Mapping[str, tuple[float, float]], label: str
) -> str:
    """Quality against file size, one mark a scheme, with the Pareto front.

    Args:
        sizes: File size in KiB a scheme.
        quality: A figure where higher is better, a scheme.
        intervals: 95 % interval of that figure, a scheme; may lack schemes.
        label: Name of the figure.
    """
    with _canvas(6.4, 3.6) as figure:
        axes = figure.axes[0]
        front = pareto_front(sizes, quality)
        axes.step([sizes[name] for name in front], [quality[name] for name in front], where="post",
                  color=FAINT, linestyle="--", label="Pareto front", zorder=1)  # fmt: skip
        for name in sizes:
            low, high = intervals.get(name, (quality[name], quality[name]))
            axes.errorbar(sizes[name], quality[name], [[max(0, quality[name] - low)], [max(0, high - quality[name])]],
                          fmt="o", color=SCHEME_COLOURS.get(name, INK), capsize=3, markersize=7)  # fmt: skip
            axes.annotate(name, (sizes[name], quality[name]), xytext=(7, 6), textcoords="offset points")
        axes.set(xlabel="file size (KiB)", ylabel=label)
        axes.set_xlim(0, 1.18 * max(sizes.values()))
        axes.legend(loc="lower right")
        return _svg(figure, "Accuracy versus size")


def pareto_front(sizes: Mapping[str, float], quality: Mapping[str, float]) -> list[str]:
    """The schemes that no other beats in both size and quality, smallest first.

    >>> pareto_front({"a": 10, "b": 40, "c": 50}, {"a": 0.8, "b": 0.9, "c": 0.85})
    ['a', 'b']
    """
    front: list[str] = []
    for name in sorted(sizes, key=lambda item: (sizes[item], -quality[item])):
        if not front or quality[name] > quality[front[-1]]:
            front.append(name)
    return front


def scores_over_time(
    scores: Mapping[str, Doubles],
    thresholds: Mapping[str, float],
    alarms: Sequence[tuple[int, int]],
    labels: Sequence[tuple[int, int]],
    shown_alarms: str = "int8",
) -> str:
    """Scores of several models on the same rows, with alarms and labelled stretches as bands.

    Args:
        scores: Scores a model, shape (T,), NaN where there is none.
        thresholds: The threshold a model.
        alarms: First and last row of each event.
        labels: First and last row of each labelled anomaly.
        shown_alarms: Whose alarms these are.
    """
    with _canvas(9.2, 3.4) as figure:
        axes = figure.axes[0]
        for start, end in labels:
            axes.axvspan(start, end + 1, color=ORANGE, alpha=0.22, linewidth=0)
        for name, values in scores.items():
            rows, kept = thin(values)
            axes.plot(rows, kept, color=SCHEME_COLOURS.get(name, INK), label=f"{name} score",
                      alpha=0.95, linewidth=0.9)  # fmt: skip
            axes.axhline(thresholds[name], color=SCHEME_COLOURS.get(name, INK), linestyle=":", linewidth=1)
        finite = np.concatenate([values[np.isfinite(values)] for values in scores.values()])
        axes.set_yscale("log")
        axes.set_ylim(max(float(np.quantile(finite, 0.01)) / 2, 1e-4), float(finite.max()) * 2.2)
        _alarm_bar(axes, alarms)
        axes.plot([], [], color=INK, linewidth=5, solid_capstyle="butt", label=f"{shown_alarms} alarm")
        if labels:
            axes.fill_between([], [], [], color=ORANGE, alpha=0.22, label="labelled anomaly")
        axes.plot([], [], color=FAINT, linestyle=":", label="threshold")
        axes.set(xlabel="row", ylabel="anomaly score (log)")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), ncols=5)
        return _svg(figure, "Scores over time")


def _alarm_bar(axes: Axes, alarms: Sequence[tuple[int, int]]) -> None:
    for start, end in alarms:
        axes.plot([start, end + 1], [0.97, 0.97], color=INK, linewidth=5, solid_capstyle="butt",
                  transform=axes.get_xaxis_transform())  # fmt: skip


def bars(values: Mapping[str, float], label: str, title: str) -> str:
    """Horizontal bars, one a name, largest on top."""
    ordered = sorted(values.items(), key=lambda item: item[1])
    with _canvas(6.4, 0.9 + 0.27 * len(ordered)) as figure:
        axes = figure.axes[0]
        axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=VERMILLION, height=0.62)
        for row, (_, value) in enumerate(ordered):
            axes.annotate(f"{value:.2g}", (value, row), xytext=(4, -3), textcoords="offset points", fontsize=8)
        axes.set(xlabel=label)
        axes.set_xlim(0, 1.15 * max((value for _, value in ordered), default=1.0) or 1.0)
        axes.grid(axis="y", visible=False)
        return _svg(figure, title)


def histograms(panels: Sequence[tuple[str, Doubles, Doubles, tuple[float, float], float]], columns: int = 3) -> str:
    """Value histograms of tensors against the range that their integers can hold.

    Args:
        panels: For each tensor its name, bin edges (B + 1,), counts (B,), lowest and highest value that its
            integers can hold, and the share of values outside.
        columns: Panels side by side.
    """
    rows = -(-len(panels) // columns)
    with _canvas(9.2, 1.9 * rows, rows, columns, squeeze=False) as figure:
        for axes in figure.axes[len(panels) :]:
            axes.set_visible(False)
        for axes, (name, edges, counts, (low, high), clipped) in zip(figure.axes, panels, strict=False):
            axes.stairs(np.maximum(counts, 0.5), edges, fill=True, color=BLUE, alpha=0.75)
            for limit in (low, high):
                axes.axvline(limit, color=VERMILLION, linewidth=1.2)
            axes.set_yscale("log")
            axes.set_title(f"{name}\n{clipped:.2%} clipped", fontsize=8)
            axes.tick_params(labelsize=7)
        figure.supxlabel("value (vertical lines: the range its integers hold)", fontsize=8.5)
        figure.supylabel("count (log)", fontsize=8.5)
        return _svg(figure, "Value histograms")


def autocorrelation(values: Doubles, lookback: int, period: float | None) -> str:
    """The autocorrelation (L,) by lag, with the look-back that was chosen from it."""
    step = period or 1.0
    with _canvas(6.4, 2.8) as figure:
        axes = figure.axes[0]
        lags = np.arange(len(values)) * step
        axes.plot(lags, values, color=BLUE)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.axvline(lookback * step, color=VERMILLION, linestyle="--", label=f"look-back {lookback}")
        axes.set(xlabel="lag (s)" if period else "lag (rows)", ylabel="autocorrelation")
        axes.legend()
        return _svg(figure, "Autocorrelation")


def training_curves(history: Mapping[str, Sequence[float]]) -> str:
    """Training and validation loss by epoch."""
    with _canvas(6.4, 2.8) as figure:
        axes = figure.axes[0]
        for name, colour, label in (("loss", BLUE, "training"), ("val_loss", VERMILLION, "validation")):
            if name in history:
                axes.plot(np.arange(1, len(history[name]) + 1), history[name], color=colour, label=label)
        if history.get("val_loss"):
            best = int(np.argmin(history["val_loss"]))
            axes.plot(best + 1, history["val_loss"][best], "o", color=VERMILLION, label="kept")
        axes.set_yscale("log")
        axes.set(xlabel="epoch", ylabel="loss (log)")
        axes.legend()
        return _svg(figure, "Training curves")


def example_window(channels: Sequence[str], target: Doubles, outputs: Mapping[str, Doubles], kind: str) -> str:
    """One window a channel with what the models made of it.

    Args:
        channels: Names, F of them.
        target: The window in sensor units, shape (W, F).
        outputs: Reconstruction or forecast in sensor units a model, each (W, F).
        kind: Word for the outputs, such as reconstruction.
    """
    shown = len(channels)
    rows = -(-shown // 2)
    with _canvas(9.2, 1.0 + 1.5 * rows, rows, 2 if shown > 1 else 1, squeeze=False, sharex=True) as figure:
        for axes in figure.axes[shown:]:
            axes.set_visible(False)
        for index, (axes, name) in enumerate(zip(figure.axes, channels, strict=False)):
            axes.plot(target[:, index], color=INK, linewidth=1.6, label="measured")
            for scheme, output in outputs.items():
                axes.plot(output[:, index], color=SCHEME_COLOURS.get(scheme, BLUE), label=f"{scheme} {kind}")
            axes.set_title(name)
        figure.axes[0].legend(fontsize=7.5)
        figure.supxlabel("row of the window", fontsize=8.5)
        return _svg(figure, "Example window")
