"""Quality against file size, as SVG text: of the schemes, and of narrower models in every scheme."""

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..pareto import pareto_front
from .metrics import Metric
from .schema import Report, Scheme
from .svg import COLOURS, FAINT, INK, PAPER, WIDE, canvas, svg, swatch
from .tables import all_widths


def accuracy_versus_size(report: Report, metric: Metric) -> str:
    """Quality against file size, one mark a scheme, with the Pareto front and Keras as a line.

    Args:
        report: The report.
        metric: Figure of the quality.
    """
    reference = report.keras.metrics[metric.name] or 0.0
    made = [scheme for scheme in report.made_schemes if scheme.metrics.get(metric.name) is not None]
    sizes = {scheme.scheme: (scheme.size or 0) / 1024 for scheme in made}
    quality = {scheme.scheme: scheme.metrics[metric.name] or 0.0 for scheme in made}
    with canvas(WIDE, 3.7) as figure:
        axes = figure.axes[0]
        axes.axhline(reference, color=COLOURS["keras"], linestyle=":", linewidth=1.2, label="Keras, float")
        front = pareto_front(sizes, sizes.__getitem__, quality.__getitem__)
        bars = {scheme.scheme: _interval_bar(scheme, metric, reference) for scheme in made}
        axes.step([sizes[name] for name in front], [quality[name] for name in front], where="post",
                  color=FAINT, linestyle="--", label="Pareto front", zorder=1)  # fmt: skip
        for name, colour, mark in swatch(list(sizes)):
            spread = bars[name]
            # named in the legend: beside the marks, names of schemes of like size and quality would lie on one another
            axes.errorbar(sizes[name], quality[name], spread, fmt=mark, color=colour, capsize=3, markersize=8,
                          elinewidth=1.2, markeredgecolor=PAPER, label=f"{name}, {sizes[name]:.1f} KiB")  # fmt: skip
        axes.set(xlabel="file size (KiB)", ylabel=metric.title)
        axes.set_xlim(0, 1.06 * max(sizes.values()))
        axes.margins(y=0.18)
        figure.legend(loc="outside right upper", fontsize=8.5)
        return svg(figure, "Accuracy versus size")


def widths_and_schemes(report: Report, metric: Metric) -> str:
    """Quality against file size of every width in every scheme, with the Pareto front over all of them.

    Args:
        report: The report.
        metric: Figure of the quality.
    """
    made = all_widths(report, metric)
    front = pareto_front(made, lambda item: item.size, lambda item: item.quality)
    with canvas(WIDE, 4.2) as figure:
        axes = figure.axes[0]
        axes.axhline(report.keras.metrics[metric.name] or 0.0, color=COLOURS["keras"], linestyle=":", linewidth=1.2,
                     label="Keras, float")  # fmt: skip
        axes.step([item.size / 1024 for item in front], [item.quality for item in front], where="post",
                  color=FAINT, linestyle="--", label="Pareto front", zorder=1)  # fmt: skip
        for scheme, colour, mark in swatch(list(dict.fromkeys(item.scheme for item in made))):
            for narrow in (True, False):
                part = [item for item in made if item.scheme == scheme and (item in report.widths) == narrow]
                axes.plot([item.size / 1024 for item in part], [item.quality for item in part], mark, color=colour, markersize=7,
                          markerfacecolor="none" if narrow else colour, label=None if narrow else scheme)  # fmt: skip
        for item in front:
            axes.annotate(f"{item.parameters:,}", (item.size / 1024, item.quality), xytext=(5, -11), textcoords="offset points",
                          fontsize=7.5, color=INK)  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="file size (KiB, log)", ylabel=metric.title)
        axes.margins(y=0.12)
        figure.legend(loc="outside right upper", fontsize=8.5)
        return svg(figure, "Smaller models")


def _interval_bar(scheme: Scheme, metric: Metric, reference: float) -> list[list[float]]:
    """Lengths of the bar below and above a scheme's mark."""
    drop, value = scheme.drops.get(metric.name), scheme.metrics[metric.name] or 0.0
    if drop is None or drop.low is None or drop.high is None:
        return [[0.0], [0.0]]
    return [[max(0.0, value - reference - drop.low)], [max(0.0, reference + drop.high - value)]]
