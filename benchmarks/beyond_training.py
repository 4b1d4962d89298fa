"""Rows far outside of training as anomalies by themselves: from which distance on, judged on all corpora.

Example: python benchmarks/beyond_training.py --data DATA --out results

The linear forecast with the product's own score and judges, as in `decisions.py`, whose errors are taken from OUT/errors where
they are kept. Beyond each distance a row counts as an anomaly, whatever the judges say. The product's is the one with the
highest mean F1 over rows among those that raise no more false alarms than the judges alone, with each corpus left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import click
import numpy as np
import numpy.typing as npt
from contenders import Found
from decisions import fitted, found_of, judged_rows, kept_errors
from document_beyond import table_of
from edgelstm.runtime.input import beyond
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from judging import summarize
from protocols import PROTOCOLS, Case, together

RANGES = (math.inf, 1.0, 2.0, 3.0, 5.0, 10.0)


def measure_of(case: Case, ranges: float) -> beyond.Beyond:
    """Return the distance from a case's rows of training, 1 for so many of their ranges."""
    names = [f"{number}" for number in range(case.train.shape[1])]
    ends = zip(names, np.nanmin(case.train, axis=0), np.nanmax(case.train, axis=0), strict=True)
    channels = tuple(Channel(name, train_low=float(low), train_high=float(high)) for name, low, high in ends)
    same = Scaler("none", (0.0,) * len(names), (1.0,) * len(names))
    with mock.patch.object(beyond, "RANGES", ranges):
        return beyond.Beyond(Metadata("forecaster", 1, 1, channels, None, same))


def lifted(found: npt.NDArray[np.float64], case: Case, ranges: float, threshold: float) -> npt.NDArray[np.float64]:
    """Return scores and bars with rows that are further outside than so many ranges as anomalies.

    Args:
        found: Score and bar of each test row that has one, shape (N, 2).
        case: The rows.
        ranges: Distance from which on they count.
        threshold: The threshold in force.
    """
    changed = found.copy()
    for row, distances in far_rows(case, len(found), ranges):
        changed[row] = beyond.lifted((found[row, 0], ()), distances, threshold)[0], threshold
    return changed


def far_rows(case: Case, count: int, ranges: float = beyond.RANGES) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Yield those of the last test rows that are further outside than so many ranges, with their distances.

    Args:
        case: The rows.
        count: Number of last rows, which are numbered from 0.
        ranges: Distance from which on they count.
    """
    if math.isinf(ranges):
        return
    measure = measure_of(case, ranges)
    for row, values in enumerate(case.test[len(case.test) - count :].tolist()):
        if distances := measure.distances(values):
            yield row, distances


def outcomes(case: Case, path: Path) -> dict[float, Found]:
    """Return what is found on a case from each distance on; empty where it has too few rows of training."""
    known = kept_errors(case, path)
    if known is None:
        return {}
    normal, test, order = known
    heard, threshold = judged_rows(fitted(normal, order * len(case.channels)), normal, test, 1.0)
    return {ranges: found_of(case, lifted(heard, case, ranges, threshold), threshold) for ranges in RANGES}


def left_out_choices(figures: dict[str, dict[str, dict[str, float]]]) -> dict[str, str]:
    """Return the distance that each corpus would be judged with if the others had chosen it.

    Of the distances that raise no more false alarms there than the judges alone, the one with the highest mean F1 over rows.
    """
    chosen = {}
    for corpus in figures:
        rest = [one for name, one in figures.items() if name not in together(corpus)]
        alarms, quality = (
            {distance: sum(one[distance][key] for one in rest) for distance in rest[0]}
            for key in ("false_alarms_per_1000_rows", "f1")
        )
        quiet = [distance for distance in quality if alarms[distance] <= alarms["inf"] and distance != "inf"]
        chosen[corpus] = max(quiet, key=quality.__getitem__)
    return chosen


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of all corpora.")
@click.option("--pump", default="calibration_data", type=click.Path(path_type=Path, exists=True), show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where beyond_training.json goes.")
def main(data: Path, pump: Path, out: Path) -> None:
    """Judge all corpora from each distance on; write OUT/beyond_training.json, and print its table."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for benchmark, cases in PROTOCOLS.items():
        found: dict[float, list[Found]] = {ranges: [] for ranges in RANGES}
        for case in cases(pump if benchmark == "pump" else data / benchmark):
            for ranges, one in outcomes(case, out / "errors" / f"{benchmark}.{case.name}.npz").items():
                found[ranges].append(one)
        figures[benchmark] = {f"{ranges:g}": short(results, benchmark) for ranges, results in found.items()}
        click.echo(f"{benchmark} done", err=True)
    (out / "beyond_training.json").write_text(json.dumps(figures, indent=1) + "\n")
    click.echo("\n".join(table_of(figures)))
    click.echo(f"chosen by the others: {left_out_choices(figures)}")


def short(results: Sequence[Found], benchmark: str) -> dict[str, float]:
    """Return the figures that the table shows, and the NAB score where there is one."""
    whole = summarize(results, benchmark)
    names = ("vus_pr", "f1", "far", "event_recall", "event_precision", "false_alarms_per_1000_rows", "nab_score")
    return {name: whole[name] for name in names if name in whole}


if __name__ == "__main__":
    main()
