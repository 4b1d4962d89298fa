"""Bytes that `edgelstm shrink` leaves of two LSTM 50: `python benchmarks/shrinking.py smap_msl --data DATA/smap_msl --case E-1` (needs the train extra and a clone).

A forecaster in plain Keras (seed 0, 32 rows) of the training rows of a case of `protocols.py`, shrunk by the labels of the
test rows, both in int8. Prints students, bytes and VUS-PR; --out keeps the files. The pump's folder is `calibration_data`.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import numpy as np
import pandas as pd
from protocols import PROTOCOLS, Case

ROWS, UNITS, SEED = 32, 50, 0
MAX_DROP = 0.005


def trained(case: Case, windows: int, epochs: int) -> Any:
    """Train the forecaster of a case, on rows scaled by their mean and deviation.

    Args:
        case: Its training rows.
        windows: The most to learn on.
        epochs: Passes over these.
    """
    import keras

    keras.utils.set_random_seed(SEED)
    deviation = case.train.std(axis=0)
    scaled = [(part - case.train.mean(axis=0)) / np.where(deviation > 0, deviation, 1) for part in case.parts()]
    cut = np.concatenate([np.lib.stride_tricks.sliding_window_view(part, ROWS + 1, axis=0) for part in scaled])
    cut = np.random.default_rng(SEED).permutation(cut.transpose(0, 2, 1).astype(np.float32))[:windows]
    channels = len(case.channels)
    layers = [keras.layers.LSTM(UNITS, return_sequences=True), keras.layers.LSTM(UNITS), keras.layers.Dense(channels)]
    model = keras.Sequential([keras.Input((ROWS, channels)), *layers])
    model.compile("adam", "mse")
    model.fit(cut[:, :-1], cut[:, -1], epochs=epochs, batch_size=64, verbose=0)
    bare = keras.models.clone_model(model)  # without the optimizer's state, which a file would hold twice over
    bare.set_weights(model.get_weights())
    return bare


def edgelstm(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; one that refuses ends the benchmark with its reason.

    Args:
        folder: The working directory.
        *words: Words of the command.
    """
    command = [sys.executable, "-m", "edgelstm", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done


def compare(case: Case, model: Any, folder: Path) -> None:
    """Shrink the model of a case, and print what is left of it.

    Args:
        case: Rows of normal operation, and rows to judge on.
        model: What learned the former.
        folder: Folder for the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(case.channels)
    pd.DataFrame(case.train, columns=names).to_csv(folder / "normal.csv", index=False)
    pd.DataFrame(case.test, columns=names).assign(anomaly=case.labels.astype(int)).to_csv(
        folder / "rows.csv", index=False
    )
    model.save(folder / "whole.keras")
    foreign = ("--calibration", "normal.csv", "--kind", "forecaster")
    judged = ("--data", "rows.csv", "--label-column", "anomaly", "--max-drop", str(MAX_DROP))
    print(edgelstm(folder, "shrink", "whole.keras", *foreign, *judged, "-o", "small.keras").stderr)
    edgelstm(folder, "convert", "whole.keras", "--scheme", "float32", "--int8", *foreign)
    edgelstm(folder, "convert", "small.keras", "--int8")
    for name in ("whole.float32.tflite", "whole.int8.tflite", "small.int8.tflite"):
        figures = json.loads(
            edgelstm(folder, "evaluate", name, "rows.csv", "--label-column", "anomaly", "--json").stdout
        )
        print(f"| {name} | {(folder / name).stat().st_size:,} | {figures['vus_pr']:.4f} |", flush=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=sorted(PROTOCOLS))
    parser.add_argument("--data", type=Path, required=True, help="its folder")
    parser.add_argument("--case", default="", help="part of the case's name; the first without it")
    parser.add_argument("--windows", type=int, default=2500, help="the most to learn on; 2500 without it")
    parser.add_argument("--epochs", type=int, default=15, help="15 without it")
    parser.add_argument("--out", type=Path, default=Path("shrinking"), help="folder for the files")
    chosen = parser.parse_args()
    case = next(case for case in PROTOCOLS[chosen.benchmark](chosen.data) if chosen.case in case.name)
    model = trained(case, chosen.windows, chosen.epochs)
    compare(case, model, chosen.out / f"{chosen.benchmark}-{case.name}")


if __name__ == "__main__":
    main()
