"""Alarms by the score alone, and by the score with its judges, on all corpora by the linear forecast.

Example: python benchmarks/decisions.py --data DATA --out results

Forecast, statistics, score and judges are the product's own, of `train --kind linear`, but without a network's libraries
and without rows left out of training: some minutes for all corpora. The pump's rows are those of `calibration_data`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from contenders import Found, alarms_of
from edgelstm.runtime.calibration import newest_rows
from edgelstm.runtime.model_file.scaler import fit_scaler
from edgelstm.runtime.scoring.registry import fit_scoring, scorer_of, style_of
from edgelstm.runtime.scoring.threshold_rules import parse_rule, set_threshold
from edgelstm.runtime.scoring.witnesses import AGREEMENT
from judging import openings
from nab_metric import NabScore, nab_score
from protocols import PROTOCOLS, Case

from edgelstm.data.split import split, usable
from edgelstm.evaluation.metrics import Points, match, points, ranges
from edgelstm.training.linear_init import solve_linear
from edgelstm.training.lookback import choose_lookback
from edgelstm.training.train import EMBEDDED_ROWS, HELD_ROWS, VALIDATION
from edgelstm.training.witnesses import window_of

Doubles = npt.NDArray[np.float64]
Parts = Sequence[npt.NDArray[np.float32]]
ALONE = "score alone"
BATCH = 2000  # windows


class Windows:
    """Windows of scaled rows with their targets, batch by batch, as `solve_linear` takes them."""

    def __init__(self, parts: Parts, rows: int) -> None:
        views = [np.lib.stride_tricks.sliding_window_view(part, rows + 1, axis=0) for part in parts if len(part) > rows]
        self._batches = [view[at : at + BATCH] for view in views for at in range(0, len(view), BATCH)]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        batch = np.moveaxis(self._batches[number], -1, 1)
        return batch[:, :-1], batch[:, -1:]


def errors_of(case: Case) -> tuple[list[Doubles], Doubles, int] | None:
    """Return errors of the linear forecast on normal rows and on test rows, and the rows that it reads."""
    parts = usable(case.parts(), 8)
    lookback = window_of(choose_lookback(parts, next_row=True), max(map(len, parts)), None)
    early, late = split(parts, VALIDATION, lookback.rows + 1)
    if not early or not late:
        return None
    scaler = fit_scaler(np.concatenate(early))
    scaled = [[scaler.transform(part) for part in side] for side in (early, late)]
    order = lookback.order
    kernel, bias = solve_linear(Windows([part[lookback.rows - order :] for part in scaled[0]], order), order)

    def errors(part: npt.NDArray[np.float32]) -> Doubles:
        pairs = Windows([part[lookback.rows - order :]], order)
        batches = (pairs[number] for number in range(len(pairs)))
        found = [target[:, 0] - (window.reshape(len(window), -1) @ kernel + bias) for window, target in batches]
        return np.concatenate(found).astype(np.float64) if found else np.zeros((0, part.shape[1]))

    kept = [*newest_rows(scaled[0], EMBEDDED_ROWS), *newest_rows(scaled[1], HELD_ROWS)]
    return [errors(part) for part in kept], errors(scaler.transform(case.test)), order


def decided(case: Case, limits: dict[str, tuple[float, float]]) -> Iterator[tuple[str, Found]]:
    """Yield what each way to decide finds.

    Args:
        case: The rows.
        limits: By name the limits of the score, and the deviations of the judges.
    """
    known = errors_of(case)
    if known is None:
        return
    normal, test, order = known
    reads = order * len(case.channels)
    scoring = fit_scoring(np.concatenate(normal), replace(style_of("witnesses"), reads=(reads, reads)))
    threshold = dict.fromkeys(limits, 0.0)
    fresh = [scorer_of(replace(scoring, agreement=0.0)) for _ in normal]
    scores = [one.update(error)[0] for one, part in zip(fresh, normal, strict=True) for error in part.tolist()]
    for name, (limit, _) in limits.items():
        threshold[name] = set_threshold(parse_rule(f"limits:{limit}"), scores).value
    scorer, rows = scorer_of(scoring), []
    for error in test.tolist():
        score = scorer.update(error)[0]
        rows.append((score, score / max(scorer.bar(score, 1e-30), 1e-30)))  # judges: what they see, in AGREEMENT
    late = np.full((len(case.test) - len(rows), 2), np.nan)
    score, seen = np.concatenate([late, np.asarray(rows).reshape(-1, 2)]).T
    for name, (_, deviations) in limits.items():
        heard = np.minimum(score / threshold[name], seen * AGREEMENT / deviations if deviations else np.inf)
        flags = np.nan_to_num(heard) > 1
        yield name, Found(case, score, flags, alarms_of(heard, 1.0), threshold[name])


def figures(results: Sequence[Found], benchmark: str) -> dict[str, float]:
    """Quality of alarms: F1 and false alarm rate over rows, event recall, false alarms, and the NAB score."""
    pooled, caught, wanted, false, rows, nab = Points(0, 0, 0, 0), 0, 0, 0, 0, NabScore(0.0, 0)
    for found in results:
        first, labels = found.case.start, found.case.labels
        pooled = pooled + points(labels[first:], found.flags[first:])
        events = match(
            ranges(labels[first:]), [(start - first, end - first) for start, end in found.alarms if end >= first]
        )
        caught, wanted, false = caught + events.caught, wanted + events.anomalies, false + events.false_alarms
        rows += len(labels) - first
        nab = nab + nab_score(openings(found, found.alarms), ranges(labels), first)
    return {
        "f1": pooled.f1, "far": pooled.false_alarm_rate, "event_recall": caught / wanted,
        "false_alarms_per_1000_rows": 1000 * false / rows, **({"nab": nab.normalised} if benchmark == "nab" else {}),
    }  # fmt: skip


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of all corpora.")
@click.option("--pump", default="calibration_data", type=click.Path(path_type=Path, exists=True), show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where decisions.json goes.")
def main(data: Path, pump: Path, out: Path) -> None:
    """Decide on all corpora in each way; write OUT/decisions.json."""
    limits = {ALONE: (1.5, 0.0), **{f"judges {number:g}": (1.0, number) for number in (3.0, AGREEMENT, 4.5)}}
    table: dict[str, dict[str, dict[str, float]]] = {name: {} for name in limits}
    for benchmark, cases in PROTOCOLS.items():
        found: dict[str, list[Found]] = {name: [] for name in limits}
        for case in cases(pump if benchmark == "pump" else data / benchmark):
            for name, one in decided(case, limits):
                found[name].append(one)
        for name, results in found.items():
            table[name][benchmark] = figures(results, benchmark)
            click.echo(f"{benchmark:9} {name:14} {table[name][benchmark]}", err=True)
        out.mkdir(parents=True, exist_ok=True)
        (out / "decisions.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
