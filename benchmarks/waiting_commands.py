"""Commands that people wait for, and the files that they need: see `waiting.py`."""

from __future__ import annotations

import csv
import math
import random
import shutil
import subprocess
from pathlib import Path

LABELS = ["--label-column", "anomaly"]
EDGELSTM = ["-m", "edgelstm"]
TRAIN = ["train", "train.csv", "-o", "trained.keras", "--kind", "forecaster", "--lookback", "16", "--epochs", "10"]
FOREIGN = ["--calibration", "one.csv", "--scaler", "standard", "--kind", "autoencoder", "--allow-drop"]
STREAM = ["--state", "state.json", "--event-log", "events.jsonl", "--to", "sqlite:events.db"]
# each runs in a folder with the files that `prepare` puts there
COMMANDS: dict[str, list[str]] = {
    "--version": [*EDGELSTM, "--version"],
    "-h": [*EDGELSTM, "-h"],
    "inspect": [*EDGELSTM, "inspect", "pump.int8.tflite"],
    "score int8": [*EDGELSTM, "score", "pump.int8.tflite", "rows.csv", "-o", "scores.csv"],
    "score float32": [*EDGELSTM, "score", "pump.float32.tflite", "rows.csv", "-o", "scores.csv"],
    "evaluate int8": [*EDGELSTM, "evaluate", "pump.int8.tflite", "rows.csv", *LABELS],
    "evaluate float32": [*EDGELSTM, "evaluate", "pump.float32.tflite", "rows.csv", *LABELS],
    "run": [*EDGELSTM, "run", "pump.int8.tflite", "rows.csv", *STREAM],
    "calibrate int8": [*EDGELSTM, "calibrate", "copy.tflite", "normal.csv", "--force"],
    "import tensorflow": ["-c", "import tensorflow"],
    "convert": [*EDGELSTM, "convert", "pump.keras", "--int8"],
    "convert autoencoder": [*EDGELSTM, "convert", "autoencoder.keras", "--int8", *FOREIGN],
    "report": [*EDGELSTM, "report", "pump.keras", "--data", "report.csv", *LABELS, "-o", "report"],
    "train": [*EDGELSTM, *TRAIN],
}
AUTOENCODER = """
import keras
keras.utils.set_random_seed(0)
layers = keras.layers
model = keras.Sequential([
    layers.Input((30, 1)), layers.LSTM(64, return_sequences=True), layers.LSTM(32), layers.RepeatVector(30),
    layers.LSTM(32, return_sequences=True), layers.LSTM(64, return_sequences=True),
    layers.TimeDistributed(layers.Dense(1)),
])
assert model.count_params() == 62_529
model.save("autoencoder.keras")
"""


def prepare(folder: Path, python: str, model: Path, rows: int, report_rows: int, train_rows: int) -> None:
    """Fill a version's folder: rows to score, to report on and to train on, and models that this version converted.

    Args:
        folder: An empty folder.
        python: Interpreter of the version's environment.
        model: Trained `.keras` file that all versions can read, with `pump_normal.csv` and `pump_faults.csv` beside it.
        rows: Rows to score, evaluate and watch.
        report_rows: Rows of the report.
        train_rows: Rows of the training.
    """
    shutil.copy(model, folder / "pump.keras")
    shutil.copy(model.parent / "pump_normal.csv", folder / "normal.csv")
    repeat_rows(model.parent / "pump_faults.csv", folder / "rows.csv", rows)
    repeat_rows(model.parent / "pump_faults.csv", folder / "report.csv", report_rows)
    long_series(folder / "train.csv", train_rows)
    first_column(model.parent / "pump_normal.csv", folder / "one.csv")
    for scheme in ("int8", "float32"):
        call(python, [*EDGELSTM, "convert", "pump.keras", "--scheme", scheme], folder)
    if not (model.parent / "autoencoder.keras").exists():  # one file for all versions
        call(python, ["-c", AUTOENCODER], model.parent)
    shutil.copy(model.parent / "autoencoder.keras", folder)


def reset(folder: Path) -> None:
    """Take away what a command of this folder leaves for its next run.

    Args:
        folder: A version's folder.
    """
    for name in ("state.json", "events.jsonl", "events.db", "events.db-wal", "events.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(folder / "pump.int8.tflite", folder / "copy.tflite")


def call(python: str, words: list[str], folder: Path) -> None:
    """Run a command to its end.

    Args:
        python: Interpreter.
        words: Its arguments.
        folder: Where it runs.
    """
    subprocess.run([python, *words], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def repeat_rows(source: Path, target: Path, count: int) -> None:
    """Write rows again and again, with times that go on.

    Args:
        source: CSV with times of whole seconds in the first column.
        target: CSV to write.
        count: Rows.
    """
    with source.open(newline="") as rows, target.open("w", newline="") as out:
        head, *body = csv.reader(rows)
        table = csv.writer(out)
        table.writerow(head)
        table.writerows([number, *body[number % len(body)][1:]] for number in range(count))


def first_column(source: Path, target: Path) -> None:
    """Write the first channel of a CSV alone.

    Args:
        source: CSV with a time column first.
        target: CSV to write.
    """
    with source.open(newline="") as rows, target.open("w", newline="") as out:
        csv.writer(out).writerows(row[1:2] for row in csv.reader(rows))


def long_series(target: Path, count: int, seed: int = 0) -> None:
    """Write five channels that swing with a period of their own each and some noise.

    Args:
        target: CSV to write.
        count: Rows.
        seed: Of the noise.
    """
    noise = random.Random(seed)
    periods = (24, 37, 60, 96, 150)
    with target.open("w") as out:
        out.write("time," + ",".join(f"c{number}" for number in range(len(periods))) + "\n")
        for row in range(count):
            swings = (math.sin(2 * math.pi * row / period) + noise.gauss(0.0, 0.1) for period in periods)
            out.write(f"{row}," + ",".join(f"{swing:.4f}" for swing in swings) + "\n")
