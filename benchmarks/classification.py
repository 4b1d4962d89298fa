"""Classifiers against their baselines: `python benchmarks/classification.py {intents,states} [--seeds 3]`.

intents: the data set that comes along; TF-IDF + logistic regression, on words and on characters, get the same texts.
states:  the simulated pump; test runs have seeds and severities that no training run has.
Keras float and int8 TFLite are measured by the same code. Prints JSON, and stores it with --out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from edgelstm.calibration_data.simulator import CHANNELS, FAULTS, Fault, simulate

from edgelstm.tensorflow import load_tensorflow

TRAIN_RUNS = tuple(zip(range(100, 108), (0.7, 1.0, 1.4, 0.8, 1.2, 1.0, 1.5, 0.9), strict=True))  # seed, severity
TEST_RUNS = tuple(zip(range(200, 204), (0.75, 1.1, 1.3, 0.95), strict=True))


def pump_run(seed: int, severity: float) -> tuple[Any, tuple[str, ...]]:
    """One run of the pump with each lasting fault once, in random order."""
    random = np.random.default_rng(seed)
    faults, start = [], int(random.integers(150, 250))
    for kind in random.permutation([kind for kind in FAULTS if kind != "spike"]):
        length = int(random.integers(120, 220))
        faults.append(Fault(str(kind), start, length, severity))
        start += length + int(random.integers(150, 230))
    run = simulate(max(2400, start), seed, faults)
    return run.values, run.fault


def write_runs(path: Path, runs: tuple[tuple[int, float], ...]) -> None:
    """Write runs as one CSV file; a gap in time parts them."""
    lines, second = [",".join(["time", *CHANNELS, "state"])], 0
    for seed, severity in runs:
        for row, name in zip(*pump_run(seed, severity), strict=True):
            lines.append(",".join([str(second), *(f"{value:.3f}" for value in row), name]))
            second += 1
        second += 1000
    path.write_text("\n".join(lines) + "\n")


def intents(folder: Path, seed: int) -> dict[str, Any]:
    """Accuracy of Keras, int8 and the baselines on the test phrasings."""
    from edgelstm import calibration_data
    from edgelstm.classification.baseline import BASELINES, fit_baseline
    from edgelstm.classification.data import INTENTS, INTENTS_TEST, embedded_texts
    from edgelstm.classification.train import Options, train_texts

    texts, test = embedded_texts(INTENTS), embedded_texts(INTENTS_TEST)
    found = _both(
        train_texts(texts, replace(Options(), seed=seed)), folder, calibration_data.write(INTENTS_TEST, folder)
    )
    for kind in BASELINES:
        fitted = fit_baseline(texts, kind, seed)
        found[f"baseline, {kind}"] = {"accuracy": float(fitted.score(test.texts, test.labels))}
    return found


def states(folder: Path, seed: int) -> dict[str, Any]:
    """Accuracy of Keras and int8 on the windows of unseen runs."""
    from edgelstm.classification.train import Options, train_windows
    from edgelstm.data.series import read_series

    for name, runs in (("train", TRAIN_RUNS), ("test", TEST_RUNS)):
        write_runs(folder / f"{name}.csv", runs)
    series = read_series([folder / "train.csv"], label_column="state")
    return _both(train_windows(series, replace(Options.for_windows(), seed=seed)), folder, folder / "test.csv")


def _both(trained: Any, folder: Path, test: Path) -> dict[str, Any]:
    from edgelstm.classification.evaluate import evaluate
    from edgelstm.deployment.convert import convert_file

    keras, int8 = folder / "model.keras", folder / "model.int8.tflite"
    trained.save(keras)
    convert_file(keras, apart=False)["int8"].bundle.save(int8)
    found = {name: evaluate(path, test) for name, path in (("keras", keras), ("int8", int8))}
    record: dict[str, Any] = {
        name: {"accuracy": one.accuracy, "macro_f1": one.macro_f1, "examples": one.examples}
        for name, one in found.items()
    }
    record["int8"]["bytes"] = int8.stat().st_size
    return record


def main() -> None:
    """Run the benchmark that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["intents", "states"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="Folder for WHAT.json.")
    given = parser.parse_args()
    load_tensorflow()
    measure = {"intents": intents, "states": states}[given.what]
    with tempfile.TemporaryDirectory() as name:
        runs = []
        for seed in range(given.seeds):
            runs.append(measure(Path(name), seed))
            print(f"seed {seed}: {runs[-1]}", file=sys.stderr, flush=True)
    middle = {kind: median(run[kind]["accuracy"] for run in runs) for kind in runs[0]}
    text = json.dumps({"data": given.what, "median_accuracy": middle, "runs": runs}, indent=1)
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / f"classification_{given.what}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
