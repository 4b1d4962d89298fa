"""The public data sets as cases: rows that a detector may learn from, and rows that it is then judged on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from edgelstm.data.series import Series

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
    """True for each anomalous test row, (T2,)."""
    start: int
    """First test row that counts."""
    channels: tuple[str, ...]
    """F names."""
    period: float | None = None
    """Seconds between rows."""
    window: int = 100
    """Largest buffer of VUS-PR, rows."""
    segments: tuple[tuple[int, int], ...] = ()
    """First row and end of each stretch of `train` without a gap; empty for one stretch."""
    causes: tuple[tuple[int, int, tuple[int, ...]], ...] = ()
    """First and last row of labelled anomalies with the channels that caused them, numbered from 0."""

    def series(self) -> Series:
        """Return `train` as the rows of a training."""
        rows = self.train
        return Series(rows, np.arange(float(len(rows))), self.channels, self.period, self.segments or ((0, len(rows)),))

    def parts(self) -> list[Doubles]:
        """Return the stretches of `train` without a gap."""
        return [self.train[first:end] for first, end in self.segments or ((0, len(self.train)),)]


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


def tsb(folder: Path) -> Iterator[Case]:
    """One model a file, TSB-AD's protocol: the first rows train, all rows are judged with its own sliding window."""
    for path in sorted(folder.glob("*.csv.gz")):
        frame = pd.read_csv(path)
        inputs = frame.drop(columns="label")
        values = inputs.to_numpy(np.float64)
        count = int(path.name.split("_tr_")[1].split("_")[0])
        labels = frame["label"].to_numpy() > 0
        window = sliding_window(values[:, 0])
        yield Case(path.name.split(".")[0], values[:count], values, labels, 0, tuple(inputs.columns), window=window)


def tep(folder: Path) -> Iterator[Case]:
    """One model for all files, trained on both stretches of normal operation."""
    parts = [pd.read_csv(folder / "train" / f"{name}.csv.gz") for name in ("d00_te", "d00")]
    parts = [part.drop(columns="label", errors="ignore") for part in parts]
    train = np.concatenate([part.to_numpy(np.float64) for part in parts])
    segments = ((0, len(parts[0])), (len(parts[0]), len(train)))
    for path in sorted((folder / "test").glob("*.csv.gz")):
        frame = pd.read_csv(path)
        values, labels = frame.drop(columns="label").to_numpy(np.float64), frame["label"].to_numpy() > 0
        name, channels = path.name.split(".")[0], tuple(parts[0].columns)
        yield Case(name, train, values, labels, 0, channels, 180.0, segments=segments)


def asd(folder: Path) -> Iterator[Case]:
    """One model a server."""
    return _servers(folder, 300.0)


def smd(folder: Path) -> Iterator[Case]:
    """One model a machine."""
    return _servers(folder, 60.0)


def pump(folder: Path) -> Iterator[Case]:
    """The embedded simulated pump; the folder holds pump_normal.csv and pump_faults.csv."""
    train, test = pd.read_csv(folder / "pump_normal.csv"), pd.read_csv(folder / "pump_faults.csv")
    channels = tuple(name for name in train if name != "time")
    values, labels = test[list(channels)].to_numpy(np.float64), test["anomaly"].to_numpy() > 0
    yield Case("pump", train[list(channels)].to_numpy(np.float64), values, labels, 0, channels, 1.0)


def _servers(folder: Path, period: float) -> Iterator[Case]:
    table = pd.read_csv(folder / "causes.csv")
    for path in sorted((folder / "test").glob("*.csv.gz")):
        train, test = pd.read_csv(folder / "train" / path.name), pd.read_csv(path)
        name, channels = path.name.split(".")[0], tuple(column for column in test if column != "label")
        values, labels = test[list(channels)].to_numpy(np.float64), test["label"].to_numpy() > 0
        causes = tuple(
            (int(row.first_row), int(row.last_row), tuple(int(channel) - 1 for channel in str(row.channels).split()))
            for row in table[table["entity"] == name].itertuples()
        )
        known = train[list(channels)].to_numpy(np.float64)
        yield Case(name, known, values, labels, 0, channels, period, causes=causes)


def sliding_window(series: Doubles) -> int:
    """Return TSB-AD's sliding window: the lag, 3 to 300, of the highest local maximum of the autocorrelation, else 125."""
    centred = series[:20000] - series[:20000].mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2)[:401]
    curve = covariance[3:] / covariance[0] if covariance[0] > 0 else np.zeros(0)
    peaks = np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:])) + 1
    if not len(peaks):
        return 125
    best = int(peaks[np.argmax(curve[peaks])])
    return best + 3 if 3 <= best <= 300 else 125


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder).with_suffix("")).replace("/", "_")


PROTOCOLS = {
    "skab": skab, "smap_msl": smap_msl, "nab": nab, "tsb_u": tsb, "tsb_m": tsb, "tep": tep, "asd": asd, "smd": smd,
    "pump": pump,
}  # fmt: skip
SAME_CHANNELS = ({"smap_msl", "tsb_m"}, {"nab", "tsb_u"})


def together(corpus: str) -> set[str]:
    """Return a corpus with those that hold the same channels: they are left out together."""
    return next((pair for pair in SAME_CHANNELS if corpus in pair), {corpus})
