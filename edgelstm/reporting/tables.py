"""The report's tables as rows of text: one form for HTML, Markdown and the terminal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgelstm.runtime.diagnostics.benchmark import Benchmark

from ..pareto import pareto_front
from .metrics import HEADLINE, METRICS, Metric, written
from .schema import Drop, Report, Scheme, Width

WORSE, BETTER, NOISE = "worse", "better", "within noise"
DIFFERENCES = (
    "Small print: the difference from Keras float on the same rows, with its 95 % interval where there is one. "
    "An interval that holds 0 may be noise."
)
LIMITS = (
    "measured in training by faults injected into held-back normal rows, at the model's own threshold, in sensor units. "
    "A dash: none of the sizes tried is found."
)

WIDTHS = (
    "The whole model and its narrower forms in every scheme, the smallest first: each row is a file beside this report."
)


@dataclass(frozen=True)
class Cell:
    """One figure."""

    text: str
    """As it is shown."""
    note: str = ""
    """Its difference from Keras with the interval."""
    tone: str = ""
    """worse, better, within noise, or empty."""


@dataclass(frozen=True)
class Row:
    """One figure of every scheme."""

    title: str
    """Name of the figure."""
    unit: str
    """Its unit, empty where it has none."""
    meaning: str
    """For a reader who never met it."""
    cells: tuple[Cell, ...]
    """One a column."""


@dataclass(frozen=True)
class Table:
    """A row a figure."""

    title: str
    columns: tuple[str, ...]
    """Their heads: the schemes, or the kinds of faults."""
    rows: tuple[Row, ...]
    note: str = ""
    """For a reader who never met it."""


def costs(report: Report) -> Table:
    """Size, time and memory, here and on every machine that a measurement was merged from."""
    made = report.made_schemes
    here = f" on {report.machine.processor}" if report.machine and report.benches else ""
    rows = [
        _row(
            "file size", "KiB", "the file as it goes to the device, metadata included", [_size(item) for item in made]
        ),
        _row("parameters", "", "weights of the network", [f"{item.parameters or 0:,}" for item in made]),
        _row("per parameter", "bytes", "file size by weight", [_per_parameter(item) for item in made]),
        *_times(here, "on this machine", [item.bench for item in made]),
    ]
    for bench in report.benches:
        results = {result.scheme: result for result in bench.results}
        rows += _times(
            f" on {bench.machine.processor}", f"there ({bench.file})", [results.get(item.scheme) for item in made]
        )
    return Table("What each scheme costs", tuple(item.scheme for item in made), tuple(rows))


def _row(title: str, unit: str, meaning: str, texts: Sequence[str]) -> Row:
    return Row(title, unit, meaning, tuple(map(Cell, texts)))


def _size(scheme: Scheme) -> str:
    return f"{(scheme.size or 0) / 1024:.1f}"


def _per_parameter(scheme: Scheme) -> str:
    return f"{(scheme.size or 0) / max(1, scheme.parameters or 0):.2f}"


def _times(suffix: str, where: str, benches: Sequence[Benchmark | None]) -> list[Row]:
    def texts(form: Callable[[Benchmark], str]) -> list[str]:
        return ["–" if bench is None else form(bench) for bench in benches]

    return [
        _row(f"latency p50{suffix}", "µs", f"median time {where} of a call: set the window, reset, invoke, get",
             texts(lambda bench: f"{bench.latency.p50:,.0f}")),
        _row(f"latency p99{suffix}", "µs", "99th percentile of the same",
             texts(lambda bench: f"{bench.latency.p99:,.0f}")),
        _row(f"peak memory{suffix}", "MB", f"of a fresh process {where} after 100 calls; Python, NumPy and the interpreter "
             "take most of it", texts(lambda bench: f"{bench.start.peak_mb:.1f}")),
        _row(f"of it the model{suffix}", "MB", "what is beyond Python, NumPy and the interpreter",
             texts(lambda bench: f"{bench.start.peak_mb - bench.start.base_mb:.1f}")),
    ]  # fmt: skip


def losses(report: Report) -> Table:
    """Quality of Keras and of every scheme, with the differences."""
    schemes = (report.keras, *report.made_schemes)
    rows = tuple(
        Row(metric.title, metric.unit, metric.meaning,
            tuple(_cell(metric, scheme) for scheme in schemes))
        for metric in known_metrics(report)
    )  # fmt: skip
    heads = ("Keras", *(scheme.scheme for scheme in report.made_schemes))
    return Table("What each scheme loses", heads, rows, DIFFERENCES)


def widths(report: Report) -> Iterator[Table]:
    """Yield the table of the files of all widths that no other one beats in both size and quality."""
    metric = headline(report)
    if not report.widths or metric is None:
        return
    made = [item for item in all_widths(report, metric) if item.file]
    rows = tuple(
        Row(item.file, "", "", tuple(map(Cell, (item.scheme, item.layers, f"{item.parameters:,}", f"{item.size / 1024:.1f}",
                                               written(metric, item.quality)))))
        for item in pareto_front(made, lambda item: item.size, lambda item: item.quality)
    )  # fmt: skip
    heads = ("scheme", "layers", "weights", "KiB", metric.title)
    yield Table("Smaller models", heads, rows, f"{WIDTHS} Of {len(made)} files these {len(rows)} are on the front.")


def all_widths(report: Report, metric: Metric) -> list[Width]:
    """The whole model's schemes and those of the narrower ones.

    Args:
        report: The report.
        metric: Figure of the quality.
    """
    whole = [
        Width(scheme.file, scheme.scheme, report.model.layers, scheme.parameters or 0, scheme.size or 0, value)
        for scheme in report.made_schemes
        if (value := scheme.metrics.get(metric.name)) is not None
    ]
    return [*whole, *report.widths]


def limits(report: Report) -> Iterator[Table]:
    """Yield the table of the smallest faults that the model finds, where they were measured."""
    known = report.model.limits
    if known is None:
        return
    rows = tuple(Row(channel, "", "", tuple(map(Cell, cells))) for channel, *cells in known.rows)
    yield Table("What it would catch", known.heads[1:], rows, f"{known.title[0].upper()}{known.title[1:]}; {LIMITS}")


def tables(report: Report) -> tuple[Table, ...]:
    """All tables, in reading order."""
    return (costs(report), losses(report), *widths(report), *limits(report))


def headline(report: Report) -> Metric | None:
    """The figure that accuracy is drawn with: the best one that this report has."""
    known = [name for name in HEADLINE if report.keras.metrics.get(name) is not None]
    return METRICS[known[0]] if known else None


def known_metrics(report: Report) -> list[Metric]:
    """Those that at least one scheme has."""
    schemes = (report.keras, *report.schemes)
    return [
        metric for metric in METRICS.values() if any(scheme.metrics.get(metric.name) is not None for scheme in schemes)
    ]


def _cell(metric: Metric, scheme: Scheme) -> Cell:
    if scheme.scheme == "keras" and metric.compared:
        return Cell("–")  # agreement of Keras with itself says nothing
    text, drop = written(metric, scheme.metrics.get(metric.name)), scheme.drops.get(metric.name)
    return Cell(text) if drop is None else Cell(text, difference(metric, drop), tone(metric, drop))


def difference(metric: Metric, drop: Drop) -> str:
    r"""Format a difference from Keras with its interval.

    Args:
        metric: The figure.
        drop: The difference.

    >>> difference(METRICS["vus_pr"], Drop(-0.05, -0.08, -0.02))
    '−0.050 [−0.080,\xa0−0.020]'
    """
    form = metric.form.replace("{:", "{:+").replace("++", "+")
    if not visible(metric, drop):
        return "same"
    values = [form.format(value) for value in (drop.value, drop.low, drop.high) if value is not None]
    text = values[0] if len(values) < 3 else f"{values[0]} [{values[1]},\u00a0{values[2]}]"
    return text.replace("-", "−")


def visible(metric: Metric, drop: Drop) -> bool:
    """Tell whether a difference or its interval shows at the digits that the metric is written with.

    Args:
        metric: The figure.
        drop: The difference.
    """
    parts = [part for part in (drop.value, drop.low, drop.high) if part is not None]
    return any(float(metric.form.format(part).rstrip("%")) != 0 for part in parts)


def tone(metric: Metric, drop: Drop) -> str:
    """Classify a difference as loss, gain or noise; empty where it is too small to matter, or nothing is known.

    Args:
        metric: The figure.
        drop: The difference.
    """
    if not visible(metric, drop) or drop.certain is None:
        return ""
    if not drop.certain:
        return NOISE
    if abs(drop.value) < metric.material:
        return ""
    return WORSE if drop.value * metric.better < 0 else BETTER
