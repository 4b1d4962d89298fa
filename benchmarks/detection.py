"""Detection quality on public data: the trained model in Keras and in int8 beside the usual baselines.

Example: python benchmarks/detection.py skab --data DATA/skab --out benchmarks/results --seeds 3

Every figure follows the data's own protocol (see benchmarks/protocols.py). Thresholds come from training rows by one
rule for all methods and files; no label sets one and no row is counted because its neighbour was found.
"""

from __future__ import annotations

import csv
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from baselines import BASELINES, Doubles, run
from edgelstm.runtime.decider import Decider
from edgelstm.runtime.threshold import fit_threshold
from protocols import PROTOCOLS, Case

from edgelstm.metrics import NabScore, Points, match, nab_score, points, ranges, vus_pr

KERAS, INT8, LSTMAD = "edgelstm Keras", "edgelstm int8", "LSTMAD"
UNITS, EPOCHS, PATIENCE, LOOKBACK = (16,), 8, 2, {"skab": 10, "smap_msl": 32, "nab": 32}


@dataclass(frozen=True)
class Found:
    """What one method said about one case."""

    case: Case
    """The rows and labels."""
    scores: Doubles
    """Score of each test row, NaN where there is none."""
    flags: Any
    """Whether each test row is above the threshold."""
    alarms: tuple[tuple[int, int], ...]
    """First and last row of each alarm."""
    size: int | None = None
    """Bytes of the model file."""


def by_threshold(case: Case, train_scores: Doubles, scores: Doubles) -> Found:
    """Judge a baseline's scores by the product's threshold and de-bounce rules."""
    limit = fit_threshold(train_scores).value
    decider = Decider(("all",))
    closed = [decider.update(row, None, score, limit, (1.0,)) for row, score in enumerate(np.nan_to_num(scores))]
    events = [event for event in [*closed, decider.finish()] if event and event.state == "closed"]
    alarms = tuple((int(event.start or 0), int(event.end or 0)) for event in events)
    return Found(case, scores, np.nan_to_num(scores) > limit, alarms)


def ours(case: Case, seed: int, lookback: int, plain: bool = False, int8: bool = True) -> dict[str, Found]:
    """Train, convert and replay; `plain` is LSTMAD: a stacked LSTM forecaster, unsmoothed, not converted."""
    from edgelstm.runtime.metadata import Metadata

    from edgelstm.conversion import convert_file
    from edgelstm.evaluation import load_detector, replay
    from edgelstm.models import Architecture
    from edgelstm.series import Series
    from edgelstm.training import Options, train

    def series(rows: Doubles) -> Series:
        return Series(rows, np.arange(float(len(rows))), case.channels, case.period, ((0, len(rows)),))

    architecture = Architecture("forecaster", units=(20, 20) if plain else UNITS, linear=not plain)
    options = Options(architecture, lookback=lookback, epochs=EPOCHS, patience=PATIENCE, seed=seed)
    trained = train(series(case.train), options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        trained.save(path)
        detector, _ = load_detector(path, series(case.test))
        if plain:
            metadata: Metadata = trained.metadata
            assert metadata.scoring
            detector.scorer.scoring = replace(metadata.scoring, smoothing=1.0)
            found = replay(detector, case.test)
            return {LSTMAD: by_threshold(case, found.scores[: len(case.train)], found.scores)}
        found = replay(detector, case.test)
        results = {KERAS: Found(case, found.scores, found.flagged, found.alarms)}
        if not int8:
            return results
        small = Path(folder) / "model.int8.tflite"
        convert_file(path, ("int8",), allow_drop=True)["int8"].bundle.save(small)
        found = replay(load_detector(small)[0], case.test)
        results[INT8] = Found(case, found.scores, found.flagged, found.alarms, small.stat().st_size)
    return results


def summarize(results: Sequence[Found], benchmark: str) -> dict[str, Any]:
    """Figures of one method over all cases of one seed."""
    pooled, caught, wanted, right, raised, rows = Points(0, 0, 0, 0), 0, 0, 0, 0, 0
    volumes = []
    for found in results:
        case, first = found.case, found.case.start
        labels, scores = case.labels[first:], np.nan_to_num(found.scores[first:])
        pooled = pooled + points(labels, found.flags[first:])
        volumes.append(vus_pr(labels, scores))
        alarms = [(start - first, end - first) for start, end in found.alarms if end >= first]
        events = match(ranges(labels), alarms)
        caught, wanted = caught + events.caught, wanted + events.anomalies
        right, raised, rows = right + events.true_alarms, raised + events.alarms, rows + len(labels)
    known = [value for value in volumes if value is not None]
    summary = {
        "f1": pooled.f1, "far": pooled.false_alarm_rate, "mar": pooled.missed_alarm_rate,
        "vus_pr": float(np.mean(known)), "event_recall": caught / wanted,
        "event_precision": right / raised if raised else None,
        "false_alarms_per_1000_rows": 1000 * (raised - right) / rows,
        "files": {found.case.name: value for found, value in zip(results, volumes, strict=True)},
    }  # fmt: skip
    if benchmark == "nab":
        summary.update(nab(results))
    sizes = [found.size for found in results if found.size]
    return {**summary, "largest_file_bytes": max(sizes)} if sizes else summary


def nab(results: Sequence[Found]) -> dict[str, float]:
    """NAB score by rows, by alarms (one detection an alarm), and by rows with the best threshold on the labels."""

    def total(flags: Sequence[Any]) -> float:
        parts = [
            nab_score(flag, ranges(found.case.labels), found.case.start)
            for flag, found in zip(flags, results, strict=True)
        ]
        return sum(parts, NabScore(0.0, 0)).normalised

    openings = [np.zeros(len(found.scores), bool) for found in results]
    for opening, found in zip(openings, results, strict=True):
        opening[[start for start, _ in found.alarms]] = True
    limits = [float(np.nanmax(found.scores[: found.case.start])) or 1.0 for found in results]
    oracle = max(
        total([np.nan_to_num(found.scores) > limit * factor for found, limit in zip(results, limits, strict=True)])
        for factor in np.geomspace(0.5, 20, 30)
    )
    return {
        "nab_rows": total([found.flags for found in results]),
        "nab": total(openings),
        "nab_rows_tuned_on_labels": oracle,
    }


def write_predictions(folder: Path, found: Found) -> None:
    """Row, score and anomaly of every test row."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{found.case.name}.csv").open("w", newline="") as stream:
        write = csv.writer(stream, lineterminator="\n").writerow
        write(("row", "score", "anomaly"))
        for row, (score, flag) in enumerate(zip(found.scores, found.flags, strict=True)):
            write((row, "" if np.isnan(score) else f"{score:.6g}", int(flag)))


def medians(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median, least and most of each figure over the seeds."""
    names = [name for name, value in seeds[0].items() if isinstance(value, (int, float))]
    figures = {name: [float(seed[name]) for seed in seeds if seed[name] is not None] for name in names}
    middle = {name: [float(np.median(v)), min(v), max(v)] for name, v in figures.items() if v}
    return {**middle, "files": seeds[0].get("files", {})}


@click.command()
@click.argument("benchmark", type=click.Choice(list(PROTOCOLS)))
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="The benchmark's folder.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where results and predictions go.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--only-baselines", is_flag=True, help="Train nothing.")
@click.option("--no-int8", is_flag=True, help="Do not convert; conversions take most of the time.")
@click.option("--lstmad", is_flag=True, help="Also train LSTMAD, a plain stacked forecaster.")
def main(benchmark: str, data: Path, out: Path, seeds: int, only_baselines: bool, no_int8: bool, lstmad: bool) -> None:
    """Run one benchmark and write OUT/detection_BENCHMARK.json and OUT/predictions/METHOD/FILE.csv."""
    cases = list(PROTOCOLS[benchmark](data))
    began = time.monotonic()
    collected: dict[str, list[dict[str, Any]]] = {}
    for seed in range(seeds):
        by_method: dict[str, list[Found]] = {}
        for case in cases:
            found = {
                name: by_threshold(case, *run(method, case.train, case.test, seed))
                for name, method in BASELINES.items()
            }
            if not only_baselines:
                found.update(ours(case, seed, LOOKBACK[benchmark], int8=not no_int8))
                if lstmad:
                    found.update(ours(case, seed, LOOKBACK[benchmark], plain=True))
            click.echo(f"seed {seed} {case.name} {time.monotonic() - began:.0f} s", err=True)
            for name, result in found.items():
                by_method.setdefault(name, []).append(result)
                if seed == 0:
                    write_predictions(out / "predictions" / name.replace(" ", "_"), result)
        for name, results in by_method.items():
            collected.setdefault(name, []).append(summarize(results, benchmark))
    options = {"units": UNITS, "epochs": EPOCHS, "patience": PATIENCE, "lookback": LOOKBACK[benchmark], "seeds": seeds}
    report = {"benchmark": benchmark, "files": len(cases), "options": options}
    report["methods"] = {name: medians(parts) for name, parts in collected.items()}
    report["threshold"] = "99.5 % quantile of training scores, times 1 + 8 / sqrt(N)"
    target = out / f"detection_{benchmark}.json"
    out.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")
    for name, figures in report["methods"].items():
        line = " ".join(f"{key} {value[0]:.3f}" for key, value in figures.items() if isinstance(value, list))
        click.echo(f"{name:22} {line}")
    click.echo(str(target), err=True)


if __name__ == "__main__":
    main()
