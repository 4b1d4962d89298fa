"""The report as Markdown, as CSV and as JSON."""

import csv
import io
import json
from collections.abc import Mapping, Sequence

from .plot_schema import TensorError
from .render_html import facts, subtitle
from .report_json import record
from .schema import Report, Scheme
from .tables import NOISE, Cell, Table, known_metrics, tables
from .verdict import remarks, verdicts


def to_json(report: Report) -> str:
    """All of it, figures' data included; `read_report` reads it again."""
    return json.dumps(record(report), indent=1, ensure_ascii=False) + "\n"


def to_csv(report: Report) -> str:
    """One row a scheme, numbers as they are: every metric, its difference from Keras and the interval's ends."""
    metrics = [metric.name for metric in known_metrics(report)]
    head = ["scheme", "file", "size_bytes", "parameters", "p50_us", "p99_us", "peak_mb", "refused"]
    head += [f"{bench.file}:{name}" for bench in report.benches for name in ("p50_us", "p99_us", "peak_mb")]
    dropped = [name for name in metrics if any(name in scheme.drops for scheme in report.schemes)]
    head += [*metrics, *(f"{name}_{part}" for name in dropped for part in ("drop", "low", "high"))]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    for scheme in (report.keras, *report.schemes):
        writer.writerow(
            [*_measured(report, scheme), *(scheme.metrics.get(name) for name in metrics), *_drops(scheme, dropped)]
        )
    return buffer.getvalue()


def _measured(report: Report, scheme: Scheme) -> list[object]:
    benches = [scheme.bench] + [
        next((result for result in bench.results if result.scheme == scheme.scheme), None) for bench in report.benches
    ]
    times: list[list[object]] = [
        [bench.latency.p50, bench.latency.p99, bench.start.peak_mb] if bench else [None] * 3 for bench in benches
    ]
    first = [scheme.scheme, scheme.file, scheme.size, scheme.parameters, *times[0], scheme.refused]
    return [*first, *(value for part in times[1:] for value in part)]


def _drops(scheme: Scheme, names: Sequence[str]) -> list[float | None]:
    drops = [scheme.drops.get(name) for name in names]
    return [value for drop in drops for value in ((drop.value, drop.low, drop.high) if drop else (None,) * 3)]


def to_markdown(report: Report) -> str:
    """Verdict, tables, errors by layer, and how it was measured."""
    lines = [f"# {report.model.name}: accuracy versus size", "", subtitle(report), ""]
    for verdict in verdicts(report):
        mark = "" if verdict.measured else " *(not measured on one)*"
        lines.append(f"- **{verdict.target}: {verdict.scheme or 'none'}**{mark}. {verdict.reason}")
        if verdict.command:
            lines.append(
                f"  Measure it there: `{verdict.command}`, then merge: `edgelstm report -o FOLDER --bench {verdict.command.split(' > ')[-1]}`."
            )
    lines += ["", *(f"- {remark}" for remark in remarks(report))]
    if report.alarms:
        events = [*report.alarms.sentences, *filter(None, [report.alarms.more])]
        lines += ["", f"## {report.alarms.heading}", "", report.alarms.summary, "", *(f"- {event}" for event in events)]
        lines += ["", f"[{report.alarms.link}]({report.alarms.page})"]
    for table in tables(report):
        lines += ["", f"## {table.title}", "", *_markdown(table)]
        lines += ["", table.note] if table.note else []
    for title, parts in (("Error by layer", report.figures.layers), ("Error by weight tensor", report.figures.weights)):
        lines += ["", f"## {title}", "", *_tensors(parts)] if parts else []
    lines += ["", "## How this was measured", "", *(f"- {name}: {value}" for name, value in facts(report).items())]
    return "\n".join(lines) + "\n"


def _markdown(table: Table) -> list[str]:
    lines = [f"| | {' | '.join(table.columns)} |", "|---|" + "---:|" * len(table.columns)]
    for row in table.rows:
        title = (f"{row.title} ({row.unit})" if row.unit else row.title).replace("|", "\\|")  # may be a channel's name
        lines.append(f"| {title} | {' | '.join(map(_cell, row.cells))} |")
    return lines


def _cell(cell: Cell) -> str:
    noise = ", within noise" if cell.tone == NOISE else ""
    return f"{cell.text} ({cell.note}{noise})" if cell.note else cell.text


def _tensors(parts: Mapping[str, Sequence[TensorError]]) -> list[str]:
    names = list(dict.fromkeys(error.name for errors in parts.values() for error in errors))
    by = {scheme: {error.name: f"{error.error:.3%}" for error in errors} for scheme, errors in parts.items()}
    lines = [f"| tensor | {' | '.join(by)} |", "|---|" + "---:|" * len(by)]
    return lines + [f"| {name} | {' | '.join(texts.get(name, '–') for texts in by.values())} |" for name in names]
