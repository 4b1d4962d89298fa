"""A small model, trained and converted once for all tests of a process."""

import pytest
from commands import PUMP, here


@pytest.fixture(scope="session")
def way(tmp_path_factory):
    """A folder with data, a quickly trained model, and its conversions."""
    folder = tmp_path_factory.mktemp("way")
    rows = PUMP.joinpath("pump_normal.csv").read_text().splitlines(keepends=True)
    (folder / "normal.csv").write_text("".join(rows[:1801]))
    (folder / "faults.csv").write_text(PUMP.joinpath("pump_faults.csv").read_text())
    options = ("--lookback", "12", "--units", "16", "--epochs", "4")
    here("train", folder / "normal.csv", "-o", folder / "pump.keras", *options)
    here("convert", folder / "pump.keras", "--int8", "--scheme", "float32")
    return folder
