"""The look of the plots: matplotlib to inline SVG that follows the page into the dark and onto paper.

Colours of ink and paper are placeholders that become CSS variables, so that one figure serves light, dark and print.
Data colours are Okabe and Ito's palette (jfly.uni-koeln.de/color), which colour-blind readers can tell apart; every
scheme has a mark of its own beside its colour.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape

from matplotlib.figure import Figure
from matplotlib.style import context

INK, FAINT, PAPER = "#010203", "#040506", "#070809"
BLUE, ORANGE, GREEN, SKY, VERMILLION, PURPLE = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7",
)  # fmt: skip
COLOURS = {"keras": BLUE, "float32": SKY, "float16": GREEN, "dynamic": PURPLE, "int8": VERMILLION, "int16x8": ORANGE}
MARKS = {"keras": "D", "float32": "s", "float16": "^", "dynamic": "v", "int8": "o", "int16x8": "P"}
VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", PAPER: "var(--paper)"}
WIDE, HALF = 9.2, 4.5  # inches: a page's width, and half of it
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
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.3,
}


@contextmanager
def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **options: object) -> Iterator[Figure]:
    """A figure with subplots in the report's style; `svg` must be called inside.

    Args:
        width: Inches.
        height: Inches.
        rows: Subplots above one another.
        columns: Subplots side by side.
        **options: As for `Figure.subplots`.
    """
    with context(["default", STYLE]):
        figure = Figure(figsize=(width, height))
        figure.subplots(rows, columns, **options)  # type: ignore[call-overload]
        yield figure


def svg(figure: Figure, label: str) -> str:
    """Render a figure as inline SVG, with a label for screen readers.

    Args:
        figure: The figure.
        label: Its label, which also keeps ids apart.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(<svg [^>]*?)(?:width|height)="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?)(?:width|height)="[^"]*"', r"\1", text, count=1)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    # several figures share one page: their ids must not collide
    mark = re.sub(r"\W+", "-", label.lower())
    text = re.sub(r'\bid="([^"]+)"', rf'id="{mark}-\1"', text)
    text = re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{mark}-\2", text)
    for placeholder, variable in VARIABLES.items():
        text = text.replace(placeholder, variable)
    return text


def time_axis(rows: int, period: float | None) -> tuple[float, str]:
    """Factor of a row number, and label of the axis, for a span of rows.

    Args:
        rows: Rows of the span.
        period: Seconds between rows; None for an index.

    >>> time_axis(7200, 1.0)
    (0.016666666666666666, 'time (min)')
    """
    if not period:
        return 1.0, "row"
    span = rows * period
    for seconds, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if span > 3 * seconds:
            return period / seconds, f"time ({unit})"
    return period, "time (s)"


def swatch(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Name, colour and mark of each scheme."""
    return [(name, COLOURS.get(name, INK), MARKS.get(name, "o")) for name in names]
