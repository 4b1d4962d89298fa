"""Forecasters from CSV to int8, through the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ConversionError, ModelError, TrainingError
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.forecasting.spread import spread
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.bundle import load_bundle

from edgelstm.cli import group
from edgelstm.data.series import read_series
from edgelstm.forecasting.data import origins, pairs
from edgelstm.forecasting.evaluate import coverage
from edgelstm.forecasting.intervals import fit_intervals, hours_of
from edgelstm.forecasting.keras_forecaster import keras_forecaster
from edgelstm.keras_file import load_keras, read_extras

DAYS, HOLD, HORIZON = 150, 30, 12


def run(*arguments):
    found = CliRunner().invoke(group, list(map(str, arguments)), catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    return found


def write(path, first, last, values, ahead=0):
    """Rows first to last; the newest `ahead` of them without their targets."""
    lines = ["time,load,flow,temperature"]
    for hour in range(first, last):
        load, flow, temperature = values[hour]
        targets = f"{load:.3f},{flow:.3f}" if hour < last - ahead else ","
        lines.append(f"{1_700_006_400 + 3600 * hour},{targets},{temperature:.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A load that follows hour, weekend and temperature, with a flow beside it; Keras, int8, and rows never seen."""
    folder, random = tmp_path_factory.mktemp("load"), np.random.default_rng(0)
    hours = np.arange(24 * (DAYS + HOLD))
    weekend = (hours // 24 + 1) % 7 >= 5
    temperature = 15 + np.cumsum(random.normal(0, 0.4, len(hours))) % 10
    load = 50 + 12 * np.sin(2 * np.pi * hours / 24) * np.where(weekend, 0.3, 1) + 2 * temperature
    flow = 5 + np.cos(2 * np.pi * hours / 24)
    values = np.column_stack([load, flow, temperature]) + random.normal(0, [1.0, 0.1, 0.0], (len(hours), 3))
    train = write(folder / "load.csv", 0, 24 * DAYS, values)
    test = write(folder / "test.csv", 24 * DAYS, 24 * (DAYS + HOLD), values)
    recent = write(folder / "recent.csv", 24 * DAYS, 24 * DAYS + 204 + HORIZON, values, HORIZON)
    run(
        "train", "forecaster", train, "-o", folder / "m.keras", "--horizon", HORIZON, "--target", "load,flow",
        "--covariates", "temperature", "--calendar", "--timezone", "UTC", "--units", 16, "--epochs", 4,
    )  # fmt: skip
    run("convert", folder / "m.keras", "--int8")
    return folder / "m.keras", folder / "m.int8.tflite", test, recent


@pytest.fixture(scope="module")
def answers(made):
    """Answers of Keras and int8 for every unseen row, and the observed values; scaled, (N * C, H)."""
    bundle, series = load_bundle(made[1]), read_series([made[2]], ["load", "flow", "temperature"])
    metadata = bundle.metadata
    rows = origins(series, metadata.window, HORIZON)
    given = pairs(series, metadata.scaler, InputFeatures.of(metadata), metadata.window, HORIZON, rows)
    model = TFLiteModel(bundle.flatbuffer)
    int8 = np.concatenate([model(*one)[0] for one in zip(*given.inputs, strict=True)])
    return load_keras(made[0]).predict(given.inputs, verbose=0), int8, given, series, rows, metadata


def test_int8_costs_at_most_two_percent_of_the_error(answers):
    float_answer, int8_answer, given, *_ = answers
    before, after = (np.abs(part - given.answers).mean() for part in (float_answer, int8_answer))

    assert after <= 1.02 * before


def test_it_beats_the_day_before_by_a_third(answers):
    float_answer, _, given, series, rows, metadata = answers
    scaled = metadata.scaler.transform(series.values)[:, :2]
    steps = rows[:, None] + np.arange(HORIZON)

    ours = np.abs((float_answer - given.answers) * given.unit).mean()
    assert ours < 0.67 * np.abs(scaled[steps] - scaled[steps - 24]).mean()


def test_intervals_hold_about_their_share_of_rows_never_seen(answers):
    _, int8_answer, given, _, _, metadata = answers
    features = InputFeatures.of(metadata)
    spreads = spread(features, given.inputs, int8_answer)
    residuals = ((given.answers - int8_answer) / spreads).reshape(-1, 2, HORIZON)
    hours = hours_of(given.clock[::2], HORIZON, metadata.period)

    for level, inside in coverage(residuals, features, hours).items():
        assert abs(inside - int(level) / 100) < 0.08


def test_residuals_that_depend_on_the_hour_make_intervals_that_do():
    """By night a tenth of the residuals by day: one width for both would hold all of the nights and too little of the days."""
    random = np.random.default_rng(1)
    hours = (random.integers(0, 24, (2000, 1)) + np.arange(6)) % 24
    residuals = random.normal(0, 1, hours.shape) * np.where(hours < 12, 0.1, 1.0)
    features = InputFeatures(6, 1, **fit_intervals(residuals, 1, hours))
    fresh = random.normal(0, 1, hours.shape) * np.where(hours < 12, 0.1, 1.0)
    night, day = (
        coverage(fresh[one][:, None], features, hours[one])["80"] for one in (hours[:, 0] < 7, hours[:, 0] >= 12)
    )

    assert 0.76 < night < 0.84
    assert 0.76 < day < 0.84


def test_rows_without_dates_have_no_hours():
    assert hours_of(np.array([np.nan]), 3, 3600.0) is None
    assert hours_of(np.array([0.0]), 3, 86_400.0) is None


def test_conformal_intervals_hold_at_least_their_share_of_exchangeable_residuals():
    random = np.random.default_rng(0)
    inside = []
    for _ in range(300):
        residuals = random.standard_t(3, (50, 1))
        ends = fit_intervals(residuals, 1)["intervals"]["80"]
        inside.append(np.mean([ends["lower"][0][0] <= new <= ends["upper"][0][0] for new in random.standard_t(3, 50)]))

    assert 0.79 <= np.mean(inside) <= 0.84


def test_intervals_are_those_of_the_converted_model(made):
    before, after = read_extras(made[0])[0], load_bundle(made[1]).metadata

    assert before.sections["forecast"]["intervals"] != after.sections["forecast"]["intervals"]


def test_keras_and_int8_forecast_alike_from_a_file(made):
    found = [json.loads(run("forecast", model, made[3], "--json").stdout) for model in made[:2]]

    assert found[0]["times"] == found[1]["times"]
    for target, size in (("load", 12.0), ("flow", 0.7)):
        first, second = (np.array(one["targets"][target]["forecast"]) for one in found)
        assert np.abs(first - second).max() < 0.15 * size


def test_the_command_gives_what_python_gives(made):
    rows = np.genfromtxt(made[3], delimiter=",", skip_header=1)
    python = Forecaster.load(made[1]).forecast(rows[:, 1:], rows[:, 0])
    printed = json.loads(run("forecast", made[1], made[3], "--json").stdout)

    np.testing.assert_allclose(printed["targets"]["load"]["lower"], python.lower[:, 0], atol=1e-5)


def test_evaluate_measures_errors_and_coverage(made, answers):
    _, int8_answer, given, _, rows, metadata = answers
    found = json.loads(run("evaluate", made[1], made[2], "--json").stdout)
    missed = np.abs(int8_answer - given.answers).reshape(-1, 2, HORIZON)[:, 0].mean() * metadata.scaler.scale[0]

    assert found["origins"] == len(rows)
    assert found["targets"]["load"]["mae"] == pytest.approx(missed, rel=1e-4)
    assert set(found["targets"]["load"]["coverage"]) == {"80", "95"}


def test_the_fused_op_is_kept(made):
    accuracy = load_bundle(made[1]).metadata.accuracy

    assert accuracy["recurrent_ops"] == 1
    assert accuracy["ops"] < 40  # unrolled, it has hundreds


@pytest.mark.parametrize(
    ("ending", "begin"), [("png", b"\x89PNG"), ("PNG", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_plot_is_written(made, tmp_path, ending, begin):
    run("forecast", made[1], made[3], "--plot", tmp_path / f"tomorrow.{ending}")

    assert (tmp_path / f"tomorrow.{ending}").read_bytes().startswith(begin)


def test_a_csv_calibrates_a_model_without_rows(made, tmp_path):
    model = tmp_path / "bare.keras"
    options = (
        "--horizon",
        HORIZON,
        "--target",
        "load",
        "--units",
        4,
        "--epochs",
        1,
        "--no-embed",
    )
    run("train", "forecaster", made[2], "-o", model, *options)
    with pytest.raises(ConversionError, match="--calibration"):
        run("convert", model, "--int8")
    run("convert", model, "--scheme", "float32", "--calibration", made[2])

    assert Forecaster.load(tmp_path / "bare.float32.tflite").levels() == (80, 95)


def test_a_detector_refuses_it(made):
    with pytest.raises(ModelError, match="edgelstm forecast"):
        Detector.load(made[1])


def test_keras_forecaster_refuses_a_plain_model(tmp_path):
    import keras

    keras.Sequential([keras.Input((3, 1)), keras.layers.LSTM(1)]).save(tmp_path / "plain.keras")

    with pytest.raises(ModelError, match="no edgelstm metadata"):
        keras_forecaster(tmp_path / "plain.keras")


def test_too_few_rows_are_refused_before_training(tmp_path):
    data = tmp_path / "few.csv"
    data.write_text("time,load\n" + "".join(f"{3600 * hour},{hour % 24}\n" for hour in range(200)))

    with pytest.raises(TrainingError, match="at least 100 stretches of 168"):
        run("train", "forecaster", data, "-o", tmp_path / "m.keras", "--horizon", 24, "--target", "load")


def test_a_calendar_needs_times(tmp_path):
    data = tmp_path / "timeless.csv"
    data.write_text("load\n" + "".join(f"{hour % 24}\n" for hour in range(900)))

    with pytest.raises(TrainingError, match="time column"):
        run("train", "forecaster", data, "-o", tmp_path / "m.keras", "--target", "load", "--calendar")


@pytest.mark.parametrize("option", ["--covariates", "--target"])
def test_a_forecasters_options_are_wrong_usage_for_a_detector(option, tmp_path):
    result = CliRunner().invoke(group, ["train", "x.csv", "-o", str(tmp_path / "m.keras"), option])

    assert result.exit_code == 2
    assert f"{option} is an option of `edgelstm train forecaster`" in result.stderr


def test_a_forecaster_needs_a_target(tmp_path):
    result = CliRunner().invoke(group, ["train", "forecaster", "x.csv", "-o", str(tmp_path / "m.keras")])

    assert result.exit_code == 2
    assert "--target" in result.stderr


def test_intervals_and_hours_have_three_significant_digits_in_the_file():
    residuals = np.random.default_rng(0).normal(0, 50, (200, 6))
    fitted = fit_intervals(residuals, 1, np.arange(6) + np.arange(200)[:, None] % 19)
    numbers = np.array([fitted["intervals"]["80"][name] for name in ("lower", "upper")])

    assert np.abs(numbers).max() > 50
    assert all(float(f"{number:.3g}") == number for number in np.r_[numbers.ravel(), np.ravel(fitted["hours"])])
