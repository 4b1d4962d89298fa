"""Detection quality on public data: the trained model in Keras and in int8 beside the usual baselines.

Example: python benchmarks/detection.py skab --data DATA/skab --out results --seeds 3

The pump's folder is `calibration_data`; LSTMAD, which takes as long as our own training, runs with --groups.

Every figure follows the data's own protocol (see benchmarks/protocols.py). Thresholds come from training rows; no label
sets one and no row is counted because its neighbour was found. A file that is done is kept in OUT/cases, so that a run
that was stopped goes on where it was, and its model in OUT/models: without OUT/cases another decision is judged on the same
models. Methods that this run leaves out keep their figures in OUT/detection_BENCHMARK.json.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
from contenders import GROUPS, Found
from edgelstm.runtime.calibration import rule_of
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.scoring.witnesses import WITNESSES
from judging import medians, openings, summarize
from protocols import PROTOCOLS

from edgelstm.training.train import Options

METHODS_THRESHOLD = "99.5 % quantile of training scores, times 1 + 8 / sqrt(N), at most 2"


def one(benchmark: str, data: Path, number: int, group: str, seed: int, kept: Path) -> dict[str, Found]:
    """A group of methods on one file with one seed, from the folder of finished cases where it is there."""
    case = list(PROTOCOLS[benchmark](data))[number]
    path = kept / f"{benchmark}.{group}.{seed}.{case.name}.pickle"
    if path.exists():
        found: dict[str, Found] = pickle.loads(path.read_bytes())
        return found
    found = GROUPS[group](case, seed, kept.parent / "models" / f"{benchmark}.{seed}.{case.name}.keras")
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_bytes(pickle.dumps(found))
    beside.replace(path)
    return found


def write_predictions(folder: Path, found: Found, benchmark: str) -> None:
    """Row, score and anomaly of every test row; NAB counts detections, so there the anomaly is the row an alarm opens at."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = openings(found, found.alarms) if benchmark == "nab" else found.flags
    with (folder / f"{found.case.name}.csv").open("w", newline="") as stream:
        write = csv.writer(stream, lineterminator="\n").writerow
        write(("row", "score", "anomaly"))
        for row, (score, flag) in enumerate(zip(found.scores, flags, strict=True)):
            write((row, "" if score != score else f"{score:.6g}", int(flag)))


def record(
    benchmark: str, files: int, seeds: int, peer_seeds: int, collected: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """The report as JSON types."""
    ours = rule_of(Metadata("forecaster", 1, scoring=WITNESSES))
    options = Options()
    shape = options.architecture
    return {
        "benchmark": benchmark,
        "files": files,
        "options": {
            "edgelstm": "train with no option", "kind": shape.kind, "units": shape.units, "epochs": options.epochs,
            "patience": options.patience, "look-back": "chosen for each file by BIC", "seeds": seeds,
            "seeds of other methods": peer_seeds,
        },
        "threshold": f"edgelstm: rule {ours}; other methods: {METHODS_THRESHOLD}",
        "methods": {name: medians(parts) for name, parts in collected.items()},
    }  # fmt: skip


@click.command()
@click.argument("benchmark", type=click.Choice(list(PROTOCOLS)))
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="The benchmark's folder.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where results and predictions go.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--peer-seeds", type=click.IntRange(1), help="Of the other methods.  [default: as many]")
@click.option("--groups", default="peers,ours", show_default=True, help=f"Of {', '.join(GROUPS)}.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Files at a time, one core each.")
def main(benchmark: str, data: Path, out: Path, seeds: int, peer_seeds: int | None, groups: str, jobs: int) -> None:
    """Run one benchmark; write OUT/detection_BENCHMARK.json and OUT/predictions/METHOD/FILE.csv (of seed 0)."""
    count = len(list(PROTOCOLS[benchmark](data)))
    kept = out / "cases"
    kept.mkdir(parents=True, exist_ok=True)
    collected: dict[str, list[dict[str, Any]]] = {}
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        tasks = {
            (group, seed): [pool.submit(one, benchmark, data, number, group, seed, kept) for number in range(count)]
            for group in groups.split(",")
            for seed in range(seeds if group == "ours" else peer_seeds or seeds)
        }
        for (group, seed), waiting in tasks.items():
            by_method: dict[str, list[Found]] = {}
            for task in waiting:
                for name, found in task.result().items():
                    by_method.setdefault(name, []).append(found)
                    if seed == 0:
                        write_predictions(out / "predictions" / name.replace(" ", "_"), found, benchmark)
                click.echo(f"{group}, seed {seed}: {found.case.name}", err=True)
            for name, results in by_method.items():
                collected.setdefault(name, []).append(summarize(results, benchmark))
    report = record(benchmark, count, seeds, peer_seeds or seeds, collected)
    target = out / f"detection_{benchmark}.json"
    if target.exists():
        report["methods"] = json.loads(target.read_text())["methods"] | report["methods"]
    target.write_text(json.dumps(report, indent=1) + "\n")
    for name, figures in report["methods"].items():
        line = " ".join(f"{key} {value[0]:.3f}" for key, value in figures.items() if isinstance(value, list))
        click.echo(f"{name:22} {line}")
    click.echo(str(target), err=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
