"""Detection limits held against faults that nobody injected: those of the simulated pump, and TEP's.

Example: python benchmarks/predicted_limits.py --data DATA --out results

A model carries limits: for each channel the smallest drift that is found within 60 rows in 90 % of the places. Of a fault
this predicts: found, where it moves a channel by that much or more within its first 60 rows. The movement is the mean
difference over the last ten of these rows: from the same simulated run without the fault for the pump, from the normal
first 160 rows of the file for TEP. `found` is an alarm within 60 rows. Runs in which an alarm is open already are left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from edgelstm.calibration_data.simulator import Fault, simulate
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.model_file.detection_limits import SECTION
from protocols import PROTOCOLS, Case

from edgelstm import calibration_data
from edgelstm.evaluation.batched_predict import batched_predict
from edgelstm.evaluation.replaying import replay
from edgelstm.training.architectures import Architecture
from edgelstm.training.options import Options
from edgelstm.training.train import train
from edgelstm.training.trained import Trained

Doubles = npt.NDArray[np.float64]
WITHIN, LAST = 60, 10  # rows of a fault that count; the last of them that its movement is measured on
CALM, START = 160, 160  # normal rows before TEP's faults; the first faulty one
PUMP_CALM = 240  # rows before a simulated fault: a window, and what settles
KINDS = ("closing_valve", "leak", "bearing_wear", "cavitation")
SEVERITIES = (0.25, 0.5, 1.0, 2.0, 4.0)
BENCHMARKS = ("pump", "tep")
HEAD = """## Detection limits against real faults

`train --kind linear`; by how many of a channel's drift limits a fault moves it in its first 60 rows, and how many faults are found in them (`python benchmarks/predicted_limits.py`). Predicted is: found, from one limit on. The pump's faults are simulated with five severities, TEP's are its test files."""


@dataclass(frozen=True)
class Trial:
    """One fault."""

    benchmark: str
    """pump or tep."""
    name: str
    """Kind and severity, or file."""
    times: float
    """Largest movement of a channel, in its drift limits; 0 where no channel has one."""
    delay: int | None
    """Rows from the fault's first one to an alarm; None without one in the rows that count."""


def faults(benchmark: str, cases: list[Case], seeds: int) -> Iterator[tuple[str, Doubles, int, Doubles]]:
    """Yield name, rows up to the last that counts, the fault's first row, and its movement in each channel."""
    if benchmark == "tep":
        for case in cases:
            rows = case.test[: START + WITHIN]
            yield case.name, rows, START, rows[-LAST:].mean(axis=0) - rows[:CALM].mean(axis=0)
        return
    rows = PUMP_CALM + WITHIN
    for kind in KINDS:
        for severity in SEVERITIES:
            for seed in range(1000, 1000 + seeds):
                faulty = simulate(rows, seed, [Fault(kind, PUMP_CALM, WITHIN, severity)])
                moved = faulty.truth[-LAST:].mean(axis=0) - simulate(rows, seed).truth[-LAST:].mean(axis=0)
                yield f"{kind} {severity:g}", faulty.values, PUMP_CALM, moved


def trial(made: Trained, benchmark: str, name: str, rows: Doubles, start: int, moved: Doubles) -> Trial | None:
    """Feed a fault to the detector; None where an alarm is open when it begins."""
    metadata = made.metadata
    detector = Detector(metadata, batched_predict(made.model, metadata, [metadata.scaler.transform(rows)]))
    alarms = replay(detector, rows, np.arange(float(len(rows))) * (metadata.period or 1.0)).alarms
    if any(first < start <= last for first, last in alarms):
        return None
    limits = [channel["drift"] or np.inf for channel in metadata.sections[SECTION]["channels"]]
    delay = min((first - start for first, _ in alarms if first >= start), default=None)
    return Trial(benchmark, name, float(np.max(np.abs(moved) / limits)), delay)


def summary(trials: list[Trial]) -> list[str]:
    """Rows of a Markdown table: by how many limits a fault moves a channel, and how many are found."""
    bounds = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, np.inf))
    lines = [
        "| faults | predicted | " + " | ".join(f"{low:g} to {high:g} limits" for low, high in bounds) + " | all |",
        "|---" * (len(bounds) + 3) + "|",
    ]
    for name in dict.fromkeys(one.benchmark for one in trials):
        part = [one for one in trials if one.benchmark == name]
        groups = [*([one for one in part if low <= one.times < high] for low, high in bounds), part]
        cells = [f"{sum(one.delay is not None for one in group)} of {len(group)}" for group in groups]
        lines.append(
            f"| {name} | {sum(one.times >= 1 for one in part)} of {len(part)} found | " + " | ".join(cells) + " |"
        )
    return lines


def trained(case: Case) -> Any:
    """Train, detection limits included."""
    return train(case.series(), Options(Architecture(kind="linear")))


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of all corpora.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where predicted_limits.json goes.")
@click.option("--only", type=click.Choice(BENCHMARKS), help="One of both, for a run in parts.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1), help="Runs of each kind and severity.")
def main(data: Path, out: Path, only: str | None, seeds: int) -> None:
    """Check the limits; write OUT/predicted_limits.json and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    trials: list[Trial] = []
    for benchmark in [only] if only else BENCHMARKS:
        folder = Path(next(iter(calibration_data.__path__))) if benchmark == "pump" else data / benchmark
        cases = list(PROTOCOLS[benchmark](folder))
        made = trained(cases[0])
        click.echo(f"{benchmark}: limits {made.metadata.sections.get(SECTION)}", err=True)
        for name, rows, start, moved in faults(benchmark, cases, seeds):
            if (one := trial(made, benchmark, name, rows, start, moved)) is not None:
                trials.append(one)
                click.echo(str(one), err=True)
        (out / "predicted_limits.json").write_text(json.dumps([asdict(one) for one in trials], indent=1) + "\n")
    text = "\n".join([HEAD, "", *summary(trials), ""])
    (out / "predicted_limits.md").write_text(text)
    click.echo(text)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
