"""Make docs/benchmarks.md from benchmarks/results/*.json, so that no figure in it is typed by hand.

Example: python benchmarks/document.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from document_beyond import beyond_section
from document_device import device_section
from document_feedback import feedback_section
from document_forecasting import forecasting_section
from document_network import flagged_section, network_section, product_section
from latency_page import latency_section
from protocols import together

HERE = Path(__file__).parent
BEFORE = "root mean square"
TITLES = {
    "skab": "SKAB: valves and pump faults, 8 sensors, one model a file (rows 0 to 399 train, the rest tests)",
    "smap_msl": "SMAP/MSL: spacecraft telemetry, the value channel without commands, one model a channel",
    "nab": "NAB: one model a file, trained on the probationary rows alone (first 15 %, at most 750)",
    "tsb_u": "TSB-AD, NAB part: one model a file, the first rows train, all rows are judged",
    "tsb_m": "TSB-AD, SMAP and MSL part: telemetry with commands, 25 or 55 channels",
    "tep": "Tennessee Eastman process: 52 variables, faults 1, 3, ..., 21, one model for all",
    "asd": "ASD: application servers, 19 channels, one model a server",
    "smd": "SMD: server machines, 38 channels, one model a machine",
    "pump": "The embedded pump: simulated, 5 channels",
}
COLUMNS = {
    "vus_pr": "VUS-PR",
    "roc_auc": "ROC-AUC",
    "f1": "F1",
    "far": "FAR",
    "mar": "MAR",
    "event_recall": "event recall",
    "event_precision": "event precision",
    "false_alarms_per_1000_rows": "false alarms / 1000 rows",
    "nab": "NAB (alarms)",
    "nab_rows": "NAB (rows)",
    "nab_tuned_on_labels": "NAB (alarms, threshold tuned on labels)",
    "hit_at_3": "hit@3",
    "largest_file_bytes": "largest file, bytes",
}
PUBLISHED = {
    "skab": "Published on these files (predictions stored by SKAB): Conv-AE F1 .780 at FAR 18.2 %, LSTM-AE .721 at 35.0 %; "
    "always saying anomaly gives .693.",
    "smap_msl": "Published on these channels (TSB-AD, a different protocol): CNN .373, KMeansAD .324, LSTMAD .298 VUS-PR. The test rows of A-5 and D-5 lie "
    "thousands of ranges outside of training: int8 ranks them as float does (0.968 and 0.881, Keras 0.968 and 0.886), and in both they are in alarm "
    "[as long as they last](#rows-far-outside-of-training), 9,437 rows that the labels call normal; no file differs by more than 0.011.",
    "nab": "Published on these files, thresholds chosen on the labels: ARTime 82.8, Numenta HTM 68.2, windowed Gaussian 21.1. "
    "All here are set without labels but those of the column that says so. One detection an alarm, the row it opens at; the column by rows charges every flagged row.",
    "tsb_u": "Published on these files (TSB-AD): KShapeAD .319, AutoEncoder .289. Buffers of VUS-PR are TSB-AD's own sliding windows.",
    "tsb_m": "Published on these files (TSB-AD): CNN .293, KMeansAD .269, LSTMAD .226. Buffers of VUS-PR are TSB-AD's own sliding windows.",
    "tep": "Faults 3, 9 and 15 are known to be all but undetectable.",
    "asd": "hit@3: share of the anomalies whose cause is among the three largest contributions.",
    "smd": "hit@3: share of the anomalies whose cause is among the three largest contributions.",
    "pump": "`demo` is the same training, with seed 0.",
}


def section(report: dict[str, Any]) -> list[str]:
    """One benchmark's heading, conditions and table."""
    name, methods = report["benchmark"], report["methods"]
    shown = [key for key in COLUMNS if any(key in figures for figures in methods.values())]
    options = ", ".join(f"{key} {value}" for key, value in report["options"].items())
    lines = [
        f"## {TITLES[name]}",
        "",
        f"{report['files']} files; {options}. Thresholds: {report['threshold']}. "
        "Median over the seeds, least to most in brackets where they differ; nothing is point-adjusted.",
        "",
        "| method | " + " | ".join(COLUMNS[key] for key in shown) + " |",
        "|---" * (len(shown) + 1) + "|",
    ]
    for method, figures in methods.items():
        lines.append(f"| {method} | " + " | ".join(cell(figures.get(key), key) for key in shown) + " |")
    return [*lines, "", PUBLISHED[name], ""]


def cell(value: list[float] | None, key: str) -> str:
    """A figure as median (least-most).

    >>> cell([0.5, 0.4, 0.6], "f1"), cell([0.5, 0.5, 0.5], "far"), cell(None, "f1")
    ('0.500 (0.400-0.600)', '50.0 %', '-')
    """
    if value is None:
        return "-"
    texts = [form(part, key) for part in value]
    return texts[0] if texts[1] == texts[2] else f"{texts[0]} ({texts[1]}-{texts[2]})"


def form(value: float, key: str) -> str:
    """A figure in its unit."""
    if key in ("far", "mar"):
        return f"{100 * value:.1f} %"
    if key == "largest_file_bytes":
        return f"{value:,.0f}"
    return f"{value:.1f}" if key.startswith("nab") else f"{value:.3f}"


def left_out_section(record: dict[str, Any]) -> list[str]:
    """Designs of the default score by corpus, and the choice with each corpus left out."""
    names = record["corpora"]
    lines = [
        "## Choice of the default score, with each corpus left out",
        "",
        record["conditions"],
        "",
        "| design | " + " | ".join(names) + " | mean of eight |",
        "|---" * (len(names) + 2) + "|",
    ]
    for design, row in [*record["designs"].items(), ("**chosen without the corpus**", record["left_out"])]:
        mean = sum(row[:8]) / 8
        lines.append(f"| {design} | " + " | ".join(f"{value:.3f}" for value in row) + f" | {mean:.3f} |")
    return [*lines, "", *record["notes"], ""]


def decision_section(table: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Alarms by the score alone and by the score with its judges, by corpus, and the choice with each corpus left out."""
    names = list(next(iter(table.values())))
    lines = [
        "## What decides an alarm",
        "",
        "The linear forecast of `--kind linear`, the product's own score and judges, without the rule of rows far outside of training, no rows left out of training "
        "(`python benchmarks/decisions.py`): F1 over rows / share of normal rows flagged / event recall / false alarms in 1000 rows. "
        "The score alone alarms above 1.5 limits; with judges above what they agree on, where each reading counts by its bar: 3.75 "
        "deviations, and at least the 99.9 % quantile of that reading in normal operation, but for *bars alike*, which are the deviations alone. "
        "The judges' bias is a root mean square over the channels or a mean of fourth powers; its deviations leave the chance of a false alarm "
        "as it is, or divide it by the number of channels F, or by its square. **The product is *fourth powers, chance / F*.**",
        "",
        "| decision | " + " | ".join(names) + " | NAB score |",
        "|---" * (len(names) + 2) + "|",
    ]
    chosen = {name: left_out_choice(table, name) for name in names}
    rows = {name: [figures[each] for each in names] for name, figures in table.items()}
    rows["**chosen without the corpus**"] = [table[chosen[each]][each] for each in names]
    for name, figures in rows.items():
        nab = next(one["nab"] for one in figures if "nab" in one)
        lines.append(f"| {name} | " + " | ".join(map(decision_cell, figures)) + f" | {nab:.1f} |")
    return [*lines, "", *(HERE / "results" / "decisions.md").read_text().splitlines(), ""]


def left_out_choice(table: dict[str, dict[str, dict[str, float]]], corpus: str) -> str:
    """The decision with the highest mean of both F1, over rows and over events, on the other corpora.

    Of those that raise no more false alarms there than the root mean square. Corpora with the same channels are left out
    together.
    """
    left_out = together(corpus)

    def others(name: str) -> float:
        rest = [figures for each, figures in table[name].items() if each not in left_out]
        return sum(figures["f1"] + figures["event_f1"] for figures in rest)

    def false_alarms(name: str) -> float:
        return sum(
            figures["false_alarms_per_1000_rows"] for each, figures in table[name].items() if each not in left_out
        )

    quiet = [name for name in table if false_alarms(name) <= false_alarms(BEFORE)]
    return max(quiet, key=others)


def decision_cell(figures: dict[str, float]) -> str:
    """F1, FAR, event recall and false alarms of a decision."""
    return (
        f"{figures['f1']:.3f} / {100 * figures['far']:.1f} % / {figures['event_recall']:.2f} / "
        f"{figures['false_alarms_per_1000_rows']:.2f}"
    )


def by_title(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the reports in the order of the page."""
    return sorted(reports, key=lambda report: list(TITLES).index(report["benchmark"]))


def main() -> None:
    """Write the page."""
    reports = [json.loads(path.read_text()) for path in sorted((HERE / "results").glob("detection_*.json"))]
    lines = [
        "# Benchmarks",
        "",
        "Generated by `python benchmarks/document.py` from `benchmarks/results/`; do not edit.",
        "",
    ]
    lines += left_out_section(json.loads((HERE / "results" / "left_out.json").read_text()))
    lines += product_section(by_title(reports))
    lines += network_section([report for report in by_title(reports) if report["benchmark"] != "pump"])
    lines += decision_section(json.loads((HERE / "results" / "decisions.json").read_text()))
    lines += beyond_section(HERE / "results")
    lines += flagged_section(HERE / "results")
    lines += feedback_section(HERE / "results")
    for name in ("choosing", "promise", "causes", "predicted_limits"):
        if not (HERE / "results" / f"{name}.md").exists():
            lines += [f"No finished run of `python benchmarks/{name}.py`.", ""]
            continue
        lines += [*(HERE / "results" / f"{name}.md").read_text().splitlines(), ""]
    for report in by_title(reports):
        lines += section(report)
    for name in sorted(TITLES.keys() - {report["benchmark"] for report in reports}):
        lines += [f"## {TITLES[name]}", "", f"No finished run: `python benchmarks/detection.py {name} --data …`.", ""]
    lines += forecasting_section(HERE / "results")
    lines += latency_section(HERE / "results")
    lines += device_section(HERE / "results")
    (HERE.parent / "docs" / "benchmarks.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
