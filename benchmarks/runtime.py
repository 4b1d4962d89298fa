"""Cost of the device side over the bare interpreter, as ratios within one run: `python benchmarks/runtime.py`.

Writes benchmarks/results/runtime.json. Every figure is set against its own base, measured in turn in the same run, so
that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.diagnostics.benchmark import bare_call
from edgelstm.runtime.diagnostics.machine import this_machine
from edgelstm.runtime.inference.interpreter import TFLiteModel

HERE = Path(__file__).parent
MODELS = HERE / "models"
LIMITS = {"update_us": 15.0, "start_ratio": 1.5, "start_s": 0.4, "memory_mb": 15.0, "files_mb": 1.0}
IMPORTS = """
import time
begin = time.perf_counter()
import click, numpy
from ai_edge_litert.interpreter import Interpreter, OpResolverType
"""
BARE_START = (
    IMPORTS
    + """
interpreter = Interpreter(model_path=MODEL, num_threads=1,
    experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"],
    numpy.zeros(interpreter.get_input_details()[0]["shape"], interpreter.get_input_details()[0]["dtype"]))
interpreter.invoke()
"""
)
OUR_START = """
import time
begin = time.perf_counter()
import click
from edgelstm.runtime import Detector
detector = Detector.load(MODEL)
result = None
while result is None or result.score is None:
    result = detector.update(ROW)
"""
REPORT = """
seconds = time.perf_counter() - begin
with open("/proc/self/statm") as file:
    print(seconds, int(file.read().split()[1]) * 4096 / 1e6)
"""


def normal_rows(offset: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> list[list[float]]:
    """Rows like those the models were trained on: sines of their periods, with noise."""
    periods, time_ = 20 + 5 * np.arange(len(offset)), np.arange(500)[:, None]
    noise = np.random.default_rng(0).normal(0, 0.05, (500, len(offset)))
    rows: list[list[float]] = (offset + scale * (1.35 * np.sin(2 * np.pi * time_ / periods) + noise)).tolist()
    return rows


def update_cost(path: Path, rows: list[list[float]], rounds: int, block: int = 100) -> dict[str, float]:
    """Microseconds that `Detector.update` takes over the bare call: median of the differences of neighbouring blocks.

    `cost_us_fast` is the difference between the tenth percentiles of both: what other work on the machine adds is least there.
    """
    detector = Detector.load(path)
    call = bare_call(TFLiteModel(load_bundle(path).flatbuffer))
    arrays = [np.asarray(row) for row in rows]
    for count, row in enumerate(arrays):
        detector.update(row, float(count))
    bare, update = [], []
    for number in range(rounds):
        bare.append(timed(call, block))
        samples = iter([(arrays[i % len(arrays)], float(len(arrays) + number * block + i)) for i in range(block)])
        update.append(timed(lambda samples=samples: detector.update(*next(samples)), block))
    feed = iter([(arrays[0], 0.0)] * block)
    base = timed(lambda: next(feed), block)  # the loop's own cost
    differences = [b - a - base for a, b in zip(bare, update, strict=True)]
    return {
        "bare_us": statistics.median(bare) * 1e6,
        "update_us": statistics.median(update) * 1e6,
        "cost_us": statistics.median(differences) * 1e6,
        "cost_us_fast": float(np.percentile(update, 10) - np.percentile(bare, 10) - base) * 1e6,
        "cost_us_p10": float(np.percentile(differences, 10)) * 1e6,
        "cost_us_p90": float(np.percentile(differences, 90)) * 1e6,
    }


def timed(call: Callable[[], object], times: int) -> float:
    """Seconds a call, mean over `times`, of this thread's own processor time: what other processes take is left out."""
    begin = time.thread_time()
    for _ in range(times):
        call()
    return (time.thread_time() - begin) / times


def start_cost(path: Path, row: list[float], rounds: int) -> dict[str, float]:
    """Start to first score, and memory, of fresh processes; each of ours right after a bare one."""
    bare, ours = [], []
    for _ in range(rounds):
        bare.append(fresh(f"MODEL = {str(path)!r}\n" + BARE_START))
        ours.append(fresh(f"MODEL, ROW = {str(path)!r}, {row!r}\n" + OUR_START))
    bare_s, ours_s = (statistics.median(run[0] for run in runs) for runs in (bare, ours))
    bare_mb, ours_mb = (statistics.median(run[1] for run in runs) for runs in (bare, ours))
    return {
        "bare_s": bare_s, "ours_s": ours_s, "ratio": ours_s / bare_s,
        "bare_mb": bare_mb, "ours_mb": ours_mb, "over_mb": ours_mb - bare_mb,
    }  # fmt: skip


def fresh(program: str) -> tuple[float, float]:
    """Seconds and MB that a program reports of itself."""
    done = subprocess.run([sys.executable, "-c", program + REPORT], capture_output=True, text=True, check=True, cwd="/")
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def own_files_mb() -> float:
    """Size of our own installed files, without caches, MB."""
    import edgelstm

    folder = Path(edgelstm.__file__).parent
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc") / 1e6


def main() -> None:
    """Measure, write, and fail when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "runtime.json")
    options = parser.parse_args()
    models = {}
    for path in sorted(MODELS.glob("*.tflite")):
        said = load_bundle(path).metadata
        offset, scale = said.scaler.arrays()
        rows = normal_rows(offset, scale)
        what = {"channels": len(offset), "window": said.window, "score": said.scoring.method}
        models[path.name] = what | update_cost(path, rows, options.rounds)
        models[path.name]["start"] = start_cost(path, rows[0], max(3, options.rounds // 10))
        print(path.name, json.dumps(models[path.name]))
    machine = vars(this_machine(TFLiteModel(load_bundle(path).flatbuffer), 1))
    result = {"machine": machine, "limits": LIMITS, "files_mb": own_files_mb(), "models": models}
    options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
