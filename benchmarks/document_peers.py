"""Forecasting libraries in docs/benchmarks.md, from benchmarks/results/forecast_peers_*.json."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, median
from typing import Any

Report = dict[str, Any]
CLASSICS = ("ridge linear", "exponential smoothing", "SARIMA")
COSTS = ("method", "training, s", "of the processor", "a forecast, ms", "bytes", "training loss", "validation loss")
LIMIT = 2.0  # per cent that edgelstm may be behind
INTRODUCTION = (
    "**Forecasting libraries** (`python benchmarks/forecast_peers.py`, one seed, one thread): each is fitted once on the training and validation part, which "
    "choose its settings, and forecasts from the same daily origins; what it is given stands under each table. Their budget is small, some minutes of the "
    "processor a case, and their settings are near the libraries' defaults: more steps or a search might make them better. MAE of edgelstm's int8 file against "
    "each, daily origins, per cent; below zero edgelstm is ahead. A dash: not measured; the mean is over the cases measured. "
    "Training losses are not alike: one row ahead for statsforecast, daily forecasts of the newest rows for LightGBM, the newest batches for networks (in each window's own "
    "deviations where they scale it); validation losses are over the horizon, in deviations; AutoARIMA, MSTL and LightGBM were fitted on the training part alone for them."
)


def peers_of(folder: Path, case: str) -> Report:
    """Peers of a case by name; none where they have not been run.

    Args:
        folder: Of the results.
        case: Its name.
    """
    path = folder / f"forecast_peers_{case}.json"
    return dict(json.loads(path.read_text())["peers"]) if path.exists() else {}


def overview(folder: Path, reports: list[Report]) -> list[str]:
    """A table of edgelstm against every method and case, and where it is behind.

    Args:
        folder: Of the results.
        reports: Of the cases.
    """
    found = {
        report["case"]: _against(report, peers_of(folder, report["case"])) for report in reports if report["seeds"]
    }
    names = list(dict.fromkeys(name for gains in found.values() for name in gains))
    if not any(peers_of(folder, case) for case in found):
        return []
    lines = [INTRODUCTION, "", "| against | " + " | ".join(found) + " | mean |", "|---" * (len(found) + 2) + "|"]
    for name in names:
        gains = [one[name] for one in found.values() if name in one]
        cells = [f"{one[name]:+.1f}" if name in one else "-" for one in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} | {mean(gains):+.1f} |")
    return [*lines, "", _behind(found), ""]


def _against(report: Report, peers: Report) -> dict[str, float]:
    """Excess of the int8 error over each method's, per cent."""
    ours = median(run["int8"]["daily"]["mae"] for run in report["seeds"])
    theirs = {name: report["baselines"][name] for name in CLASSICS if name in report["baselines"]} | peers
    return {name: 100 * (ours / found["daily"]["mae"] - 1) for name, found in theirs.items()}


def _behind(found: dict[str, dict[str, float]]) -> str:
    """Say each case in which another method is ahead.

    >>> print(_behind({"a": {"x": 3.0, "y": -1.0}, "b": {"x": -4.0, "y": 1.0}}))
    edgelstm is behind by more than 2 % on a (x 3.0 %); by less on b (y 1.0 %). In the mean over the cases it is behind none.
    """
    texts = []
    for chosen in (lambda gain: gain > LIMIT, lambda gain: 0 < gain <= LIMIT):
        parts = []
        for case, gains in found.items():
            ahead = [f"{name} {gain:.1f} %" for name, gain in gains.items() if chosen(gain)]
            parts += [f"{case} ({', '.join(ahead)})"] if ahead else []
        texts.append(", ".join(parts) or "none")
    names = dict.fromkeys(name for gains in found.values() for name in gains)
    means = {name: mean(gains[name] for gains in found.values() if name in gains) for name in names}
    worse = ", ".join(f"{name} ({gain:+.1f} %)" for name, gain in means.items() if round(gain, 1) > 0)
    return f"edgelstm is behind by more than {LIMIT:.0f} % on {texts[0]}; by less on {texts[1]}. In the mean over the cases it is behind {worse or 'none'}."


def costs(report: Report, peers: Report) -> list[str]:
    """Time, size and losses of each peer and of edgelstm, and what each is.

    Args:
        report: Of the case.
        peers: Its peers.
    """
    if not peers:
        return []
    lines = ["", "| " + " | ".join(COSTS) + " |", "|---" * len(COSTS) + "|"]
    for name, found in peers.items():
        losses = [
            f"{found['losses'][part]:.3f}" if part in found["losses"] else "-" for part in ("training", "validation")
        ]
        each = 1000 * found["forecast_seconds"]["processor"] / report["daily_origins"]
        spent = found["train_seconds"]
        lines.append(
            f"| {name} | {spent['wall']:.0f} | {spent['processor']:.0f} | {each:.1f} | {found['bytes']:,} | {' | '.join(losses)} |"
        )
    if report["seeds"]:
        lines.append(_ours(report["seeds"]))
    said = ". ".join(f"{name}: {found['is']}" for name, found in peers.items())
    return [*lines, "", f"{said}."]


def _ours(runs: list[Report]) -> str:
    seconds, size, loss = (max(run[key] for run in runs) for key in ("train_seconds", "int8_bytes", "validation_mae"))
    return f"| edgelstm, int8 TFLite | {seconds} | - | - | {size:,} | - | {loss:.3f} |"
