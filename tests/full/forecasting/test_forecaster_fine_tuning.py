"""One forecaster for many series, each on its own scale, and fine-tuning to one that has few rows."""

import json

import numpy as np
import pytest
from commands import here
from edgelstm.runtime.errors import ModelError, TrainingError
from sklearn.exceptions import NotFittedError

import edgelstm
from edgelstm.data.series import Series, read_series
from edgelstm.forecasting.several import joined
from edgelstm.keras_file import read_extras

HORIZON, WEEKS = 6, 8


def meter(size, weeks, seed):
    """Hourly load of a home: days and weekends of all homes are alike, their sizes and noise are not."""
    hours, random = np.arange(24 * 7 * weeks), np.random.default_rng(seed)
    awake = np.exp(-(((hours % 24) - 19) ** 2) / 8) + 0.5 * np.exp(-(((hours % 24) - 7) ** 2) / 3)
    load = size * (1 + 3 * awake * np.where(hours // 24 % 7 >= 5, 1.6, 1.0) + random.normal(0, 0.2, len(hours)))
    return Series(load[:, None], 1_700_006_400.0 + 3600 * hours, ("load",), 3600.0, ((0, len(hours)),))


def write(path, series, name="load"):
    lines = [f"{time:.0f},{value:.5f}" for time, value in zip(series.time, series.values[:, 0], strict=True)]
    path.write_text("\n".join([f"time,{name}", *lines, ""]))
    return path


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A folder with the model of four meters, and files of a fifth with four weeks, which is a thousand times as large."""
    folder = tmp_path_factory.mktemp("street")
    files = [write(folder / f"{seed}.csv", meter(10.0**seed, WEEKS, seed)) for seed in range(4)]
    write(folder / "own.csv", meter(5e3, 4, 9), "power")
    here(
        "train", "forecaster", *files, "-o", folder / "street.keras", "--target", "load", "--horizon", HORIZON,
        "--calendar", "--separate", "--units", 8, "--epochs", 3,
    )  # fmt: skip
    return folder


def tuned(street, *options):
    output = street / "own.keras"
    words = ("train", "forecaster", street / "own.csv", "-o", output, "--from", street / "street.keras")
    return json.loads(here(*words, "--json", *options).stdout), output


def test_each_series_is_on_the_scale_of_the_rows_that_teach():
    rows, cuts = joined([meter(1.0, 2, 0), meter(1000.0, 4, 1)], "standard")
    first, second = rows.segments
    taught = rows.values[second[0] : cuts[-1], 0]

    assert (cuts[0], cuts[-1]) == (int(0.85 * first[1]), first[1] + int(0.85 * (second[1] - second[0])))
    assert (taught.mean(), taught.std()) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_series_of_other_columns_or_distances_are_refused():
    one = meter(1.0, 2, 0)
    for other in (
        Series(one.values, one.time, ("flow",), 3600.0, one.segments),
        Series(one.values, one.time, one.channels, 60.0, one.segments),
    ):
        with pytest.raises(TrainingError, match="same channels"):
            joined([one, other], "standard")


def test_the_model_of_many_is_in_deviations(street):
    metadata, _ = read_extras(street / "street.keras")

    assert metadata.scaler.kind == "none"
    assert metadata.sections["training"]["series"] == 4
    assert metadata.channels[0].train_high < 10


def test_a_meter_with_few_rows_goes_on_from_the_model_of_many(street):
    record, output = tuned(street, "--target", "power", "--epochs", 2)
    forecast = json.loads(here("forecast", output, street / "own.csv", "--json").stdout)
    later = meter(5e3, 5, 9).values[24 * 28 : 24 * 28 + HORIZON, 0]
    values = np.array(forecast["targets"]["power"]["forecast"])

    assert record["targets"] == ["power"]
    assert (record["lookback"], record["horizon"]) == (168, HORIZON)
    assert record["epochs"] == 2
    assert np.abs(values / later - 1).mean() < 0.3
    assert read_extras(output)[0].scaler.offset[0] == pytest.approx(meter(5e3, 4, 9).values.mean(), rel=0.05)


def test_what_the_model_decides_cannot_be_asked_for(street):
    words = ("train", "forecaster", street / "own.csv", "-o", street / "x.keras")
    refused = here(*words, "--from", street / "street.keras", "--horizon", 3, "--units", 4, code=2)

    assert "--horizon, --units: --from" in refused.stderr
    assert "--target" in here(*words, code=2).stderr


def test_rows_of_another_form_are_refused(street):
    forecaster = edgelstm.Forecaster.load(street / "street.keras").set_params(target="power")
    series = read_series([street / "own.csv"])
    slower = Series(series.values, series.time * 2, series.channels, 7200.0, series.segments)

    with pytest.raises(TrainingError, match="a row every 3600"):
        forecaster.fine_tune(slower)


@pytest.mark.parametrize("names", [{"target": ["load", "temperature"]}, {"covariates": ["temperature"]}])
def test_columns_that_the_network_would_take_for_something_else_are_refused(street, names):
    one = edgelstm.Forecaster.load(street / "street.keras").set_params(**names)
    with pytest.raises(TrainingError, match="in the model to go on from"):
        one.fine_tune(street / "own.csv")


def test_a_forecaster_without_weights_and_a_detector_are_nothing_to_go_on_from(tmp_path):
    with pytest.raises(NotFittedError):
        edgelstm.Forecaster("load").fine_tune(meter(1.0, 1, 0))

    rows = np.random.default_rng(0).normal(size=(400, 1))
    edgelstm.AnomalyDetector(kind="linear", epochs=1).fit(rows).save(tmp_path / "pump.keras")
    with pytest.raises(ModelError, match="a detector of anomalies"):
        edgelstm.Forecaster.load(tmp_path / "pump.keras")
