"""The forecasting part of docs/benchmarks.md, from benchmarks/results/forecasting_*.json."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from document_peers import costs, overview, peers_of

NEURAL = {"keras": "edgelstm, Keras float", "int8": "edgelstm, int8 TFLite"}
HEADS = ("method", "MAE, daily", "MSE, daily", "MAE, stride 1", "MSE, stride 1", "80 % interval", "95 % interval")
FOOT = (
    "Published (Informer2020's README) on ETTh1, MSE / MAE at stride 1: LSTMa 0.114 / 0.272 (OT, 24), 0.193 / 0.358 (OT, 48), "
    "0.650 / 0.624 (all, 24), 0.702 / 0.675 (all, 48); Informer 0.098 / 0.247, 0.158 / 0.319, 0.577 / 0.549, 0.685 / 0.625. "
    "On OT repeating the last value beats them all."
)


def forecasting_section(folder: Path) -> list[str]:
    """Headings, conditions and tables of all cases; nothing where none has been run."""
    reports = [json.loads(path.read_text()) for path in sorted(folder.glob("forecasting_*.json"))]
    if not reports:
        return []
    lines = [
        "## Forecasting",
        "",
        "Errors in deviations of the training part. All methods forecast from the same daily origins of the test part; figures from "
        "every row (stride 1) follow the published convention. Training and validation part choose everything. Median over "
        "the seeds, least to most in brackets. The interval columns say how many per cent of the test values lay inside, from each row for Keras, from daily origins for int8.",
        "",
    ]
    lines += overview(folder, reports)
    for report in reports:
        lines += _case(report, peers_of(folder, report["case"]))
    return [*lines, FOOT, ""]


def _case(report: dict[str, Any], peers: dict[str, Any]) -> list[str]:
    runs = report["seeds"]
    lines = [
        f"### {report['case']}: {', '.join(report['targets'])}, {report['horizon']} rows ahead",
        "",
        _conditions(report),
        "",
        "| " + " | ".join(HEADS) + " |",
        "|---" * len(HEADS) + "|",
    ]
    for name, found in (report["baselines"] | peers).items():
        lines.append(_row(name, [found]))
    for key, name in NEURAL.items():
        if runs:
            lines.append(_row(name, [run[key] for run in runs]))
    if runs:
        lines += ["", *_verdict(report)]
    lines += costs(report, peers)
    said = [f"{name}: {found['is']}" for name, found in report["baselines"].items() if found["is"]]
    return [*lines, "", ". ".join([*said, ""]).strip(), ""]


def _conditions(report: dict[str, Any]) -> str:
    train, validation, test = report["ends"]
    inputs = [*report["covariates"], *(f"{name} (its past alone)" for name in report["inputs"])]
    return (
        f"{report['rows']} rows: training to {train}, validation to {validation}, test to {test}; {report['daily_origins']} daily "
        f"origins, {report['origins']} at stride 1. Inputs beside the targets' past: {', '.join(inputs) or 'none'} "
        f"({report['note']}). {len(report['seeds'])} seeds. A deviation is "
        f"{', '.join(f'{one:.4g}' for one in report['deviation'])} in the file's units."
    )


def _row(name: str, found: list[dict[str, Any]]) -> str:
    cells = [
        _spread([one[where][key] for one in found if where in one])
        for where in ("daily", "stride_1")
        for key in ("mae", "mse")
    ]
    covers = [
        _spread([100 * one["coverage"][level] for one in found if "coverage" in one], 1) for level in ("80", "95")
    ]
    return f"| {name} | " + " | ".join([*cells, *covers]) + " |"


def _spread(values: list[float], digits: int = 3) -> str:
    """Median (least-most).

    >>> _spread([0.5, 0.4, 0.6]), _spread([]), _spread([0.5])
    ('0.500 (0.400-0.600)', '-', '0.500')
    """
    if not values:
        return "-"
    middle, low, high = (f"{value:.{digits}f}" for value in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low}-{high})"


def _verdict(report: dict[str, Any]) -> list[str]:
    """Median int8 MAE against the baselines', and against float, at daily origins; file size."""
    runs = report["seeds"]
    int8 = median(run["int8"]["daily"]["mae"] for run in runs)
    theirs = {name: report["baselines"].get(name) for name in ("ridge linear", "linear, absolute error", "SARIMA")}
    parts = [
        f"{100 * (int8 / found['daily']['mae'] - 1):+.1f} % against {name}" for name, found in theirs.items() if found
    ]
    drop = max(abs(run["int8"]["daily"]["mae"] / run["keras"]["daily"]["mae"] - 1) for run in runs)
    size = max(run["int8_bytes"] for run in runs)
    seconds = max(run["train_seconds"] for run in runs)
    verdict = f"int8, daily MAE: {', '.join(parts)}; {100 * drop:.1f} % from float at most. Largest file {size:,} bytes, longest training {seconds} s."
    return [verdict, *_intervals([run["keras"]["intervals"] for run in runs if "intervals" in run["keras"]])]


def _intervals(reports: list[dict[str, Any]]) -> list[str]:
    """Coverage over the hours of the day, of the file's own intervals and of those that follow on a device; none where not measured."""
    if not reports:
        return []
    parts = []
    for name, text in (("fixed", "the file's own"), ("live", "live")):
        shares = [
            f"{level} %: {_middle(reports, name, level, 'mean')} ({_middle(reports, name, level, 'least')} to {_middle(reports, name, level, 'most')})"
            for level in ("80", "95")
        ]
        crps = median(one[name]["crps"] for one in reports)
        parts.append(f"{text} {', '.join(shares)}, CRPS {crps:.3f}")
    return [
        "",
        f"Intervals, Keras, a forecast from every row, per cent inside in the mean (least and most over hours and targets): {'; '.join(parts)}.",
    ]


def _middle(reports: list[dict[str, Any]], name: str, level: str, key: str) -> str:
    return f"{100 * median(one[name][level][key] for one in reports):.1f}"
