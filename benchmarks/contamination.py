"""Cost of contaminated training data, and the gain from leaving out the rows that look odd.

Example: python benchmarks/contamination.py pump --out benchmarks/results
         python benchmarks/contamination.py nab --data DATA/nab --out benchmarks/results

The pump is trained on clean rows, on the same rows with faults in 6.7 % of them, and on the latter as `edgelstm train` does it
by default; all are judged on another run with faults. NAB files are trained on their first half, the labelled windows in it
included, and judged on the second half.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from edgelstm.calibration_data.simulator import CHANNELS, Fault, simulate
from protocols import PROTOCOLS

from edgelstm.data.series import Series
from edgelstm.evaluation.evaluate import load_detector, measure
from edgelstm.evaluation.replaying import replay
from edgelstm.training.architectures import Architecture
from edgelstm.training.train import Options, train

KINDS = ("bearing_wear", "cavitation", "closing_valve", "leak", "stuck_sensor")
PUMP = Options(Architecture("autoencoder", units=(16,)), lookback=10, epochs=12, batch_size=64, learning_rate=8e-3)
FORECASTER = Options(Architecture("forecaster", units=(16,)), lookback=32, epochs=6, patience=2)


@dataclass(frozen=True)
class Trial:
    """One training, and what it is judged by."""

    case: str
    """Data and seed."""
    how: str
    """clean, contaminated or left out."""
    rows: Series
    """Training rows."""
    truth: Any
    """True for the contaminated ones."""
    test: Series
    """Rows it is judged on."""
    labels: Any
    """True for the anomalous ones."""
    options: Options
    """Of the training."""


def series(values: Any, channels: tuple[str, ...], period: float | None) -> Series:
    """Rows without a gap."""
    return Series(values, np.arange(float(len(values))) * (period or 1), channels, period, ((0, len(values)),))


def faulty(rows: int, seed: int, length: int) -> list[Fault]:
    """Each kind of fault once, evenly spread from a start that the seed draws."""
    step = rows // len(KINDS)
    first = int(np.random.default_rng(seed).integers(100, step - length))
    return [Fault(kind, first + step * at, length) for at, kind in enumerate(KINDS)]


def pump(seed: int) -> Iterator[Trial]:
    """The three trainings of one simulated pump."""
    judged = simulate(4000, 1000 + seed, faulty(4000, 1000 + seed, 120))
    labels = np.array([fault != "" for fault in judged.fault])
    for how, faults in (("clean", []), ("contaminated", faulty(6000, seed, 80)), ("left out", faulty(6000, seed, 80))):
        run = simulate(6000, seed, faults)
        truth = np.array([fault != "" for fault in run.fault])
        options = replace(PUMP, seed=seed, leave_out=how != "contaminated")
        rows, test = series(run.values, CHANNELS, 1.0), series(judged.values, CHANNELS, 1.0)
        yield Trial(f"pump {seed}", how, rows, truth, test, labels, options)


def nab(folder: Path, seed: int) -> Iterator[Trial]:
    """Two trainings of each file that has labelled windows in both halves."""
    for case in PROTOCOLS["nab"](folder):
        half = len(case.labels) // 2
        if not case.labels[:half].any() or not case.labels[half:].any():
            continue
        rows = series(case.test[:half], case.channels, case.period)
        test = series(case.test[half:], case.channels, case.period)
        for how in ("contaminated", "left out"):
            options = replace(FORECASTER, seed=seed, leave_out=how == "left out")
            yield Trial(case.name, how, rows, case.labels[:half], test, case.labels[half:], options)


def judge(trial: Trial, folder: Path) -> dict[str, Any]:
    """Train, replay, measure."""
    trained = train(trial.rows, trial.options)
    trained.save(folder / "model.keras")
    detector, _ = load_detector(folder / "model.keras", trial.test)
    found = measure(
        trial.case, "keras", replay(detector, trial.test.values, trial.test.time), trial.labels, trial.test.period
    )
    record = trained.metadata.sections["training"]["contamination"]
    flags = np.zeros(len(trial.truth), bool)
    for start, stop in record["spans"] if record and record["left_out"] else ():
        flags[start:stop] = True
    return {
        "case": trial.case, "how": trial.how, "contaminated": float(trial.truth.mean()), "left_out": float(flags.mean()),
        "found": float((flags & trial.truth).sum() / max(1, trial.truth.sum())),
        "right": float((flags & trial.truth).sum() / max(1, flags.sum())),
        **{name: getattr(found, name) for name in ("vus_pr", "f1", "far", "mar", "event_recall", "event_precision")},
        "false_alarms_per_1000_rows": found.false_alarms_per_1000_rows,
        "threshold": trained.metadata.threshold.value if trained.metadata.threshold else None,
    }  # fmt: skip


@click.command()
@click.argument("data_set", type=click.Choice(["pump", "nab"]))
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="The benchmark's folder, for nab.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the result goes.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
def main(data_set: str, data: Path | None, out: Path, seeds: int) -> None:
    """Write OUT/contamination_DATA_SET.json, with a line a training on the way."""
    import tempfile

    records = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            for trial in nab(data, seed) if data_set == "nab" and data else pump(seed):
                records.append(judge(trial, Path(folder)))
                click.echo(json.dumps(records[-1]), err=True)
    means = {}
    for how in dict.fromkeys(record["how"] for record in records):
        chosen = [record for record in records if record["how"] == how]
        names = [name for name in chosen[0] if name not in ("case", "how")]
        values = {name: [record[name] for record in chosen if record[name] is not None] for name in names}
        means[how] = {name: float(np.mean(known)) for name, known in values.items() if known}
        click.echo(f"{how:14} " + " ".join(f"{name} {value:.3f}" for name, value in means[how].items()))
    out.mkdir(parents=True, exist_ok=True)
    (out / f"contamination_{data_set}.json").write_text(json.dumps({"mean": means, "trials": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
