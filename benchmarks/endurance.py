"""A year's troubles in minutes: `python benchmarks/endurance.py [--samples 1000000] [--kills 200]`.

A detector eats samples of which 1 % come in bursts of every kind of fault. Watched: no exception, flat memory (first
against last tenth), every fault counted, and after each burst, a window and a warm-up later, the scores of a clean run.
Then `edgelstm run` is killed at random instants, again and again, and its event log compared with an uninterrupted
run's. Writes benchmarks/results/endurance.json.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.diagnostics.machine import resident_mb
from edgelstm.runtime.input.policies import stuck_limit, warmup
from edgelstm.runtime.scoring.ewma import EwmaScorer
from edgelstm.runtime.scoring.registry import score_class
from edgelstm.runtime.scoring.witnesses import WitnessScorer

HERE = Path(__file__).parent
MODELS = HERE.parent / "tests" / "slim" / "models"
MODEL = MODELS / "cast.int8.tflite"
KINDS = (
    "missing",
    "dead",
    "range",
    "far",
    "spike",
    "stuck",
    "duplicate",
    "late",
    "early",
    "short gap",
    "long gap",
    "clock",
    "silent",
    "no time",
    "rate",
)
EVERY, LENGTH = 1000, 10  # rows: a burst in each thousand
LONGER = {"stuck": 40, "rate": 96}  # rows of the bursts that are slow to tell
LONGEST = max(LONGER.values())
SETTLED = 1e-6  # of the score: what a smoothed score may still remember
STATEFUL = 1e-2  # of the score: what the state of a streaming model may still make of a difference
FOLLOWED = 0.1  # deviations, of 3.75 and more for an alarm: what a dual score learns of the usual differs a little
FORGETTING = 150  # rows after a burst that both are given: a lean of 8 deviations falls to 0.02 in them

Row = tuple[int, float, list[float]]


def clean_rows(count: int, seed: int = 1) -> Iterator[Row]:
    """The tank of the tiny models, one sample a second."""
    random = np.random.default_rng(seed)
    for start in range(0, count, 10_000):
        time_ = np.arange(start, min(start + 10_000, count))
        level = 50 + 20 * np.sin(2 * np.pi * time_ / 24) + random.normal(0, 0.5, len(time_))
        flow = (
            5
            + 2 * np.cos(2 * np.pi * time_ / 24)
            + 0.5 * np.sin(2 * np.pi * time_ / 8)
            + random.normal(0, 0.05, len(time_))
        )
        for index, a, b in zip(time_.tolist(), level.tolist(), flow.tolist(), strict=True):
            yield index, float(index), [a, b]


def spoiled(rows: Iterator[Row], faults: dict[str, int], limit: int = 24) -> Iterator[Row]:
    """The same rows with a burst of faults in each thousand; counts what it put in."""
    frozen = shift = 0.0
    for index, time_, values in rows:
        at, kind = index % EVERY - EVERY // 2, KINDS[index // EVERY % len(KINDS)]
        time_ += shift
        if not 0 <= at < LONGER.get(kind, LENGTH):
            yield index, time_, values
            continue
        if at == 0:
            frozen = values[1]
        if (kind == "missing" and at < 2) or kind == "dead":
            faults["missing"] += 1
            yield index, time_, [values[0], math.nan]
        elif kind == "range":
            faults["range"] += 1
            yield index, time_, [values[0] + 1e4, values[1]]
        elif kind in ("far", "spike"):
            faults["far"] += 1
            yield index, time_, [values[0], 1e30 if kind == "far" else 50.0]
        elif kind == "stuck":
            faults["stuck"] += at >= limit
            yield index, time_, [values[0], frozen]
        elif kind in ("duplicate", "early"):
            faults[kind] += 1
            yield index, time_, values
            yield -1, time_ + (0.1 if kind == "early" else 0.0), [values[0], values[1] + 1]
        elif kind == "late":
            faults["late"] += 1
            yield index, time_, values
            yield -1, time_ - 5 - at % 2 * 9, values
        elif kind == "silent" and at < 2:
            faults["missing"] += 2
            faults["bridged"] += 1
            yield index, time_, [math.nan, math.nan]
        elif kind == "no time":
            faults["time"] += 1
            yield index, time_, values
            yield -1, (math.nan, math.inf)[at % 2], values
        elif kind == "rate":
            faults["rate"] += at == 0
            shift += 0.4
            yield index, time_ + 0.4, values
        elif kind == "short gap" and at == 0:
            faults["bridged"] += 1
        elif kind == "long gap":
            faults["gap"] += at == 0
        elif kind == "clock" and at == 0:
            faults["clock"] += 1  # set back, and forward again
            faults["late"] += 4
            faults["gap"] += 1
            for step in range(5):
                yield -1, time_ - 3600 + step, values
        else:
            yield index, time_, values


def detector(model: Path = MODEL) -> Detector:
    """A tiny forecaster, told the limits of its sensors."""
    bundle = load_bundle(model)
    said = bundle.metadata
    level, flow = (replace(channel, longest_run=2) for channel in said.channels)
    level = replace(level, low=-100.0, high=1000.0)
    return Detector.from_bundle(replace(bundle, metadata=said.with_(channels=(level, flow))))


def endure(samples: int, model: Path = MODEL) -> dict[str, Any]:
    """A spoiled run beside a clean one."""
    clean, worn = detector(model), detector(model)
    said = worn.metadata
    smoothing = said.scoring.smoothing if said.scoring else 1.0
    forget = 0 if smoothing >= 1 else math.ceil(math.log(SETTLED / 1e3) / math.log(1 - smoothing))
    dual = bool(said.scoring and score_class(said.scoring.method) in (EwmaScorer, WitnessScorer))
    remembers = said.stateful or dual
    settle = said.window + warmup(said) + forget + FORGETTING * remembers
    faults = dict.fromkeys(worn.validator.counts, 0)
    memory: list[float] = []
    worst, compared, begin = 0.0, 0, time.monotonic()
    truth: dict[int, float | None] = {}
    source = ((index, at, values) for index, at, values in clean_rows(samples))

    def both() -> Iterator[Row]:
        for index, at, values in source:
            truth[index] = clean.update(values, at).score
            yield index, at, values

    limit = int(stuck_limit(said.channels[1].longest_run, None, warmup(said)))
    for index, at, values in spoiled(both(), faults, limit):
        score = worn.update(values, at).score
        expected = truth.pop(index, None)
        since = index % EVERY - EVERY // 2 - LONGEST
        if index >= 0 and (since >= settle or index < EVERY // 2) and expected is not None:
            worst = max(worst, math.inf if score is None else abs(score - expected) / max(1.0, expected))
            compared += 1
        if index % max(1, samples // 200) == 0:
            truth.clear()
            memory.append(resident_mb())
    tenth = max(1, len(memory) // 10)
    counts = worn.validator.counts
    return {
        "samples": samples, "seconds": time.monotonic() - begin, "model": model.name, "settle_rows": settle,
        "put_in": faults, "counted": counts, "compared_scores": compared, "largest_difference": worst,
        "tolerance": FOLLOWED if dual else STATEFUL if remembers else SETTLED, "score": said.scoring.method if said.scoring else "",
        "memory_first_tenth_mb": float(np.mean(memory[:tenth])), "memory_last_tenth_mb": float(np.mean(memory[-tenth:])),
    }  # fmt: skip


def promises(found: dict[str, Any]) -> list[str]:
    """Promises that a run did not keep."""
    broken = []
    counted, put_in = ({**found[name], "rate": 0} for name in ("counted", "put_in"))
    if counted != put_in or found["counted"]["rate"] < found["put_in"]["rate"]:  # a burst is several stretches
        broken.append(f"faults put in {found['put_in']}, counted {found['counted']}")
    if not found["compared_scores"] or found["largest_difference"] > found["tolerance"]:
        broken.append(f"scores after a burst differ by {found['largest_difference']}")
    if abs(found["memory_last_tenth_mb"] - found["memory_first_tenth_mb"]) > 1:
        broken.append("memory is not flat")
    return broken


def kills(times: int, seed: int = 2) -> dict[str, Any]:
    """Kill `edgelstm run` at random instants; compare its event log with an uninterrupted run's."""
    instants = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open(folder / "data.csv", "w") as file:
            file.write("time,level_cm,flow_lpm\n")
            for _, at, values in spoiled(clean_rows(20_000), dict.fromkeys(detector().validator.counts, 0)):
                file.write(f"{at:g},{values[0]:.4f},{values[1]:.4f}\n")
        whole = start(folder, "whole")
        begin = time.monotonic()
        whole.wait()
        lasted, killed, finished = time.monotonic() - begin, 0, 0
        while killed < times:
            process = start(folder, "torn")
            time.sleep(instants.uniform(0.05, 0.3) * lasted)
            process.kill()
            killed += process.wait() != 0
            if process.returncode == 0:
                finished += compare(folder)
                (folder / "torn.state").unlink()
                (folder / "torn.jsonl").unlink()
        start(folder, "torn").wait()
        return {"kills": killed, "runs_compared": finished + compare(folder), "identical": True, "run_seconds": lasted}


def start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    """`edgelstm run` on the folder's data, with state and log."""
    command = [sys.executable, "-m", "edgelstm", "run", MODEL, folder / "data.csv", "--snapshot-every", "0.05"]
    kept = ["--state", folder / f"{name}.state", "--event-log", folder / f"{name}.jsonl"]
    return subprocess.Popen(
        [*map(str, command), "--adapt", "2", *map(str, kept)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def compare(folder: Path) -> int:
    """1 when the logs are the same; ends the benchmark when not."""
    torn, whole = ((folder / f"{name}.jsonl").read_bytes() for name in ("torn", "whole"))
    if torn != whole:
        raise SystemExit(f"the event logs differ: {len(torn)} and {len(whole)} bytes")
    return 1


def main() -> None:
    """Endure, write, and fail on any promise that was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--models", type=Path, nargs="*", default=[MODEL, *sorted(MODELS.glob("*.stream.*.tflite"))])
    parser.add_argument("--output", type=Path, default=HERE / "results" / "endurance.json")
    options = parser.parse_args()
    result: dict[str, Any] = {"endure": [endure(options.samples, model) for model in options.models]}
    print(json.dumps(result["endure"], indent=2))
    broken = [text for found in result["endure"] for text in promises(found)]
    if options.kills:
        result["kills"] = kills(options.kills)
        print(json.dumps(result["kills"], indent=2))
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    if broken:
        raise SystemExit("; ".join(broken))


if __name__ == "__main__":
    main()
