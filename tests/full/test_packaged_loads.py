"""Load series of the forecasting benchmark that lie in Python packages: written from their files, without importing them."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from forecast_data import CASES
from forecast_packaged import HOMES

ROWS = 480
HOURS = np.datetime64("2020-04-01T00:00") + np.arange(ROWS) * np.timedelta64(1, "h")


@pytest.fixture
def packages(tmp_path):
    """Packages of the same layout with other numbers."""
    source = tmp_path / "pmdarima" / "datasets" / "taylor.py"
    source.parent.mkdir(parents=True)
    source.write_text(
        f"import numpy\nraise ImportError('not to be run')\ndef load():\n    x = [1]\n    return numpy.array({list(range(ROWS))})\n"
    )
    samples = tmp_path / "eemeter" / "eemeter" / "samples"
    samples.mkdir(parents=True)
    for meter, weather, unit in HOMES.values():
        write(samples / f"{meter}.csv.gz", "start,value", [f"{time}:00+00:00,{row}" for row, time in enumerate(HOURS)])
        write(samples / f"{weather}.csv.gz", f"dt,{unit}", [f"{time}:00,{-row}" for row, time in enumerate(HOURS)])
    return tmp_path


def write(path, head, lines):
    path.write_bytes(gzip.compress("\n".join([head, *lines, ""]).encode()))


def test_each_series_is_a_case_and_one_with_temperature_two(packages):
    cases = {case.name: case for case in CASES["packaged"](packages)}

    assert set(cases) == {"taylor"} | {f"{name}{end}" for name in HOMES for end in ("", "_weather")}
    assert [(cases[name].known, cases[name].horizon) for name in ("taylor", "uk_0", "uk_0_weather")] == [(0, 48), (0, 24), (1, 24)]  # fmt: skip
    assert "simulated" in cases["uk_0"].note
    assert "simulated" not in cases["taylor"].note


def test_rows_come_as_the_packages_have_them(packages):
    cases = {case.name: case.series for case in CASES["packaged"](packages)}

    assert cases["taylor"].values[:, 0].tolist() == list(range(ROWS))
    assert np.datetime64(int(cases["taylor"].time[0]), "s") == np.datetime64("2000-06-05T00:00:00")
    np.testing.assert_array_equal(cases["uk_0"].values, np.c_[np.arange(ROWS), -np.arange(ROWS)])
