"""Options of the reading of `train`, of a fleet and of a search: one front, kept beside a fleet's models."""

import json

import click
import numpy as np
import pytest
from commands import here
from edgelstm.runtime.sources.counters import Counters
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.signals import Signals

from edgelstm.cli.reading_options import reading_of, reading_options
from edgelstm.data.reading import Reading
from edgelstm.data.series import read_series
from edgelstm.fleet.places import Place
from edgelstm.fleet.settings import Settings, read_settings, write_settings
from edgelstm.fleet.training import Training
from edgelstm.training.options import Options

pytest.importorskip("fsspec", reason="needs the scale extra")
TABLE = {"flow": {"path": "flow_raw", "factor": 0.1, "offset": -5.0}, "energy": {}}


@pytest.fixture
def rows(tmp_path):
    """A meter that wraps at 100 and a raw flow, each second but one in ten."""
    lines = [f"{t},{t * 7 % 100},{200 + t % 13}" for t in range(120) if t % 10]
    path = tmp_path / "P1.csv"
    path.write_text("\n".join(["time,energy,flow_raw", *lines, ""]))
    return path


@pytest.fixture
def reading():
    return Reading(counters={"energy": 100.0}, signals=TABLE, grid=(2.0, 6.0))


def test_an_asset_is_read_as_train_reads_it(rows, reading):
    series = reading.normal_rows([rows])
    alone = read_series(
        [rows], counters=Counters({"energy": 100.0}), signals=Signals.read(TABLE), grid=Resampling(2.0, 6.0)
    )

    assert series.channels == alone.channels == ("flow", "energy")
    assert np.array_equal(series.values, alone.values, equal_nan=True)
    assert series.period == 2.0
    assert np.nanmax(series.values[:, 0]) < 20
    assert np.nanmin(series.values[:, 1]) >= 0


def test_the_options_are_kept_beside_the_models(tmp_path, reading):
    home = Place(str(tmp_path))
    settings = Settings("plant", "asset", Training(Options(), reading))
    write_settings(home, settings)

    assert read_settings(home) == settings


def test_a_table_of_channels_survives_as_plain_json():
    signals = Signals.read(TABLE)

    assert Signals.read(json.loads(json.dumps(signals.record()))) == signals


def test_commands_hand_on_every_option_of_the_reading(tmp_path):
    """An option that one of them forgot would be read and have no effect."""
    table = tmp_path / "channels.toml"
    table.write_text('[channels]\nflow = {path = "flow_raw", factor = 0.1, offset = -5.0}\nenergy = {}\n')
    taken = {}
    given = [
        "--time-column",
        "time",
        "--missing",
        "none",
        "--counter",
        "energy:100",
        "--channels",
        str(table),
        "--grid",
        "2:6",
    ]
    probe = click.command("probe")(reading_options(lambda **options: taken.update(options)))
    probe.main(given, standalone_mode=False)

    reading = reading_of(taken, ["energy"], "state")

    assert reading == Reading(("energy",), "time", "state", ("none",), {"energy": 100.0}, TABLE, (2.0, 6.0))
    assert taken == {"scaler": "standard"}


def test_a_search_with_counters_needs_labels(rows, tmp_path):
    done = here("search", rows, "--counter", "energy", "--study", tmp_path / "s.log", code=2)

    assert "give --data" in done.stderr
