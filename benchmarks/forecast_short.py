"""Linear maps of short histories: `python benchmarks/forecast_short.py {electricity,etth,packaged} --data DIR [--stretches 20]`.

Stretches of 5 to 52 weeks are cut at random out of what the forecasting benchmark may learn from (training parts; of ETTh1 the
validation part, too), each split as that benchmark's series are: 70 % of the rows fit, 10 % choose, the rest judges. Printed
are mean changes of the logarithm of the error on that rest, in percent, against the map that a long history gets. No network
is trained.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.model_file.scaler import fit_scaler
from forecast_data import CASES, SHARES, Case

from edgelstm.forecasting.data import Pairs, pairs, thin
from edgelstm.forecasting.holidays import holidays_of
from edgelstm.forecasting.linear_path import Equations, LinearMap, best_alone

WEEKS = (5, 8, 12, 17, 26, 38, 52)
LEARNT, JUDGED = 20_000, 3_000  # examples at most
ZONES = {"vic_electricity": "Australia/Melbourne", "il_cdd_hdd": "America/Chicago", "il_cdd_only": "America/Chicago"}
ZONES |= {"uk_0": "Europe/London"}
Parts = tuple[Pairs, Pairs, Pairs]


def parts(case: Case, first: int, rows: int, days: int) -> Parts:
    """Examples that fit, choose and judge.

    Args:
        case: The series.
        first: Row at which the stretch begins.
        rows: Its length.
        days: Days looked back.
    """
    cut = slice(first, first + rows)
    series = replace(case.series, values=case.series.values[cut], time=case.series.time[cut], segments=((0, rows),))
    ends = [int(share * rows) for share in SHARES]
    scaler = fit_scaler(series.values[: ends[0]])
    features = InputFeatures(case.day, case.targets, case.known, case.calendar, zone=ZONES.get(case.name, ""))
    if case.holidays:
        features = replace(features, holidays=holidays_of(series, case.holidays, case.day))
    window = days * case.day
    origins = [np.arange(start, end - case.horizon + 1) for start, end in zip((window, *ends[:2]), ends, strict=True)]
    most = (LEARNT // case.targets, JUDGED // case.targets, JUDGED // case.targets)
    learn, choose, judge = (
        pairs(series, scaler, features, window, case.horizon, thin(rows, count))
        for rows, count in zip(origins, most, strict=True)
    )
    return learn, choose, judge


def change(case: Case, first: int, rows: int) -> float:
    """Change of the logarithm of the error by what a short history gets, percent."""

    def solved(days: int, week: int) -> tuple[LinearMap, Pairs]:
        learn, choose, judge = parts(case, first, rows, days)
        return best_alone(Equations.of(learn.history, learn.context, learn.answers), choose, week), judge

    (usual, before), (short, after) = solved(7, 0), solved(8, 7 * case.day)
    return 100 * float(np.log(short.error(after) / usual.error(before)))


def main() -> None:
    """Print a row a series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(CASES))
    parser.add_argument("--data", type=Path, help="As for forecasting.py.")
    parser.add_argument("--stretches", type=int, default=20, help="Of each length.")
    given = parser.parse_args()
    random = np.random.default_rng(0)
    print("| series | " + " | ".join(f"{weeks} weeks" for weeks in WEEKS) + " |")
    for case in CASES[given.what](given.data):
        limit, cells = case.ends[1 if given.what == "etth" else 0], []
        for rows in (weeks * 7 * case.day for weeks in WEEKS):
            firsts = random.integers(0, max(1, limit - rows), given.stretches)
            changes = [change(case, int(first), rows) for first in firsts if first + rows <= limit]
            cells.append(f"{np.mean(changes):.1f}" if changes else "")
        print(f"| {case.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
