"""Units of channels: from headers, cells and the command line into the model and its sentences."""

import numpy as np
import pytest
from edgelstm.runtime.errors import SeriesError

from edgelstm.data.series import read_series, with_units
from edgelstm.training.train import _channels


@pytest.fixture
def series(tmp_path):
    path = tmp_path / "rows.csv"
    values = np.random.default_rng(0).normal(5, 1, (60, 3))
    rows = [f"{row},{a:.3f},{b:.3f} bar,{c:.3f}" for row, (a, b, c) in enumerate(values)]
    path.write_text("\n".join(["time,oil temperature [°C],pressure,flow", *rows]) + "\n", encoding="utf-8")
    return read_series([path])


def test_units_come_from_the_header_from_cells_and_from_the_user(series):
    channels = _channels(with_units(series, {"flow": "l/min"}))

    assert [(channel.name, channel.unit) for channel in channels] == [
        ("oil temperature [°C]", "°C"), ("pressure", "bar"), ("flow", "l/min"),
    ]  # fmt: skip


def test_a_unit_of_a_channel_that_there_is_not_is_refused(series):
    with pytest.raises(SeriesError, match="no channel 'level'"):
        with_units(series, {"level": "m"})
