"""Figures of the detection benchmark; no threshold is picked on labels here but the one named an oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from contenders import Found, alarms_of
from nab_metric import NabScore, nab_score

from edgelstm.evaluation.label_runs import ranges
from edgelstm.evaluation.metrics import Points, match, points, roc_auc, vus_pr

FACTORS = np.geomspace(0.25, 4, 25)  # of every threshold, tried by the oracle


def summarize(results: Sequence[Found], benchmark: str) -> dict[str, Any]:
    """Figures of one method over all cases of one seed."""
    pooled, caught, wanted, right, raised, rows = Points(0, 0, 0, 0), 0, 0, 0, 0, 0
    volumes, curves = [], []
    for found in results:
        case, first = found.case, found.case.start
        labels, scores = case.labels[first:], np.nan_to_num(found.scores[first:])
        pooled = pooled + points(labels, found.flags[first:])
        volumes.append(vus_pr(labels, scores, case.window))
        curves.append(roc_auc(labels, scores))
        alarms = [(start - first, end - first) for start, end in found.alarms if end >= first]
        events = match(ranges(labels), alarms)
        caught, wanted = caught + events.caught, wanted + events.anomalies
        right, raised, rows = right + events.true_alarms, raised + events.alarms, rows + len(labels)
    sizes = [found.size for found in results if found.size]
    hits, causes = np.sum([found.hits for found in results], axis=0)
    return {
        "vus_pr": mean(volumes), "roc_auc": mean(curves),
        "f1": pooled.f1, "far": pooled.false_alarm_rate, "mar": pooled.missed_alarm_rate,
        "event_recall": caught / wanted, "event_precision": right / raised if raised else None,
        "false_alarms_per_1000_rows": 1000 * (raised - right) / rows,
        **(nab(results) if benchmark == "nab" else {}),
        **({"hit_at_3": float(hits / causes)} if causes else {}),
        **({"largest_file_bytes": max(sizes)} if sizes else {}),
        "files": {found.case.name: value for found, value in zip(results, volumes, strict=True)},
    }  # fmt: skip


def mean(values: Sequence[float | None]) -> float:
    """Mean of the figures that are defined."""
    return float(np.mean([value for value in values if value is not None]))


def openings(found: Found, alarms: Sequence[tuple[int, int]]) -> Any:
    """One detection an alarm: the row that opened it."""
    flags = np.zeros(len(found.scores), bool)
    flags[[start for start, _ in alarms]] = True
    return flags


def nab(results: Sequence[Found]) -> dict[str, float]:
    """NAB score by alarms (one detection an alarm), by rows, and by alarms with the best factor on the labels."""

    def total(choose: Callable[[Found], Any]) -> float:
        parts = [nab_score(choose(found), ranges(found.case.labels), found.case.start) for found in results]
        return sum(parts, NabScore(0.0, 0)).normalised

    def moved(found: Found, factor: float) -> Any:
        return openings(found, alarms_of(found.scores, found.threshold * factor))

    return {
        "nab": total(lambda found: openings(found, found.alarms)),
        "nab_rows": total(lambda found: found.flags),
        "nab_tuned_on_labels": max(total(lambda found, factor=factor: moved(found, factor)) for factor in FACTORS),
    }


def medians(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median, least and most of each figure over the seeds; VUS-PR by file is of the first."""
    names = [name for name, value in seeds[0].items() if isinstance(value, (int, float))]
    figures = {name: [float(seed[name]) for seed in seeds if seed[name] is not None] for name in names}
    middle = {name: [float(np.median(v)), min(v), max(v)] for name, v in figures.items() if v}
    return {**middle, "files": seeds[0]["files"]}
