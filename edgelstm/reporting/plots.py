"""Plots of a report, as SVG text."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from edgelstm.classification.evaluate import Quality

from .plot_schema import Example, Histogram, Scores, Span, TensorError
from .svg import BLUE, COLOURS, FAINT, HALF, INK, ORANGE, PAPER, VERMILLION, WIDE, canvas, svg, swatch, time_axis

DODGE = 0.22  # rows between the marks of two schemes
SHOWN = 24  # layers in a plot, the worst ones
ANNOTATED = 12  # classes up to which a confusion matrix has its numbers written in


def scores_over_time(scores: Scores) -> str:
    """One panel a model on the same rows, with its alarms above and labelled stretches as bands."""
    step, label = time_axis(scores.rows, scores.period)
    known = [value for curve in scores.curves.values() for value in curve.y if value is not None and value > 0]
    with canvas(
        WIDE, 0.9 + 1.55 * len(scores.curves), len(scores.curves), 1, squeeze=False, sharex=True, sharey=True
    ) as figure:
        for axes, (name, curve) in zip(figure.axes, scores.curves.items(), strict=True):
            _bands(axes, scores.labels, step)
            heights = np.array([np.nan if value is None else value for value in curve.y], float)
            axes.plot(np.array(curve.x) * step, heights, color=COLOURS.get(name, INK), linewidth=0.8)
            if name in scores.thresholds:
                axes.axhline(scores.thresholds[name], color=INK, linestyle="--", linewidth=0.9)
            _alarms(axes, scores.alarms.get(name, ()), step)
            axes.set_yscale("log")
            axes.set_title(f"{'Keras, float' if name == 'keras' else name}: {len(scores.alarms.get(name, ()))} alarms")
        figure.axes[0].set_ylim(max(float(np.quantile(known, 0.02)) / 1.5, 1e-4), float(max(known)) * 3.5)
        figure.axes[0].set_xlim(0, scores.rows * step)
        figure.axes[-1].set_xlabel(label)
        figure.supylabel("anomaly score (log)", fontsize=9)
        top = figure.axes[0]
        handles: list[Artist] = [
            top.plot([], [], color=INK, linewidth=5, solid_capstyle="butt")[0],
            top.plot([], [], color=INK, linestyle="--", linewidth=0.9)[0],
        ]
        words = ["alarm", "threshold"]
        if scores.labels:
            handles.append(top.fill_between([], [], [], color=ORANGE, alpha=0.3, linewidth=0))
            words.append("labelled anomaly")
        figure.legend(handles, words, loc="outside upper right", ncols=3)
        return svg(figure, "Scores over time")


def _bands(axes: Axes, labels: Sequence[Span], step: float) -> None:
    for start, end in labels:
        axes.axvspan(start * step, (end + 1) * step, color=ORANGE, alpha=0.3, linewidth=0)


def _alarms(axes: Axes, alarms: Sequence[Span], step: float) -> None:
    for start, end in alarms:
        axes.plot([start * step, (end + 1) * step], [0.95, 0.95], color=INK, linewidth=5, solid_capstyle="butt",
                  transform=axes.get_xaxis_transform())  # fmt: skip


def errors_by_tensor(parts: Mapping[str, Sequence[TensorError]], title: str) -> str:
    """Relative error of each layer or weight, one mark a scheme, in the order of the graph.

    Args:
        parts: Errors by scheme.
        title: Label of the plot.
    """
    names = _worst_names(parts)
    with canvas(WIDE, 1.05 + 0.29 * len(names)) as figure:
        axes = figure.axes[0]
        for place, (scheme, colour, mark) in enumerate(swatch(list(parts))):
            errors = {part.name: 100 * part.error for part in parts[scheme]}
            beside = DODGE * (place - (len(parts) - 1) / 2)  # two schemes may share a tensor, and so a point
            shown = [(errors[name], row + beside) for row, name in enumerate(names) if errors.get(name, 0) > 0]
            axes.plot(*zip(*shown, strict=True), mark, color=colour, markersize=6.5, label=scheme, clip_on=False,
                      markeredgecolor=PAPER) if shown else None  # fmt: skip
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("RMS difference from float, share of the tensor's standard deviation (log)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5)
        return svg(figure, title)


def _worst_names(parts: Mapping[str, Sequence[TensorError]]) -> list[str]:
    """Names in the order of the graph, those with the largest errors where there are many."""
    worst: dict[str, float] = {}
    for errors in parts.values():
        for error in errors:
            worst[error.name] = max(worst.get(error.name, 0.0), error.error)
    kept = set(sorted(worst, key=lambda name: -worst[name])[:SHOWN])
    return [name for name in worst if name in kept]


def histograms(panels: Sequence[Histogram], columns: int = 3) -> str:
    """Values of float tensors against the range that their integers can hold.

    Args:
        panels: One a tensor.
        columns: Panels side by side.
    """
    panels = panels[: 4 * columns]
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with canvas(WIDE, 0.45 + 1.75 * rows, rows, columns, squeeze=False) as figure:
        for axes in figure.axes[len(panels) :]:
            axes.set_visible(False)
        for axes, panel in zip(figure.axes, panels, strict=False):
            counts = np.maximum(np.array(panel.counts, float), 0.5)
            axes.stairs(counts, panel.edges, baseline=0.5, fill=True, color=BLUE, alpha=0.8)
            axes.axvspan(panel.low, panel.high, color=FAINT, alpha=0.12, linewidth=0)
            for limit in (panel.low, panel.high):
                axes.axvline(limit, color=VERMILLION, linewidth=1.3)
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.5)
            axes.set_title(f"{panel.name}: {panel.clipped:.3%} clipped")
            axes.xaxis.set_major_locator(MaxNLocator(5))
        figure.supxlabel("value, scaled units", fontsize=9)
        figure.supylabel("count (log)", fontsize=9)
        return svg(figure, "Value histograms")


def autocorrelation(values: Sequence[float], lookback: int, period: float | None) -> str:
    """The autocorrelation by lag, with the look-back that was chosen from it.

    Args:
        values: By lag, from lag 0.
        lookback: Rows a window.
        period: Seconds between rows; None for an index.
    """
    step, label = time_axis(len(values), period)
    with canvas(HALF, 2.7) as figure:
        axes = figure.axes[0]
        axes.plot(np.arange(len(values)) * step, values, color=BLUE)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.axvline(lookback * step, color=VERMILLION, linestyle="--", label=f"look-back, {lookback} rows")
        axes.set(xlabel=label.replace("time", "lag").replace("row", "lag (rows)"), ylabel="autocorrelation")
        axes.legend()
        return svg(figure, "Autocorrelation")


def training_curves(history: Mapping[str, Sequence[float]]) -> str:
    """Training and validation loss by epoch."""
    with canvas(HALF, 2.7) as figure:
        axes = figure.axes[0]
        for name, colour, label, line in (
            ("loss", BLUE, "training", "-"), ("val_loss", VERMILLION, "validation", "--"),
        ):  # fmt: skip
            if history.get(name):
                axes.plot(np.arange(1, len(history[name]) + 1), history[name], line, color=colour, label=label)
        if history.get("val_loss"):
            best = int(np.argmin(history["val_loss"]))
            axes.plot(best + 1, history["val_loss"][best], "o", color=VERMILLION, label=f"kept: epoch {best + 1}")
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="epoch", ylabel="loss (log)")
        axes.legend()
        return svg(figure, "Training curves")


def examples(windows: Sequence[Example], period: float | None) -> str:
    """Draw windows with the outputs of the models: a column an example, a row a channel.

    Args:
        windows: The examples.
        period: Seconds between rows; None for an index.
    """
    rows = max(len(example.channels) for example in windows)
    with canvas(WIDE, 1.0 + 1.05 * rows, rows, len(windows), squeeze=False, sharex="col") as figure:
        grid = np.asarray(figure.axes).reshape(rows, len(windows))
        for column, example in enumerate(windows):
            for axes in grid[len(example.channels) :, column]:
                axes.set_visible(False)
            _example(grid[:, column].tolist(), example, period)
            grid[0, column].set_title(example.title)
        handles, words = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, words, loc="outside upper right", ncols=4)
        return svg(figure, "Example windows")


def _example(axes: Sequence[Axes], example: Example, period: float | None) -> None:
    length = len(example.measured[0])
    step, label = time_axis(length, period)
    for index, name in enumerate(example.channels):
        rows = np.arange(length) * step
        axes[index].plot(rows, example.measured[index], color=INK, linewidth=2.2, alpha=0.35, label="measured")
        for scheme, outputs in example.outputs.items():
            start = length - len(outputs[index])
            line = {"keras": "-"}.get(scheme, "--") if len(outputs[index]) > 1 else ""
            axes[index].plot(rows[start:], outputs[index], line, marker="" if line else "o", color=COLOURS.get(scheme, INK),
                             label="Keras" if scheme == "keras" else scheme)  # fmt: skip
        axes[index].set_ylabel(
            name.replace("_", "\n", 1).replace(" (", "\n("), fontsize=8, rotation=0, ha="right", va="center"
        )
        axes[index].yaxis.set_major_locator(MaxNLocator(3))
    axes[len(example.channels) - 1].set_xlabel(label)


def confusion(qualities: Mapping[str, Quality]) -> str:
    """Share of each true class's examples by answer, one matrix a model."""
    kept = {name: _occurring(quality) for name, quality in qualities.items()}
    names = next(iter(kept.values()))[0]
    side = min(4.6, 1.9 + 0.24 * len(names))
    with canvas(WIDE, side, 1, len(kept), squeeze=False, sharey=True) as figure:
        for axes, (scheme, (_, counts)) in zip(figure.axes, kept.items(), strict=True):
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axes.pcolormesh(shares[::-1], cmap="cividis", vmin=0, vmax=1, edgecolors=PAPER, linewidth=0.5)
            for row, column in zip(*np.nonzero(counts), strict=True) if len(names) <= ANNOTATED else ():
                shade = "#ffffff" if shares[row, column] < 0.5 else "#000000"
                axes.text(column + 0.5, len(names) - row - 0.5, f"{counts[row, column]:d}", ha="center", va="center",
                          color=shade, fontsize=8)  # fmt: skip
            axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90, fontsize=7.5)
            axes.set_yticks(np.arange(len(names)) + 0.5, names[::-1], fontsize=7.5)
            axes.grid(visible=False)
            axes.set_title("Keras, float" if scheme == "keras" else scheme)
            axes.set_xlabel("answer")
        figure.axes[0].set_ylabel("true class")
        return svg(figure, "Confusion matrices")


def _occurring(quality: Quality) -> tuple[list[str], np.ndarray]:
    """Class names and counts, without a column of no answer that nothing fell into."""
    counts = np.asarray(quality.confusion)
    last = len(quality.classes) - (0 if counts[:, -1].any() else 1)
    return [name or "no answer" for name in quality.classes[:last]], counts[:last, :last]
