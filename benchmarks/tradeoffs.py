"""Accuracy against size and time over look-back, units and batch size: `python benchmarks/tradeoffs.py`.

Trains autoencoders on the embedded pump, one setting changed at a time, converts each to int8 and measures it by the
functions that the commands call. Writes benchmarks/results/tradeoffs.json, docs/images/tradeoffs.png, and the table in
docs/explanation/lstm.md. About ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

from edgelstm.runtime.diagnostics.benchmark import bare_call, measure
from edgelstm.runtime.inference.interpreter import TFLiteModel

from edgelstm import calibration_data
from edgelstm.data.series import read_series
from edgelstm.demo import FAULTY, NORMAL
from edgelstm.deployment.convert import convert_file
from edgelstm.evaluation.evaluate import evaluate
from edgelstm.tensorflow import load_tensorflow
from edgelstm.training.architectures import Architecture
from edgelstm.training.options import Options
from edgelstm.training.train import train

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "explanation" / "lstm.md"
BEGIN, END = "<!-- tradeoffs: begin, written by benchmarks/tradeoffs.py -->", "<!-- tradeoffs: end -->"
# the time constants of the pump fit into 24 s
OPTIONS = Options(
    Architecture("autoencoder"),
    lookback=24,
    epochs=20,
    batch_size=128,
    learning_rate=1e-2,
    score="witnesses",
    limits=False,
)
LOOKBACKS, UNITS, BATCHES = (8, 24, 96), (8, 24, 48), (32, 128, 512)
HEADINGS = {"lookback": "look-back (rows)", "units": "units", "batch": "batch size (windows)"}


@dataclass(frozen=True)
class Point:
    """One setting, median over the seeds."""

    varied: str
    """lookback, units or batch."""
    value: int
    """Its value."""
    validation_loss: float
    """Mean squared error of the float model on the newest 15 % of normal rows, scaled units."""
    vus_pr: float
    """Of the int8 model on the labelled faults."""
    size: int
    """Bytes of the int8 file."""
    float_us: float
    """Median time of one window of the float32 file, microseconds, one thread."""
    int8_us: float
    """The same of the int8 file."""
    train_s: float
    """Seconds of training."""


def settings() -> list[tuple[str, int, tuple[int, int, int]]]:
    """Settings as (varied, value, whole setting): look-back, units, batch size. The rest is as in OPTIONS."""
    rows, units, batch = OPTIONS.lookback or 0, OPTIONS.architecture.units[0], OPTIONS.batch_size or 0
    return [
        *(("lookback", value, (value, units, batch)) for value in LOOKBACKS),
        *(("units", value, (rows, value, batch)) for value in UNITS),
        *(("batch", value, (rows, units, value)) for value in BATCHES),
    ]


def point(varied: str, value: int, setting: tuple[int, int, int], seeds: int) -> Point:
    """Train, convert and measure one setting."""
    found = [_one(*setting, seed) for seed in range(seeds)]
    figures = {name: median(entry[name] for entry in found) for name in found[0]}
    return Point(varied, value, **{**figures, "size": int(figures["size"])})


@cache
def _one(lookback: int, units: int, batch: int, seed: int) -> dict[str, float]:
    architecture = replace(OPTIONS.architecture, units=(units,))
    options = replace(OPTIONS, architecture=architecture, lookback=lookback, batch_size=batch, seed=seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.monotonic()
        trained = train(read_series([calibration_data.write(NORMAL, folder)]), options)
        seconds = time.monotonic() - started
        trained.save(folder / "m.keras")
        times = {}
        for scheme, made in convert_file(folder / "m.keras", ("float32", "int8"), allow_drop=True, apart=False).items():
            made.bundle.save(folder / f"{scheme}.tflite")
            times[scheme] = measure(bare_call(TFLiteModel(made.bundle.flatbuffer)), 0.3).p50
        judged = evaluate(folder / "int8.tflite", calibration_data.write(FAULTY, folder))
        return {
            "validation_loss": min(trained.history["val_loss"]),
            "vus_pr": float(judged.vus_pr or 0.0),
            "size": (folder / "int8.tflite").stat().st_size,
            "float_us": times["float32"],
            "int8_us": times["int8"],
            "train_s": seconds,
        }


def table(points: list[Point], seeds: int) -> str:
    """The points as Markdown."""
    base = f"look-back {OPTIONS.lookback}, {OPTIONS.architecture.units[0]} units, batch size {OPTIONS.batch_size}"
    lines = [
        f"Autoencoders of the embedded pump, {base}, {OPTIONS.epochs} epochs, one thing changed at a time; "
        f"{f'median of {seeds} seeds' if seeds > 1 else 'one seed, so small differences may be chance'}. Times are of one x86-64 core, shared with other work: compare them within the table.",
        "",
        "| varied | value | validation loss | VUS-PR (int8) | int8 file, bytes | float32, µs a window | int8, µs a window "
        "| training, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {HEADINGS[one.varied]} | {one.value} | {one.validation_loss:.4f} | {one.vus_pr:.3f} | {one.size:,} "
        f"| {one.float_us:.0f} | {one.int8_us:.0f} | {one.train_s:.0f} |"
        for one in points
    ]
    return "\n".join(lines)


def picture(path: Path, points: list[Point]) -> None:
    """Three columns, what is varied; three rows, what it does."""
    from matplotlib.figure import Figure

    rows: list[tuple[str, Callable[[Point], float]]] = [
        ("VUS-PR (int8)", lambda one: one.vus_pr),
        ("int8 file (KB)", lambda one: one.size / 1000),
        ("float32 window (µs)", lambda one: one.float_us),
    ]
    figure = Figure(figsize=(9, 6), layout="constrained")
    grid = figure.subplots(len(rows), len(HEADINGS), sharex="col", sharey="row")
    for column, (name, heading) in enumerate(HEADINGS.items()):
        mine = [one for one in points if one.varied == name]
        for line, (label, value) in enumerate(rows):
            axis = grid[line][column]
            axis.plot([one.value for one in mine], [value(one) for one in mine], "o-", color="#0072B2")
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_xscale("log", base=2)
            axis.set_xticks([one.value for one in mine], [str(one.value) for one in mine])
            axis.minorticks_off()
            if column == 0:
                axis.set_ylabel(label)
        grid[-1][column].set_xlabel(heading)
    for line in range(len(rows)):
        grid[line][0].set_ylim(bottom=0)
    grid[0][0].set_ylim(top=1)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    load_tensorflow()
    points = []
    for varied, value, setting in settings():
        points.append(point(varied, value, setting, seeds))
        print(points[-1], flush=True)
    record = {"seeds": seeds, "points": [asdict(one) for one in points]}
    (HERE / "results" / "tradeoffs.json").write_text(json.dumps(record, indent=1) + "\n")
    picture(PAGE.parents[1] / "images" / "tradeoffs.png", points)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(points, seeds)}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
