"""Drift on real series: is it quiet where nothing changes, and how soon is a change told? `python benchmarks/drift.py`.

Needs EDGELSTM_DATA. A linear one-step forecaster and all statistics are fitted on the rows before a series' first labelled
anomaly (half of a series without labels); the rest is streamed as it is, and with a change from a quarter of it on: a shift of
one deviation of the training rows, a slow trend to two of them, noise of half of one. The delay is in rows. A drift that is
told without a change of ours may be a true one (a second half of a year is another season): it is printed, not judged.
Writes benchmarks/results/drift.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from edgelstm.runtime import Detector
from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import fit_scaler
from edgelstm.runtime.scoring.scorer import Scoring

HERE = Path(__file__).parent
WINDOW, LEAST, MOST = 24, 1500, 20_000  # rows
Array = npt.NDArray[np.float64]
RANDOM = np.random.default_rng(0)
CHANGES: dict[str, Callable[[int], Array]] = {
    "as it is": lambda rows: np.zeros(rows),
    "shift": lambda rows: np.ones(rows),
    "trend": lambda rows: np.linspace(0, 2, rows),
    "noise": lambda rows: RANDOM.normal(0, 0.5, rows),
}


def series(data: Path) -> dict[str, tuple[Array, int]]:
    """Values and number of training rows of each series."""
    found = {}
    labels = json.loads((data / "nab" / "labels" / "combined_windows.json").read_text())
    for name, windows in sorted(labels.items()):
        table = pd.read_csv(data / "nab" / name)
        first = int((table["timestamp"] < windows[0][0][:19]).sum()) if windows else len(table) // 2
        found[Path(name).stem] = table[["value"]].to_numpy(np.float64), first
    hourly = pd.read_csv(data / "etth" / "ETTh1.csv").iloc[:, 1:].to_numpy(np.float64)
    power = pd.read_csv(data / "electricity" / "vic_electricity.csv.gz").select_dtypes("number").to_numpy(np.float64)
    found |= {"ETTh1": (hourly, len(hourly) // 2), "vic_electricity": (power, len(power) // 2)}
    return {name: (values[-2 * MOST :], first) for name, (values, first) in found.items() if first >= LEAST}


def forecaster(scaled: Array) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Ridge regression of a row on the 24 before it."""
    windows = np.stack([scaled[i : i + WINDOW].ravel() for i in range(len(scaled) - WINDOW)])
    inputs = np.c_[windows, np.ones(len(windows))]
    ridge = 1e-4 * len(inputs) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ scaled[WINDOW:])
    return lambda window: (np.r_[window.ravel(), 1.0] @ weights).astype(np.float32)[None]


def detector(normal: Array) -> Callable[[], Detector]:
    """Makes fresh detectors fitted on rows of normal operation."""
    scaler = fit_scaler(normal)
    scaled = scaler.transform(normal)
    predict = forecaster(scaled.astype(np.float64))
    ends = zip(normal.min(axis=0).tolist(), normal.max(axis=0).tolist(), strict=True)
    channels = tuple(Channel(f"c{i}", train_low=low, train_high=high) for i, (low, high) in enumerate(ends))
    blank = Metadata("forecaster", WINDOW, 1, channels, 1.0, scaler, scoring=Scoring())
    fitted = fit_detector(blank, predict, [scaled])
    return lambda: Detector(fitted, predict)


def told(watch: Detector, rows: Array) -> list[tuple[int, str]]:
    """Rows at which a drift opened, and what kind."""
    return [
        (index, event.reason)
        for index, row in enumerate(rows.tolist())
        for event in watch.update(row, float(index)).events
        if event.kind == "drift" and event.state == "open"
    ]


def measure(values: Array, first: int) -> dict[str, Any]:
    """Drift events of one series, as it is and changed."""
    values = values[np.isfinite(values).all(axis=1)]
    make, later, found = detector(values[:first]), values[first:], {}
    begin = len(later) // 4
    for change, shape in CHANGES.items():
        rows = later.copy()
        rows[begin:, 0] += values[:first, 0].std() * shape(len(rows) - begin)
        events = told(make(), rows)
        after = [index - begin for index, _ in events if index >= begin]
        found[change] = {"events": events, "delay": min(after, default=None)}
    block = make().metadata.sections["drift"]["block"]
    return {"training_rows": first, "rows": len(later), "changed_from": begin, "block": block, **found}


def main() -> None:
    """Measure, print and write."""
    result = {}
    for name, (values, first) in series(Path(os.environ["EDGELSTM_DATA"])).items():
        found = result[name] = measure(values, first)
        said = ", ".join(f"{change} {len(found[change]['events'])} ({found[change]['delay']})" for change in CHANGES)
        print(f"{name}: {found['rows']} rows, block {found['block']}; events (delay): {said}", flush=True)
    (HERE / "results" / "drift.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
