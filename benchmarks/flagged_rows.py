"""Normal rows in alarm, by where they lie: ahead of a fault, behind it, or in an alarm that meets no fault.

Example: python benchmarks/flagged_rows.py skab --data DATA --out results

The linear forecast with the product's own score and judges, as in `decisions.py`, which keeps its errors in the same
place. A share of normal rows in alarm does not say what would have to change: alarms that end late, or rows that are
unlike those of training long before anything is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from contenders import Found
from decisions import fitted, judged, kept_errors
from protocols import PROTOCOLS, Case

from edgelstm.evaluation.metrics import Points, points

Flags = npt.NDArray[np.bool_]
AROUND = 60  # rows ahead of a fault that are compared with it
PLACES = (
    "ahead of a fault, in one alarm with it",
    "behind it, within the look-back",
    "behind it, later",
    "no fault met",
)


def spans(flags: Flags) -> list[tuple[int, int]]:
    """First row and row after the last of each stretch that is flagged.

    >>> spans(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def places(flags: Flags, labels: Flags, lookback: int) -> list[int]:
    """Count the flagged normal rows by `PLACES`.

    Args:
        flags: Rows in alarm, (T,).
        labels: Rows of faults, (T,).
        lookback: Rows that the forecast reads.

    >>> labels = np.array([0, 0, 0, 1, 1, 0, 0, 0, 0, 0], bool)
    >>> places(np.array([1, 0, 1, 1, 1, 1, 1, 1, 0, 1], bool), labels, 2)
    [1, 2, 1, 2]
    """
    ahead = near = late = alone = 0
    for first, end in spans(flags):
        faults = np.flatnonzero(labels[first:end])
        if not len(faults):
            alone += end - first
            continue
        ahead += int(faults[0])
        for start, stop in spans(~labels[first:end]):
            if start > 0:  # normal again, after a fault
                near, late = near + min(stop - start, lookback), late + max(0, stop - start - lookback)
    return [ahead, near, late, alone]


def distance(case: Case, first: int, end: int) -> float:
    """Deviation of the channel that some rows move furthest from training, in its standard deviations there.

    Args:
        case: Its rows.
        first: First test row.
        end: Test row after the last.
    """
    spread = np.maximum(case.train.std(axis=0), 1e-9)
    return float(np.abs((case.test[first:end].mean(axis=0) - case.train.mean(axis=0)) / spread).max())


def first_fault(case: Case, flags: Flags) -> dict[str, float | int | str]:
    """Rows that are flagged around a file's first fault, and the distance from training before, in and after it.

    Args:
        case: The file.
        flags: Rows in alarm, of all test rows.
    """
    start, stop = spans(case.labels)[0]
    end = next((first for first, _ in spans(case.labels)[1:]), len(case.test))
    return {
        "file": case.name, "ahead": int(flags[case.start : start].sum()), "behind": int(flags[stop:end].sum()),
        "before": distance(case, max(0, start - AROUND), start) if start else 0.0,
        "fault": distance(case, start, stop), "after": distance(case, stop, end) if stop < end else 0.0,
    }  # fmt: skip


def decided(folder: Path, benchmark: str, out: Path) -> Iterator[tuple[Case, Found, int]]:
    """Yield each case with what the product decides, and the rows that its forecast reads.

    Args:
        folder: The benchmark's.
        benchmark: Its name.
        out: Where errors are kept.
    """
    for case in PROTOCOLS[benchmark](folder):
        known = kept_errors(case, out / "errors" / f"{benchmark}.{case.name}.npz")
        if known is None:
            continue
        normal, test, order = known
        yield case, judged(case, fitted(normal, order * len(case.channels)), normal, test, 1.0), order


@click.command()
@click.argument("corpora", nargs=-1, type=click.Choice(list(PROTOCOLS)))
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of all corpora.")
@click.option("--pump", default="calibration_data", type=click.Path(path_type=Path, exists=True), show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where flagged_rows.json goes.")
def main(corpora: tuple[str, ...], data: Path, pump: Path, out: Path) -> None:
    """Count on some corpora, all of them if none is named; write OUT/flagged_rows.json."""
    table = {}
    for benchmark in corpora or tuple(PROTOCOLS):
        counts, whole, files = np.zeros(len(PLACES), int), Points(0, 0, 0, 0), []
        for case, found, order in decided(pump if benchmark == "pump" else data / benchmark, benchmark, out):
            labels, flags = case.labels[case.start :], found.flags[case.start :]
            here = np.asarray(places(flags, labels, order))
            counts, whole = counts + here, whole + points(labels, flags)
            if case.labels.any():
                files.append(first_fault(case, found.flags))
        table[benchmark] = {
            "rows": asdict(whole), "flagged": dict(zip(PLACES, counts.tolist(), strict=True)), "files": files,
        }  # fmt: skip
        click.echo(f"{benchmark:9} {table[benchmark]['flagged']}", err=True)
        (out / "flagged_rows.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
