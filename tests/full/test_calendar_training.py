"""A calendar from training to the device: the commands, Python, and what is refused."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import edgelstm, here, refused_here
from edgelstm.runtime.errors import TrainingError

import edgelstm as package
from edgelstm.data.series import Series
from edgelstm.evaluation.evaluate import evaluate
from edgelstm.training.calendar import calendar_of
from edgelstm.training.options import Options
from edgelstm.training.train import train

sys.path.insert(0, str(Path(__file__).parents[1] / "slim" / "models"))
from make import HOUR, MONDAY, plant

CALENDAR = ("--calendar", "--timezone", "Europe/Berlin")
LINEAR = ("--kind", "linear", "--lookback", "8")


def write(path, times, values, labels=None):
    columns = [times, values] if labels is None else [times, values, labels]
    header = "time,power_kw" + ("" if labels is None else ",anomaly")
    np.savetxt(
        path,
        np.column_stack(columns),
        fmt="%.9g" if labels is None else "%.10g",
        delimiter=",",
        header=header,
        comments="",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six weeks of normal rows, two later ones with a Sunday's shift, and models with and without a calendar."""
    folder = tmp_path_factory.mktemp("calendar")
    write(folder / "normal.csv", *plant(MONDAY, 42))
    times, values = plant(MONDAY + 42 * 24 * HOUR, 14, seed=5)
    labels = np.zeros(len(times))
    labels[13 * 24 + 6 : 13 * 24 + 20] = 1
    values[labels > 0] += 30
    write(folder / "faults.csv", times, values, labels)
    here("train", folder / "normal.csv", "-o", folder / "week.keras", *LINEAR, *CALENDAR)
    here("train", folder / "normal.csv", "-o", folder / "blind.keras", *LINEAR)
    here("convert", folder / "week.keras", "--int8", "--scheme", "float32")
    return folder


def figures(folder, model):
    return evaluate(folder / model, folder / "faults.csv")


def test_the_fault_is_found_with_a_calendar_and_missed_without(folder):
    blind = figures(folder, "blind.keras")

    assert blind.event_recall == 0
    for model in ("week.keras", "week.float32.tflite", "week.int8.tflite"):
        seeing = figures(folder, model)
        assert (seeing.event_recall, seeing.event_precision) == (1, 1)
        assert seeing.vus_pr > blind.vus_pr + 0.3


def test_score_run_and_python_give_the_same_bits(folder, tmp_path):
    model, rows = folder / "week.int8.tflite", folder / "faults.csv"
    edgelstm("score", model, rows, "-o", tmp_path / "scores.csv")
    table = [line.split(",")[1] for line in (tmp_path / "scores.csv").read_text().splitlines()[1:]]
    records = map(json.loads, edgelstm("run", model, rows, "--scores").stdout.splitlines())
    live = package.load(model)
    ours = -live.score_samples(str(rows))

    assert [float(cell or "nan") for cell in table] == pytest.approx(ours, abs=0, rel=0, nan_ok=True)
    assert [float(cell) for cell in table if cell] == [
        record["score"] for record in records if record.get("score") is not None
    ]


def test_calibrate_keeps_the_calendar(folder, tmp_path):
    model = tmp_path / "week.int8.tflite"
    model.write_bytes((folder / "week.int8.tflite").read_bytes())
    edgelstm("calibrate", model, folder / "normal.csv")

    assert package.load(model).metadata.sections["calendar"] == {"waves": 28, "zone": "Europe/Berlin"}


def test_a_model_without_rows_of_its_own_is_calibrated_by_a_file(folder, tmp_path):
    here("train", folder / "normal.csv", "-o", tmp_path / "bare.keras", *LINEAR, *CALENDAR, "--no-embed")
    here("convert", tmp_path / "bare.keras", "--int8", "--calibration", folder / "normal.csv")
    (tmp_path / "faults.csv").write_text((folder / "faults.csv").read_text())

    assert figures(tmp_path, "bare.int8.tflite").event_recall == 1


def test_the_report_compares_schemes(folder, tmp_path):
    here("report", folder / "week.keras", "--data", folder / "faults.csv", "--schemes", "int8", "-o", tmp_path)
    report = json.loads(next(tmp_path.glob("*.json")).read_text())
    measured = [report["keras"], *report["schemes"]]

    assert [(scheme["scheme"], scheme["metrics"]["event_recall"]) for scheme in measured] == [("keras", 1), ("int8", 1)]


def test_the_estimator_takes_it_from_a_frame(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(folder / "normal.csv").set_index("time")
    frame.index = pandas.to_datetime(frame.index, unit="s", utc=True)
    detector = package.AnomalyDetector("linear", lookback=8, calendar=True, zone="Europe/Berlin").fit(frame)

    assert detector.metadata_.width == 57
    assert (detector.predict(frame) == -1).mean() < 0.01
    assert detector.get_params()["calendar"] is True


def test_another_horizon_and_score_take_it_too(folder):
    times, values = plant(MONDAY, 21)
    series = Series(values, times.astype(float), ("power_kw",), 3600.0, ((0, len(times)),))
    for horizon, score in ((3, None), (1, "ewma")):
        options = Options(lookback=8, horizon=horizon, score=score, epochs=1, calendar=True, limits=False)
        trained = train(series, options)
        errors = trained.model.predict(np.zeros((1, 8, 57), np.float32), verbose=0)

        assert errors.shape == (1, horizon, 1)
        assert np.abs(trained.model.get_layer("calendar").kernel).max() > 0.05


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--calendar", "--kind", "autoencoder"), "A calendar is for forecasters"),
        (("--timezone", "Europe/Berlin"), "Give --calendar, too"),
        (("--calendar", "--timezone", "Europe/Atlantis"), "Europe/Atlantis"),
    ],
)
def test_what_makes_no_sense_is_refused(folder, tmp_path, options, reason):
    assert reason in refused_here("train", folder / "normal.csv", "-o", tmp_path / "m.keras", *options)


@pytest.mark.parametrize(
    ("days", "start", "period", "reason"),
    [(13, MONDAY, 3600.0, "2 weeks"), (28, 0, 3600.0, "rows with dates"), (28, MONDAY, None, "rows with dates")],
)
def test_rows_that_bear_no_calendar_are_refused(days, start, period, reason):
    _, values = plant(MONDAY, days)
    series = Series(values, start + 3600.0 * np.arange(len(values)), ("kw",), period, ((0, len(values)),))

    with pytest.raises(TrainingError, match=reason):
        calendar_of(series, Options(calendar=True))


def test_daily_rows_have_as_many_waves_as_they_can_show():
    series = Series(np.zeros((40, 1)), MONDAY + 86_400.0 * np.arange(40), ("kwh",), 86_400.0, ((0, 40),))

    assert calendar_of(series, Options(calendar=True)).waves == 3
