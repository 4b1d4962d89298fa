"""Make the tiny models beside this file: `python tests/slim/models/make.py` (needs the train extra, a minute).

They are small so that tests on the base install need neither training nor TensorFlow. Two channels, a sine and its
noisy echo; `stream.csv` goes on where the training rows end, with a spike, a level shift and a flat stretch in it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

HERE = Path(__file__).parent
ROWS, LATER = 3000, 600
HOUR, BERLIN = 3600, ZoneInfo("Europe/Berlin")
MONDAY = 1_769_986_800  # 2026-02-02, 0:00 in Berlin


def series(rows: int, seed: int = 7) -> np.ndarray:
    """Level and flow of a tank that is filled and emptied, shape (rows, 2), one sample a second."""
    random, time = np.random.default_rng(seed), np.arange(rows)
    level = 50 + 20 * np.sin(2 * np.pi * time / 24)
    flow = 5 + 2 * np.cos(2 * np.pi * time / 24) + 0.5 * np.sin(2 * np.pi * time / 8)
    return np.stack([level, flow], axis=1) + random.normal(0, [0.5, 0.05], (rows, 2))


def with_faults(values: np.ndarray) -> np.ndarray:
    """The same with a spike, a shift and a flat stretch."""
    values = values.copy()
    values[150:153, 1] += 6
    values[300:340, 0] += 30
    values[450:500, 1] = values[450, 1]
    return values


def write(path: Path, values: np.ndarray, start: int) -> None:
    """One CSV with a time column, seconds."""
    rows = np.column_stack([start + np.arange(len(values)), values])
    np.savetxt(path, rows, fmt=["%d", "%.3f", "%.4f"], delimiter=",", header="time,level_cm,flow_lpm", comments="")


def plant(start: int, days: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Power of a plant that works by day but for Sundays, every hour: times (T,), seconds, and values (T, 1)."""
    times = start + HOUR * np.arange(24 * days)
    local = [datetime.fromtimestamp(time, timezone.utc).astimezone(BERLIN) for time in times.tolist()]
    works = np.array([6 <= moment.hour < 20 and moment.weekday() < 6 for moment in local])
    noise = np.random.default_rng(seed).normal(0, 1, len(times))
    return times, (10 + 30 * works + noise)[:, None]


def edgelstm(*arguments: object) -> None:
    """One command; our own interpreter's installation."""
    subprocess.run([sys.executable, "-m", "edgelstm", *map(str, arguments)], check=True, cwd=tempfile.gettempdir())


def main() -> None:
    """Train, convert, copy."""
    values = series(ROWS + LATER)
    with tempfile.TemporaryDirectory() as folder:
        normal = Path(folder, "normal.csv")
        write(normal, values[:ROWS], 0)
        write(HERE / "stream.csv", with_faults(values[ROWS:]), ROWS)
        for name, kind in (("auto", "autoencoder"), ("cast", "forecaster")):
            model = Path(folder, f"{name}.keras")
            edgelstm("train", normal, "-o", model, "--kind", kind, "--lookback", 24, "--units", 8, "--epochs", 30)
            edgelstm("convert", model, "--scheme", "float32", "--scheme", "int8", "--allow-drop")
            keep(folder, name)
        ahead = ("--kind", "forecaster", "--target", "level_cm", "--columns", "flow_lpm", "--horizon", 6)
        edgelstm("train", normal, "-o", Path(folder, "ahead.keras"), *ahead, "--lookback", 24, "--units", 8)
        edgelstm("convert", Path(folder, "ahead.keras"), "--scheme", "float32", "--scheme", "int8")
        keep(folder, "ahead")
        flow = Path(folder, "flow.keras")
        small = ("--lookback", 24, "--units", 8, "--epochs", 12, "--batch-size", 16)
        edgelstm("train", normal, "-o", flow, "--kind", "forecaster", "--streaming", *small)
        edgelstm("convert", flow, "--scheme", "int8", "--streaming", "--allow-drop")
        shutil.copy(Path(folder, "flow.stream.int8.tflite"), HERE)
        weekly(folder)


def weekly(folder: str) -> None:
    """The models with a calendar."""
    normal, week = Path(folder, "plant.csv"), Path(folder, "week.keras")
    times, values = plant(MONDAY, 42)
    np.savetxt(
        normal, np.column_stack([times, values]), fmt=["%d", "%.3f"], delimiter=",", header="time,power_kw", comments=""
    )
    small = ("--calendar", "--timezone", "Europe/Berlin", "--lookback", 8, "--units", 4, "--epochs", 8)
    edgelstm("train", normal, "-o", week, *small)
    edgelstm("convert", week, "--scheme", "float32", "--scheme", "int8")
    keep(folder, "week")
    edgelstm("train", normal, "-o", week, *small, "--streaming")
    edgelstm("convert", week, "--scheme", "int8", "--streaming", "--allow-drop")
    shutil.copy(Path(folder, "week.stream.int8.tflite"), HERE)


def keep(folder: str, name: str) -> None:
    """Copy both schemes of a model here."""
    for scheme in ("float32", "int8"):
        shutil.copy(Path(folder, f"{name}.{scheme}.tflite"), HERE)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
