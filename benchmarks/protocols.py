"""The public data sets as cases: what a detector may learn from, what it is then judged on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

Doubles = npt.NDArray[np.float64]
TRAIN_ROWS = 400  # SKAB's convention
PROBATION_SHARE, PROBATION_MOST = 0.15, 750  # NAB's


@dataclass(frozen=True)
class Case:
    """One file of a benchmark."""

    name: str
    """Relative to the benchmark's folder, without suffix."""
    train: Doubles
    """Rows of (presumed) normal operation, (T, F)."""
    test: Doubles
    """Rows that are fed to the detector, (T2, F)."""
    labels: npt.NDArray[np.bool_]
    """Whether each test row is anomalous, (T2,)."""
    start: int
    """First test row that counts."""
    channels: tuple[str, ...]
    """F names."""
    period: float | None = None
    """Seconds between rows."""


def skab(folder: Path) -> Iterator[Case]:
    """One model a file: rows 0 to 399 train, the rest tests."""
    for path in sorted(folder.glob("*/*.csv")):
        frame = pd.read_csv(path, sep=";")
        if "anomaly" not in frame:
            continue
        inputs = frame.drop(columns=["datetime", "anomaly", "changepoint"])
        values = inputs.to_numpy(np.float64)
        labels = frame["anomaly"].to_numpy() > 0
        yield Case(_name(path, folder), values[:TRAIN_ROWS], values, labels, TRAIN_ROWS, tuple(inputs.columns), 1.0)


def smap_msl(folder: Path) -> Iterator[Case]:
    """One model a channel: its telemetry value alone, without the commands; trained on train/, judged on all of test/."""
    for path in sorted((folder / "test").glob("*.csv*")):
        train, test = pd.read_csv(folder / "train" / path.name), pd.read_csv(path)
        values = test[["value"]].to_numpy(np.float64)
        labels = test["label"].to_numpy() > 0
        yield Case(path.name.split(".")[0], train[["value"]].to_numpy(np.float64), values, labels, 0, ("value",))


def nab(folder: Path) -> Iterator[Case]:
    """One model a file, trained on the probationary rows alone; the rest is judged."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for name, spans in windows.items():
        frame = pd.read_csv(folder / name, parse_dates=["timestamp"])
        values = frame[["value"]].to_numpy(np.float64)
        labels = np.zeros(len(frame), bool)
        for first, last in spans:
            labels |= frame["timestamp"].between(pd.Timestamp(first), pd.Timestamp(last)).to_numpy()
        start = min(int(PROBATION_SHARE * len(frame)), PROBATION_MOST)
        period = float(frame["timestamp"].diff().dt.total_seconds().median())
        yield Case(_name(folder / name, folder), values[:start], values, labels, start, ("value",), period)


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder).with_suffix("")).replace("/", "_")


PROTOCOLS = {"skab": skab, "smap_msl": smap_msl, "nab": nab}
