"""Alarms by the score alone, and by the score with its judges, on all corpora by the linear forecast.

Example: python benchmarks/decisions.py --data DATA --out results

Forecast, statistics, score and judges are the product's own, of `train --kind linear`, but without a network's libraries
and without rows left out of training: some minutes for all corpora. The pump's rows are those of `calibration_data`. The
errors are kept in OUT/errors, so that another decision is tried without forecasting again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
import numpy.typing as npt
from contenders import Found, alarms_of
from edgelstm.runtime.calibration import newest_rows, segment_scores
from edgelstm.runtime.model_file.scaler import fit_scaler
from edgelstm.runtime.scoring import judges
from edgelstm.runtime.scoring.ewma import EwmaScorer
from edgelstm.runtime.scoring.registry import fit_scoring, scorer_of, style_of
from edgelstm.runtime.scoring.scorer import Scoring
from edgelstm.runtime.scoring.threshold_rules import parse_rule, set_threshold
from judging import openings
from nab_metric import NabScore, nab_score
from protocols import PROTOCOLS, Case

from edgelstm.data.split import split, usable
from edgelstm.evaluation.label_runs import ranges
from edgelstm.evaluation.metrics import Points, match, points
from edgelstm.training.linear_init import solve_linear
from edgelstm.training.lookback import choose_lookback
from edgelstm.training.train import EMBEDDED_ROWS, HELD_ROWS, VALIDATION
from edgelstm.training.witnesses import window_of

Doubles = npt.NDArray[np.float64]
Parts = Sequence[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Decision:
    """A way to decide, by constants of the product."""

    deviations: float = judges.DEVIATIONS
    """That a judge has to see at least."""
    tests: float = judges.TESTS
    """Power of the number of channels that the chance of a false alarm is divided by."""
    bar: float = judges.BAR
    """Quantile of a reading in normal operation that its bar lies above."""
    squares: bool = False
    """True for the root mean square of the channels' biases in place of fourth powers."""
    limit: float = 1.0
    """Limits of the score."""

    def in_force(self) -> AbstractContextManager[None]:
        """Return a context in which the product decides so."""
        stack = ExitStack()
        constants = {"DEVIATIONS": self.deviations, "TESTS": self.tests, "BAR": self.bar}
        stack.enter_context(mock.patch.multiple(judges, **constants))
        if self.squares:
            stack.enter_context(mock.patch.object(judges.Judge, "_lean", EwmaScorer._lean))
        return stack


ALONE = "score alone"
DECISIONS = {
    ALONE: Decision(limit=1.5),
    "root mean square": Decision(tests=0, squares=True),
    "fourth powers": Decision(tests=0),
    "fourth powers, chance / F": Decision(),
    "fourth powers, chance / F²": Decision(tests=2),
    "chance / F, 3.5 deviations": Decision(3.5),
    "chance / F, 4 deviations": Decision(4.0),
    "chance / F, bars alike": Decision(bar=0.0),
}
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


def kept_errors(case: Case, path: Path) -> tuple[list[Doubles], Doubles, int] | None:
    """Return what `errors_of` returns, from the file of an earlier run where there is one."""
    if not path.exists():
        known = errors_of(case)
        if known is None:
            return None
        normal, test, order = known
        path.parent.mkdir(parents=True, exist_ok=True)
        lengths = [len(part) for part in normal]
        np.savez_compressed(path, normal=np.concatenate(normal), lengths=lengths, test=test, order=order)
    with np.load(path) as kept:
        parts = np.split(kept["normal"], np.cumsum(kept["lengths"])[:-1])
        return parts, kept["test"], int(kept["order"])


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


def decided(case: Case, path: Path) -> Iterator[tuple[str, Found]]:
    """Yield what each way to decide finds.

    Args:
        case: The rows.
        path: Where the errors are kept.
    """
    known = kept_errors(case, path)
    if known is None:
        return
    normal, test, order = known
    for name, decision in DECISIONS.items():
        with decision.in_force():
            scoring = fitted(normal, order * len(case.channels))
            scoring = replace(scoring, bars=()) if name == ALONE else scoring
            found = judged(case, scoring, normal, test, decision.limit)
        yield name, found


def judged(case: Case, scoring: Scoring, normal: Sequence[Doubles], test: Doubles, limit: float) -> Found:
    """Decide on the test rows.

    Args:
        case: The rows.
        scoring: Fitted score; without bars it decides alone.
        normal: Errors of normal rows, in stretches.
        test: Errors of test rows.
        limit: Number of the threshold rule.
    """
    return found_of(case, *judged_rows(scoring, normal, test, limit))


def found_of(case: Case, heard: Doubles, threshold: float) -> Found:
    """Return what scores and their bars find.

    Args:
        case: The rows.
        heard: Score and bar of each of the last N test rows, shape (N, 2).
        threshold: The threshold in force.
    """
    late = np.full((len(case.test) - len(heard), 2), np.nan)
    score, bar = np.concatenate([late, heard]).T
    return Found(case, score, np.nan_to_num(score / bar) > 1, alarms_of(score / bar, 1.0), threshold)


def fitted(normal: Sequence[Doubles], values: int) -> Scoring:
    """Return the product's score, fitted on the errors of a linear forecast.

    Args:
        normal: Errors of normal rows, in stretches.
        values: Values that the forecast reads.
    """
    return fit_scoring(np.concatenate(normal), replace(style_of("witnesses"), reads=(values, values)))


def judged_rows(scoring: Scoring, normal: Sequence[Doubles], test: Doubles, limit: float) -> tuple[Doubles, float]:
    """Return the score of each test row and what it has to exceed, shape (N, 2), and the threshold.

    Args:
        scoring: As in `judged`.
        normal: As in `judged`.
        test: As in `judged`.
        limit: As in `judged`.
    """
    scores = [score for part in normal for score in segment_scores(scoring, part)]
    threshold = set_threshold(parse_rule(f"limits:{limit}"), scores).value
    scorer, heard = scorer_of(scoring), []
    for error in test.tolist():
        score = scorer.update(error)[0]
        heard.append((score, scorer.bar(score, threshold)))
    return np.asarray(heard).reshape(-1, 2), threshold


def figures(results: Sequence[Found], benchmark: str) -> dict[str, float]:
    """Quality of alarms: F1 and false alarm rate over rows, event recall, false alarms, and the NAB score."""
    pooled, caught, wanted, right, raised, rows, nab = Points(0, 0, 0, 0), 0, 0, 0, 0, 0, NabScore(0.0, 0)
    for found in results:
        first, labels = found.case.start, found.case.labels
        pooled = pooled + points(labels[first:], found.flags[first:])
        events = match(
            ranges(labels[first:]), [(start - first, end - first) for start, end in found.alarms if end >= first]
        )
        caught, wanted, rows = caught + events.caught, wanted + events.anomalies, rows + len(labels) - first
        right, raised = right + events.true_alarms, raised + events.alarms
        nab = nab + nab_score(openings(found, found.alarms), ranges(labels), first)
    recall, precision = caught / wanted, right / max(raised, 1)
    return {
        "f1": pooled.f1, "far": pooled.false_alarm_rate, "event_recall": recall,
        "event_f1": 2 * recall * precision / max(recall + precision, 1e-9),
        "false_alarms_per_1000_rows": 1000 * (raised - right) / rows,
        **({"nab": nab.normalised} if benchmark == "nab" else {}),
    }  # fmt: skip


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of all corpora.")
@click.option("--pump", default="calibration_data", type=click.Path(path_type=Path, exists=True), show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where decisions.json goes.")
def main(data: Path, pump: Path, out: Path) -> None:
    """Decide on all corpora in each way; write OUT/decisions.json."""
    table: dict[str, dict[str, dict[str, float]]] = {name: {} for name in DECISIONS}
    for benchmark, cases in PROTOCOLS.items():
        found: dict[str, list[Found]] = {name: [] for name in DECISIONS}
        for case in cases(pump if benchmark == "pump" else data / benchmark):
            for name, one in decided(case, out / "errors" / f"{benchmark}.{case.name}.npz"):
                found[name].append(one)
        for name, results in found.items():
            table[name][benchmark] = figures(results, benchmark)
            click.echo(f"{benchmark:9} {name:26} {table[name][benchmark]}", err=True)
        (out / "decisions.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
