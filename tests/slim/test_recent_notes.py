"""Warnings of `edgelstm forecast` about rows that a forecast cannot be trusted for."""

import numpy as np
import pytest
from click.testing import CliRunner
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.forecasting.recent_notes import recent_notes
from edgelstm.runtime.forecasting.time_grid import Recent
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler

from edgelstm.cli.forecast import command


@pytest.fixture
def told(models, tmp_path):
    """Standard error of a forecast from the tank's rows, changed."""

    def forecast(change):
        head, *lines = models.joinpath("stream.csv").read_text().splitlines()
        changed = change([line.split(",") for line in lines])
        path = tmp_path / "a.csv"
        path.write_text("\n".join([head, *map(",".join, changed)]))
        done = CliRunner().invoke(command, [str(models / "ahead.int8.tflite"), str(path)], catch_exceptions=False)
        assert done.exit_code == 0
        assert len(done.stdout.splitlines()) == 1 + 6
        return done.stderr

    return forecast


def level(rows, value, first):
    """Rows with another level from one of them on."""
    return [[time, value if at >= first else old, flow] for at, (time, old, flow) in enumerate(rows)]


def test_good_rows_are_not_warned_of(told):
    assert told(lambda rows: rows) == ""


@pytest.mark.parametrize(("value", "first", "count"), [("1e30", 0, 24), ("-9999", 598, 2)])
def test_values_far_outside_of_training_are_warned_of(told, value, first, count):
    said = told(lambda rows: level(rows, value, first))

    assert f"Warning: {count} of the 24 values of level_cm" in said
    assert f"such as {float(value):g}: do not trust it" in said


def test_values_that_have_left_the_look_back_are_not_warned_of(told):
    assert told(lambda rows: level(rows[:500], "-9999", 0) + rows[500:]) == ""


def test_a_forecast_from_older_rows_says_so(told):
    said = told(lambda rows: level(rows, "Bad", 560))

    assert "Warning: the last 40 rows have no level_cm: the forecast is from 3560 on." in said


def test_rows_that_were_dropped_are_counted(told):
    said = told(lambda rows: [*rows[:300], *rows[298:400], ["", *rows[400][1:]], *rows[401:]])

    assert "Warning: 2 rows had a time that was there already and were dropped." in said
    assert "Warning: 1 rows without a time were dropped." in said


def test_rows_that_tell_covariates_are_not_old_but_far_where_they_are():
    features = InputFeatures(2, 1, 1)
    channels = tuple(Channel(name, train_low=0.0, train_high=10.0) for name in ("load", "holiday", "heat"))
    scaler = Scaler("standard", (0.0,) * 3, (1.0,) * 3)
    metadata = Metadata("forecaster", 4, 3, channels, 1.0, scaler, sections={"forecast": features.record()})
    forecaster = Forecaster(metadata, lambda history, context: np.zeros(3))
    values = np.ones((10, 3))
    values[5:, [0, 2]] = np.nan
    notes = [recent_notes(forecaster, Recent(values, np.arange(10.0), False))]
    values[6, 2] = 1.0
    notes.append(recent_notes(forecaster, Recent(values, np.arange(10.0), False)))
    values[6, 1:] = [99.0, np.nan]
    notes.append(recent_notes(forecaster, Recent(values, np.arange(10.0), False)))

    assert notes[:2] == [[], ["the last 2 rows have no load: the forecast is from 5 on."]]
    assert [note.partition(" that")[0] for note in notes[2]] == ["1 of the 7 values of holiday"]
