"""Public series as forecasting cases: what may be learnt from, and from which rows is forecast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from forecast_packaged import REMARKS, write_packaged

from edgelstm.data.series import Series, read_series
from edgelstm.data.table import read_names

DAY = 86_400.0
ETT_ENDS = (8640, 11520, 14400)  # 12, 4 and 4 months of 30 days: the convention of arXiv 2012.07436
SHARES = (0.7, 0.8, 1.0)
COVARIATES = ("Holiday",)  # known years ahead
COUNTRIES = {"PJM_DAYTON_hourly": "US"}  # Ohio: the file names no holidays
WEATHER = ("Temperature",)  # known up to now; beforehand only as a forecast, which the files do not hold


@dataclass(frozen=True)
class Case:
    """One series with one horizon."""

    name: str
    """Of the result's file."""
    series: Series
    """Channels in this order: targets, known ones, others."""
    targets: int
    """The first channels are forecast, C."""
    known: int
    """The next channels are known for the hours to come."""
    horizon: int
    """Rows, H."""
    day: int
    """Rows a day."""
    ends: tuple[int, int, int]
    """Row after the last of the training, validation and test part."""
    ridge_window: int
    """Rows that the linear models look back."""
    note: str
    """Remark for the reader."""
    calendar: bool = True
    """True if the calendar of the hours to come is an input; by the validation part."""
    lookback: int | None = None
    """Rows that the model looks back; None takes the trainer's week; by the validation part."""
    holidays: str = ""
    """Country whose public holidays are an input, where the file does not hold them."""

    @property
    def origins(self) -> npt.NDArray[np.int64]:
        """Every row of the test part that can be forecast from; each `day`-th of them is a daily origin."""
        return np.arange(self.ends[1], self.ends[2] - self.horizon + 1)


def electricity(folder: Path) -> Iterator[Case]:
    """Each file: time, load, and maybe Temperature and Holiday; a day ahead. With temperature a second, labelled case."""
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        names = read_names(path)
        target = names[1]
        known = [name for name in COVARIATES if name in names]
        weather = [name for name in WEATHER if name in names]
        name = path.name.split(".")[0]
        yield _load(name, path, target, known, weather, "calendar of the hours to come")
        if weather:
            note = "ACTUAL temperature of the hours to come as a known covariate: as good as a perfect weather forecast"
            yield _load(f"{name}_weather", path, target, [*known, *weather], [], note)


def packaged(packages: Path | None) -> Iterator[Case]:
    """Load series that lie in Python packages and on whose test parts nothing was chosen, as `electricity`."""
    with TemporaryDirectory() as folder:
        write_packaged(packages, Path(folder))
        for case in electricity(Path(folder)):
            remark = REMARKS[case.name.removesuffix("_weather")]
            yield replace(case, note=f"{case.note}; {remark}")


def _load(name: str, path: Path, target: str, known: list[str], others: list[str], note: str) -> Case:
    series = read_series([path], [target, *known, *others])
    day, rows = round(DAY / (series.period or 3600.0)), len(series.values)
    train, validation, test = (int(share * rows) for share in SHARES)
    ends = (train, validation, test)
    country = COUNTRIES.get(name, "")
    note += f", public holidays of {country}" if country else ""
    return Case(name, series, 1, len(known), day, day, ends, 7 * day, note, holidays=country)


def etth(folder: Path) -> Iterator[Case]:
    """Each file: date and channels, the last of which is the target; 24 and 48 hours ahead, it alone and all."""
    for path in sorted(folder.glob("*.csv")):
        names = list(read_names(path)[1:])
        for targets in ([names[-1]], names):
            series = read_series([path], targets)
            for horizon in (24, 48):
                what = targets[0] if len(targets) == 1 else "all"
                name = f"{path.stem}_{what}_{horizon}"
                # validation MAE, seed 0, 24 hours: OT 0.1649 with and 0.1634 without calendar, all seven 0.3960 and 0.3967;
                # linear map of OT alone 0.1661 over 4, 0.1646 over 7 and 0.1628 over 14 days
                known = what == "all"
                note = "hour and weekday of the hours to come" if known else "no calendar"
                lookback = None if known else 14 * 24
                yield Case(name, series, len(targets), 0, horizon, 24, ETT_ENDS, 96, note, known, lookback)


CASES = {"electricity": electricity, "etth": etth, "packaged": packaged}
