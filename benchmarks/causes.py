"""Causes of anomalies on ASD and SMD: how often a true one is among the first three channels.

Example: python benchmarks/causes.py --data DATA --out results

The linear forecast of `--kind linear` and the product's own contributions. `chance` is the share that three channels drawn
at random would hit: many anomalies have many causes. The errors are kept in OUT/errors, as by `decisions.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from beyond_training import far_rows
from decisions import fitted, judged_rows, kept_errors
from edgelstm.runtime.input.beyond import lifted
from edgelstm.runtime.scoring.registry import scorer_of
from protocols import PROTOCOLS, Case

Doubles = npt.NDArray[np.float64]
CORPORA = ("asd", "smd")
FIRST = 3  # channels that count
HEAD = """## Causes

Share of the labelled anomalies with a true cause among the first three channels of `contribution`; linear forecast (`python benchmarks/causes.py`). *Largest error* is each channel's error in its own of normal operation. *Chance* is what three channels drawn at random hit: many anomalies have many causes."""
METHODS = ("at the highest score", "summed over the anomaly", "largest error at the highest score", "chance")


def hits(case: Case, path: Path) -> list[tuple[float, ...]]:
    """Return, for each anomaly with known causes, the hit of each of `METHODS`: 0 or 1, or the chance of one."""
    known = kept_errors(case, path)
    if known is None:
        return []
    normal, test, order = known
    channels = len(case.channels)
    scoring = fitted(normal, order * channels)
    scorer = scorer_of(scoring)
    scored = [scorer.update(error) for error in test.tolist()]
    late = len(case.test) - len(test)
    _, threshold = judged_rows(scoring, normal, test[:0], 1.0)
    for row, distances in far_rows(case, len(test)):
        scored[row] = lifted(scored[row], distances, threshold)
    errors = np.abs(test) / scoring.scale
    found = []
    for first, last, causes in case.causes:
        rows = range(max(first - late, 0), last + 1 - late)
        peak = max(rows, key=lambda row: scored[row][0])
        parts = np.square([scored[row][1] for row in rows]).sum(axis=0)
        ranked = (np.asarray(scored[peak][1]), parts, errors[peak])
        found.append((*(_hit(part, causes) for part in ranked), _chance(channels, len(causes))))
    return found


def _hit(parts: Doubles, causes: Sequence[int]) -> float:
    return float(bool(set(np.argsort(-parts)[:FIRST].tolist()) & set(causes)))


def _chance(channels: int, causes: int) -> float:
    """Return the chance that one of three channels drawn at random is a cause."""
    return 1.0 - math.comb(channels - causes, FIRST) / math.comb(channels, FIRST)


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of all corpora.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where causes.json goes.")
def main(data: Path, out: Path) -> None:
    """Judge contributions; write OUT/causes.json."""
    table = {}
    for benchmark in CORPORA:
        found = []
        for case in PROTOCOLS[benchmark](data / benchmark):
            found += hits(case, out / "errors" / f"{benchmark}.{case.name}.npz")
        share = np.mean(found, axis=0)
        table[benchmark] = {"anomalies": len(found), **dict(zip(METHODS, map(float, share), strict=True))}
        click.echo(f"{benchmark}: {table[benchmark]}")
    (out / "causes.json").write_text(json.dumps(table, indent=1) + "\n")
    heads = ["corpus", "anomalies", *METHODS]
    cells = [[name, row["anomalies"], *(f"{row[method]:.3f}" for method in METHODS)] for name, row in table.items()]
    rows = [heads, ["---"] * len(heads), *cells]
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    (out / "causes.md").write_text("\n".join([HEAD, "", *lines, ""]))


if __name__ == "__main__":
    main()
