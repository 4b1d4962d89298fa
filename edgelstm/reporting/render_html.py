"""The report as one self-contained HTML page: inline SVG and CSS, no script, nothing from a network."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from . import plots as draw
from .judge import shown_scheme
from .schema import Report
from .size_plots import accuracy_versus_size, widths_and_schemes
from .tables import headline, tables
from .verdict import remarks, verdicts

PAGE = Path(__file__).with_name("page.html.j2")


@dataclass(frozen=True)
class Plot:
    """A figure with its words."""

    title: str
    text: str
    """Explanation for the reader."""
    svg: str
    half: bool = False
    """True if it takes half the page's width."""


def render(report: Report) -> str:
    """The page's HTML."""
    environment = Environment(
        undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["marked"] = _marked
    return environment.from_string(PAGE.read_text(encoding="utf-8")).render(
        report=report,
        subtitle=subtitle(report),
        verdicts=verdicts(report),
        remarks=remarks(report),
        tables=tables(report),
        plots=list(plots(report)),
        facts=facts(report),
    )


def _marked(text: str) -> Markup:
    """Text with `commands` as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def subtitle(report: Report) -> str:
    """The model in one line."""
    model = report.model
    channels = len(model.channels)
    shape = (
        f"{model.window} rows × {channels} channel{'' if channels == 1 else 's'}"
        if channels
        else f"{model.window} steps"
    )
    horizon = f", {model.horizon} ahead" if model.horizon else ""
    return f"{model.kind} · {model.layers} · {model.parameters:,} parameters · {shape}{horizon}"


def plots(report: Report) -> Iterator[Plot]:
    """Those that the report has something for, in reading order."""
    figures, metric = report.figures, headline(report)
    if metric is not None and report.made_schemes:
        yield Plot(
            "Accuracy versus size",
            f"{metric.title}: {metric.meaning}. Upper left is best. A bar is the 95 % interval of the difference from "
            "Keras; the dashed front joins the schemes that no other beats in both.",
            accuracy_versus_size(report, metric),
        )
    if metric is not None and report.widths:
        yield Plot(
            "Smaller models: accuracy versus size over widths and schemes",
            f"{metric.title} of the whole model (filled marks) and of its narrower forms (open marks), each in every scheme. Each "
            "mark is a file beside this report; the dashed front joins those that no other beats in both, with their weights.",
            widths_and_schemes(report, metric),
        )
    if figures.scores is not None:
        yield Plot(
            "Scores over time",
            "The same rows through Keras and through the converted file, each with its own threshold. Thick bars on top "
            "are alarms after de-bounce.",
            draw.scores_over_time(figures.scores),
        )
    yield from _tensor_plots(report)
    yield from _matrices(report)
    if figures.examples:
        yield Plot(
            "Example windows",
            f"Input and outputs of the models: {_word(report.model.kind)} in sensor units.",
            draw.examples(figures.examples, report.model.period),
        )
    yield from _training_plots(report)


def _tensor_plots(report: Report) -> Iterator[Plot]:
    figures = report.figures
    if figures.layers:
        yield Plot(
            "Where the error arises: layer by layer",
            "Output of each layer against the same layer in float, on held-back windows. Errors are handed on from top "
            "to bottom, so that a step to the right is where accuracy is lost.",
            draw.errors_by_tensor(figures.layers, "Error per layer"),
        )
    if figures.weights:
        yield Plot(
            "Where the error arises: weights",
            "Each weight tensor against its float original; kernel, recurrent kernel and bias hold all four gates.",
            draw.errors_by_tensor(figures.weights, "Error per weight tensor"),
        )
    if figures.histograms:
        yield Plot(
            "Values against the range of the int8 scheme",
            "Float values on held-back windows. Between the red lines the integers can hold them; what lies outside "
            "is clipped.",
            draw.histograms(figures.histograms),
        )


def _matrices(report: Report) -> Iterator[Plot]:
    if report.keras.confusion is None:
        return
    confusions = {scheme.scheme: scheme.confusion for scheme in report.made_schemes if scheme.confusion}
    shown = shown_scheme(confusions)
    yield Plot(
        "Confusion",
        "True classes by row, answers by column; the brighter, the larger the share of the row. On the diagonal is what "
        "was right.",
        draw.confusion({"keras": report.keras.confusion, shown: confusions[shown]}),
    )


def _training_plots(report: Report) -> Iterator[Plot]:
    figures = report.figures
    if figures.autocorrelation:
        yield Plot(
            "Why this look-back", f"Mean autocorrelation of the channels by lag. Rule: {figures.rule}.",
            draw.autocorrelation(figures.autocorrelation, report.model.window, report.model.period), half=True,
        )  # fmt: skip
    if figures.history.get("loss"):
        yield Plot(
            "Training", "Loss by epoch; the newest rows, held back, choose the epoch that is kept."
            if "val_loss" in figures.history else "Loss by epoch.",
            draw.training_curves(figures.history), half=True,
        )  # fmt: skip


def _word(kind: str) -> str:
    return "forecasts" if kind == "forecaster" else "reconstructions"


def facts(report: Report) -> dict[str, str]:
    """Conditions of the measurement."""
    conditions = {"judged on": judged(report)}
    drawn = report.data.resampling
    conditions["intervals"] = (
        f"95 %, paired block bootstrap: {drawn.replicates} draws of {drawn.blocks} stretches of at least {drawn.least} "
        f"{drawn.unit}, seed {drawn.seed}; labelled anomalies are never cut in two. Neighbouring rows depend on each "
        "other, so whole stretches are drawn, the same ones for Keras and for a scheme"
        if drawn
        else "none: there are too few independent stretches of rows"
    )
    if report.machine is not None:
        conditions["this machine"] = machine_words(report)
    for bench in report.benches:
        machine = bench.machine
        conditions[bench.file] = (
            f"{machine.processor} ({machine.machine}, {machine.cores} cores), {machine.interpreter}, {machine.threads} thread"
        )
    conditions["thresholds"] = "each file's own, set on its own scores of normal operation; no label sets one"
    conditions["source"] = f"{report.model.name}, SHA-256 {report.model.source}"
    conditions["made"] = f"{report.made} with " + ", ".join(
        f"{name} {version}" for name, version in report.tools.items()
    )
    return conditions


def judged(report: Report) -> str:
    """The data in one clause."""
    data, period = report.data, report.model.period
    if not data.labelled:
        return f"{data.description}, without labels"
    unit = "examples" if report.keras.confusion else "rows"
    span = f" ({data.rows * period / 3600:.1f} h)" if period and data.anomalies else ""
    events = f", {data.anomalies} labelled anomal{'y' if data.anomalies == 1 else 'ies'}" if data.anomalies else ""
    return f"{data.description}: {data.rows:,} {unit}{span}{events}"


def machine_words(report: Report) -> str:
    """Machine and interpreter of the times."""
    machine = report.machine
    assert machine is not None
    return (
        f"{machine.processor} ({machine.machine}, {machine.cores} cores), {machine.interpreter}, {machine.threads} thread, "
        f"Python {machine.python}, NumPy {machine.numpy}"
    )
