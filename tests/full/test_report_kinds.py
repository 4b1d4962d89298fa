"""The report of models of every kind: each gets what makes sense for it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgelstm.runtime.errors import SeriesError

from edgelstm.deployment.representative_data import read_source
from edgelstm.keras_file import load_keras
from edgelstm.reporting.data import Subject
from edgelstm.reporting.judge_outputs import figures
from edgelstm.reporting.pipeline import build
from edgelstm.reporting.render_html import render
from edgelstm.reporting.render_text import to_csv, to_json, to_markdown
from edgelstm.reporting.report_json import read_report
from edgelstm.reporting.request import Request
from edgelstm.reporting.verdict import verdicts

# each is a training, conversions, and a report on them
pytestmark = pytest.mark.slow(reason="whole reports")
PUMP = Path(__file__).parents[2] / "calibration_data"
SCHEMES = ("float32", "int8")


@pytest.fixture(autouse=True)
def _short_timing(monkeypatch):
    """Time each scheme for a tenth of a second."""
    monkeypatch.setattr("edgelstm.reporting.pipeline.SECONDS", 0.1)


def made(model, **options):
    """The report of a model file, all its forms made, and read back from its JSON."""
    report = build(Request(model, schemes=SCHEMES, **options)).report
    forms = render(report), to_markdown(report), to_csv(report)
    again = read_report(to_json(report), "report.json")
    assert (render(again), to_markdown(again), to_csv(again)) == forms
    assert [verdict.target for verdict in verdicts(report)] == ["Raspberry Pi", "x86 gateway", "microcontroller"]
    return report, forms[0]


def pump(path, rows, name="normal"):
    lines = PUMP.joinpath(f"pump_{name}.csv").read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: rows + 1]))
    return path


def test_a_forecaster_without_labels_is_judged_on_its_own_rows(tmp_path):
    from edgelstm.data.series import read_series
    from edgelstm.training.architectures import Architecture
    from edgelstm.training.train import Options, train

    options = Options(Architecture(kind="forecaster", units=(6,)), lookback=10, epochs=1)
    train(read_series([pump(tmp_path / "n.csv", 2200)]), options).save(tmp_path / "m.keras")

    report, page = made(tmp_path / "m.keras")

    int8 = report.schemes[1]
    assert not report.data.labelled
    assert {"explained", "mae", "score_correlation", "flips"} <= set(int8.metrics)
    assert "vus_pr" not in int8.metrics
    assert int8.drops["explained"].low is not None
    assert "forecasts in sensor units" in page
    layers = {error.name: error.error for error in report.figures.layers["int8"]}
    assert {"LSTM 1", "Dense 1", "Dense 2"} <= set(layers)
    assert all(error < 0.5 for error in layers.values())
    assert not any("no errors by layer" in note for note in int8.notes)


def test_a_forecaster_of_targets_is_judged_by_its_errors(tmp_path):
    from edgelstm.data.series import read_series
    from edgelstm.forecasting.architecture import Network
    from edgelstm.forecasting.options import Options
    from edgelstm.forecasting.train import train_forecaster

    random = np.random.default_rng(0)
    hours = np.arange(24 * 60)
    load = 50 + 12 * np.sin(2 * np.pi * hours / 24) + random.normal(0, 1, len(hours))
    lines = [f"{1_700_006_400 + 3600 * hour},{value:.3f}" for hour, value in zip(hours, load, strict=True)]
    (tmp_path / "load.csv").write_text("time,load\n" + "\n".join(lines) + "\n")
    options = Options(horizon=6, network=Network(units=6), epochs=1)
    train_forecaster(read_series([tmp_path / "load.csv"]), options).save(tmp_path / "m.keras")

    given, page = made(tmp_path / "m.keras", data=tmp_path / "load.csv")
    own = Subject.read(read_source(tmp_path / "m.keras"), None, None, None).windows
    outputs = load_keras(tmp_path / "m.keras").predict(list(own.inputs), verbose=0)

    assert figures(own.errors(outputs))["mae"] == pytest.approx(given.keras.metrics["mae"], rel=0.5)
    assert given.schemes[1].drops["mae"].low is not None
    assert given.figures.examples[0].channels == ("load",)
    assert len(given.figures.examples[0].outputs["int8"][0]) == 6
    assert "Example windows" in page


def test_a_classifier_gets_accuracy_macro_f1_and_confusion(tmp_path):
    from edgelstm.classification.train import Options, train_windows
    from edgelstm.data.series import read_series

    lines = ["a,state"]
    for run in range(40):
        lines += [f"{np.sin(row / 2) + 3 * (run % 2):.3f},{'high' if run % 2 else ''}" for row in range(30)]
    (tmp_path / "states.csv").write_text("\n".join(lines) + "\n")
    series = read_series([tmp_path / "states.csv"], label_column="state")
    train_windows(series, replace(Options.for_windows(), lookback=6, epochs=2)).save(tmp_path / "m.keras")

    report, page = made(tmp_path / "m.keras", data=tmp_path / "states.csv")

    int8 = report.schemes[1]
    assert {"accuracy", "macro_f1", "answers_flipped"} <= set(int8.metrics)
    assert sum(map(sum, int8.confusion.confusion)) == report.data.rows == 1195
    assert int8.drops["macro_f1"].value == pytest.approx(int8.metrics["macro_f1"] - report.keras.metrics["macro_f1"])
    assert 'aria-label="Confusion matrices"' in page


def test_foreign_models_are_judged_by_what_their_calibration_allows(tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((10, 5)), keras.layers.LSTM(6, return_sequences=True), keras.layers.Dense(5)]
    keras.Sequential(layers).save(tmp_path / "theirs.keras")
    keras.Sequential([keras.Input((8, 3)), keras.layers.LSTM(5), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    np.save(tmp_path / "windows.npy", np.random.default_rng(0).normal(size=(80, 8, 3)).astype(np.float32))
    normal, faults = pump(tmp_path / "n.csv", 700), pump(tmp_path / "f.csv", 900, "faults")

    detector, _ = made(tmp_path / "theirs.keras", calibration=normal, data=faults)
    generic, page = made(tmp_path / "other.keras", calibration=tmp_path / "windows.npy")
    with pytest.raises(SeriesError, match="gives no score"):
        build(Request(tmp_path / "other.keras", faults, SCHEMES, calibration=tmp_path / "windows.npy"))

    assert detector.data.labelled
    assert detector.schemes[0].metrics["threshold_shift"] == pytest.approx(0, abs=1e-3)
    assert set(generic.schemes[1].metrics) == {"output_error"}
    assert "Error per layer" in page
    assert json.loads(to_json(generic))["figures"]["history"] == {}
