"""Answers to alarms: what `calibrate --feedback` teaches, on rows that it has not seen.

Example: python benchmarks/feedback.py --skab DATA/skab --out benchmarks/results

A detector is trained, with `--kind linear` so that it takes seconds, and converted to int8. It runs over one half of the
recorded rows; each alarm there is answered by the labels: real where it overlaps a labelled fault, else false. The model is
taught by these answers, and its alarms before and after are compared on the other half. Each half takes its turn as the
one that teaches.

The pump is the simulator of `calibration_data` with eight runs of its kinds of faults; SKAB is one testbed, so one model
learns its recording of normal operation, and every other file, from row 400 on, is a half.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from edgelstm.calibration_data.simulator import CHANNELS, FAULTS, Fault, simulate
from edgelstm.runtime.alarms.answers import Answer
from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.model_file.bundle import load_bundle
from edgelstm.runtime.recalibration import recalibrate_by_answers
from edgelstm.runtime.sources import Sample
from protocols import skab

from edgelstm.data.series import Series
from edgelstm.evaluation.label_runs import ranges
from edgelstm.evaluation.replaying import replay

GAP = 3600.0  # seconds between two recordings: the detector warms up again
RUN_ROWS, RUNS, NORMAL_ROWS = 4800, 8, 6000  # of the simulated pump
SPACING = 600  # rows from one fault to the next


@dataclass(frozen=True)
class Recording:
    """Rows one after the other, with gaps between runs."""

    values: npt.NDArray[np.float64]
    """Sensor units, shape (T, F)."""
    labels: npt.NDArray[np.bool_]
    """True for each faulty row, shape (T,)."""
    time: npt.NDArray[np.float64]
    """Seconds, shape (T,)."""

    @classmethod
    def of(cls, runs: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]]) -> Recording:
        """Join runs of one sample a second."""
        starts = np.cumsum([0.0, *(len(values) + GAP for values, _ in runs)])
        time = [start + np.arange(float(len(values))) for start, (values, _) in zip(starts, runs, strict=False)]
        values, labels = zip(*runs, strict=True)
        return cls(np.concatenate(values), np.concatenate(labels), np.concatenate(time))

    def samples(self) -> list[Sample]:
        """Return the rows as a source gives them."""
        rows = zip(self.values.tolist(), self.time.tolist(), strict=True)
        return [Sample(values, time, row) for row, (values, time) in enumerate(rows)]

    def faults(self) -> list[tuple[float, float]]:
        """Return the first and the last moment of each labelled fault."""
        return [(float(self.time[first]), float(self.time[last])) for first, last in ranges(self.labels)]


@dataclass(frozen=True)
class Heard:
    """Alarms of one model on one recording."""

    false: int
    """Alarms that overlap no labelled fault."""
    real: int
    """Alarms that overlap one."""
    faults: int
    """Labelled faults that an alarm overlaps."""


def alarms_of(path: Path, recording: Recording) -> list[Event]:
    """Return the anomalies that a model file raises on a recording."""
    result = replay(Detector.from_bundle(load_bundle(path)), recording.values, recording.time)
    return [event for event in result.events if event.kind == "anomaly"]


def overlaps(event: Event, span: tuple[float, float]) -> bool:
    """Tell whether an alarm and a fault share a moment."""
    assert event.start is not None
    assert event.end is not None
    return event.start <= span[1] and event.end >= span[0]


def heard(alarms: Sequence[Event], faults: Sequence[tuple[float, float]]) -> Heard:
    """Hold alarms against labelled faults."""
    real = [any(overlaps(alarm, span) for span in faults) for alarm in alarms]
    caught = sum(any(overlaps(alarm, span) for alarm in alarms) for span in faults)
    return Heard(real.count(False), real.count(True), caught)


def taught(model: bytes, lesson: Recording, later: Recording) -> dict[str, Any]:
    """Answer the alarms of one half, calibrate, and compare the alarms before and after on both halves."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        faults = {"taught": lesson.faults(), "later": later.faults()}
        halves = {"taught": lesson, "later": later}
        before = {name: alarms_of(path, half) for name, half in halves.items()}
        answers = [
            Answer.of(
                alarm, "real" if any(overlaps(alarm, span) for span in faults["taught"]) else "false", 0.0, "page"
            )
            for alarm in before["taught"]
        ]
        try:
            done = recalibrate_by_answers(path, lesson.samples(), answers)
            shapes = done.harmless
        except ModelError as error:
            click.echo(f"nothing to learn: {error}", err=True)
            shapes = 0
        after = {name: alarms_of(path, half) for name, half in halves.items()}
        return {
            "shapes": shapes,
            **{
                name: {
                    "labelled": len(faults[name]),
                    "before": asdict(heard(before[name], faults[name])),
                    "after": asdict(heard(after[name], faults[name])),
                }
                for name in halves
            },
        }


def pump_runs() -> tuple[list[npt.NDArray[np.float64]], list[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]]]:
    """Return a normal run of the simulated pump, and faulty ones with seeded kinds, places and strengths."""
    random, runs = np.random.default_rng(0), []
    for number in range(RUNS):
        starts = range(500, RUN_ROWS - 400, SPACING)
        faults = []
        for start in starts:
            kind = str(random.choice(FAULTS))
            length = 2 if kind == "spike" else int(random.integers(150, 300))
            faults.append(Fault(kind, start + int(random.integers(0, 100)), length, float(random.uniform(0.6, 1.2))))
        run = simulate(RUN_ROWS, 100 + number, faults)
        runs.append((run.values, np.asarray([bool(name) for name in run.fault])))
    return [simulate(NORMAL_ROWS, 11).values], runs


def skab_runs(
    folder: Path,
) -> tuple[list[npt.NDArray[np.float64]], list[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]], tuple[str, ...]]:
    """Return SKAB's normal rows for training, the later rows of each file, and the names of its channels."""
    cases = list(skab(folder))
    normal = pd.read_csv(folder / "anomaly-free" / "anomaly-free.csv", sep=";")
    runs = [(case.test[case.start :], case.labels[case.start :]) for case in cases]
    return [normal[list(cases[0].channels)].to_numpy(np.float64)], runs, cases[0].channels


def model_of(parts: Sequence[npt.NDArray[np.float64]], channels: Sequence[str], kind: str, seed: int) -> bytes:
    """Train a detector and return its int8 file."""
    from edgelstm.deployment.convert import convert_file
    from edgelstm.training.architectures import Architecture
    from edgelstm.training.options import Options
    from edgelstm.training.train import train

    ends = np.cumsum([len(part) for part in parts]).tolist()
    segments = tuple(zip([0, *ends[:-1]], ends, strict=True))
    values = np.concatenate(parts)
    series = Series(values, np.arange(float(len(values))), tuple(channels), 1.0, segments)
    made = train(series, Options(Architecture(kind), seed=seed, limits=False))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        made.save(path)
        return convert_file(path, ("int8",), allow_drop=True, apart=False)["int8"].bundle.to_bytes()


@click.command()
@click.option(
    "--skab", "folder", type=click.Path(path_type=Path, exists=True), help="Folder of SKAB; without it the pump alone."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where feedback.json goes.")
@click.option("--kind", default="linear", show_default=True, type=click.Choice(["linear", "forecaster", "autoencoder"]))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def main(folder: Path | None, out: Path, kind: str, seed: int) -> None:
    """Teach by one half, judge on the other; write OUT/feedback.json."""
    data: dict[str, Any] = {"pump": (*pump_runs(), CHANNELS)}
    if folder:
        data["skab"] = skab_runs(folder)
    table = []
    for name, (normal, runs, channels) in data.items():
        model = model_of(normal, channels, kind, seed)
        halves = [Recording.of(runs[0::2]), Recording.of(runs[1::2])]
        for lesson, later, title in ((*halves, "first half"), (*halves[::-1], "second half")):
            row = {"data": name, "kind": kind, "lesson": title, **taught(model, lesson, later)}
            table.append(row)
            click.echo(json.dumps(row), err=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "feedback.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
