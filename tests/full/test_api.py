"""The Python API with TensorFlow: estimators, conversion, tables of several libraries, the commands' scores."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from commands import PUMP, here
from edgelstm.runtime.errors import ConversionError, SeriesError, TrainingError

import edgelstm
from edgelstm.evaluation.evaluate import load_detector
from edgelstm.evaluation.replaying import replay

# scikit-learn's word on arrays for an estimator that was fitted on a table
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")
OPTIONS = {"kind": "linear", "epochs": 2, "limits": False}
FLAGS = ("--kind", "linear", "--epochs", "2")
START = pd.Timestamp("2026-03-01 08:00", tz="Europe/Berlin")


def pump(name, rows):
    frame = pd.read_csv(PUMP / name, nrows=rows, float_precision="round_trip")
    frame.index = pd.DatetimeIndex(START + pd.to_timedelta(frame.pop("time"), unit="s"), name="time")
    return frame


@pytest.fixture(scope="module")
def normal():
    frame = pump("pump_normal.csv", 900)
    frame.attrs["units"] = {"pressure_kpa": "kPa"}
    return frame


@pytest.fixture(scope="module")
def faults():
    return pump("pump_faults.csv", 700)


@pytest.fixture(scope="module")
def detector(normal):
    return edgelstm.AnomalyDetector(**OPTIONS).fit(normal)


@pytest.fixture(scope="module")
def small(detector):
    return detector.convert("int8")


def test_api_and_command_train_the_same_model_and_score_to_the_same_bit(tmp_path, detector, small, normal, faults):
    for name, frame in (("normal.csv", normal), ("faults.csv", faults)):
        frame.reset_index(drop=True).to_csv(tmp_path / name, index=False)
    here("train", tmp_path / "normal.csv", "-o", tmp_path / "command.keras", *FLAGS)
    here("convert", tmp_path / "command.keras", "--int8")
    rows = faults[list(detector.metadata_.names)].to_numpy()

    for model, scores in (
        ("command.keras", detector.score_samples(rows)),
        ("command.int8.tflite", edgelstm.LiveDetector(small.bundle).score_samples(rows)),
    ):
        command, _ = load_detector(tmp_path / model, detector._rows(rows))
        np.testing.assert_array_equal(scores, -replay(command, rows).scores)


def test_tables_of_every_library_get_the_same_scores_in_their_own_kind(detector, faults):
    series = detector.score_samples(faults)
    polars = detector.score_samples(pl.from_pandas(faults.reset_index()))
    array = detector.score_samples(faults[list(detector.feature_names_in_)].to_numpy())

    assert series.index.equals(faults.index)
    assert str(series.index.tz) == "Europe/Berlin"
    np.testing.assert_array_equal(series.to_numpy(), array)
    np.testing.assert_array_equal(polars.to_numpy(), array)
    assert isinstance(polars, pl.Series)


def test_alarms_have_times_in_the_zone_of_the_rows(small, faults):
    live = edgelstm.LiveDetector(small.bundle)
    frame, table = live.alarms(faults), live.alarms(pl.from_pandas(faults.reset_index()))

    assert len(frame)
    assert str(frame["start"].dt.tz) == "Europe/Berlin"
    assert table["start"].dtype == pl.Datetime("us", "Europe/Berlin")
    assert frame["start"].to_list() == table["start"].to_list()
    assert frame["start"].iloc[0] in faults.index


def test_units_of_a_table_are_kept(detector, small):
    units = {channel.name: channel.unit for channel in small.metadata.channels}

    assert units["pressure_kpa"] == "kPa"
    assert "pressure_kpa | kPa" in edgelstm.card(detector).markdown


def test_a_detector_is_cloned_saved_and_read_with_its_parameters(tmp_path, detector, faults):
    from sklearn.base import clone

    detector.save(tmp_path / "pump.keras")
    again = edgelstm.load(tmp_path / "pump.keras")

    assert again.get_params()["kind"] == "linear"
    np.testing.assert_array_equal(again.score_samples(faults), detector.score_samples(faults))
    assert clone(detector).get_params() == detector.get_params()
    assert repr(detector) == "AnomalyDetector(epochs=2, kind='linear', limits=False)"


def test_the_converted_model_is_validated_and_saved(tmp_path, small, faults):
    small.save(tmp_path / "pump.int8.tflite")
    live = edgelstm.load(tmp_path / "pump.int8.tflite")

    assert 0 < small.validation.error < 0.05
    assert "int8" in small._repr_html_()
    assert np.isfinite(live.score_samples(faults)).sum() > 600


def test_a_picture_shows_sensors_score_and_alarms(detector, faults):
    figure = detector.plot(faults, label_column="fault")

    assert len(figure.axes) == len(detector.feature_names_in_) + 1
    assert "kPa" in figure.axes[2].get_ylabel()


def test_a_report_page_is_made_from_memory(tmp_path, detector, faults, monkeypatch):
    monkeypatch.setattr("edgelstm.reporting.pipeline.SECONDS", 0.05)
    made = edgelstm.report(detector, faults, schemes=["int8"])

    assert made.report.schemes[0].metrics
    assert made.save(tmp_path).read_text() == made.html
    assert "iframe" in made._repr_html_()


def test_a_model_of_ones_own_with_custom_objects_is_converted_from_memory(normal):
    import keras

    @keras.saving.register_keras_serializable("mine")
    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

    rows = normal[["flow_lpm", "pressure_kpa"]]
    inputs = keras.Input((10, 2))
    hidden = Doubled()(keras.layers.LSTM(6, return_sequences=True)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    small = edgelstm.convert(model, rows, scaler="standard", custom_objects={"mine>Doubled": Doubled})

    assert small.metadata.names == ("flow_lpm", "pressure_kpa")
    assert small.validation.recurrent_ops == 1
    assert small.metadata.threshold is not None
    with pytest.raises(ConversionError, match=r"Give them: convert\(model, frame\)"):
        edgelstm.convert(model)
    with pytest.raises(ConversionError, match=r"received Converted\(.* which is converted already"):
        edgelstm.report(small, rows)


def test_a_report_is_made_of_a_model_of_ones_own_and_two_tables(normal, faults, monkeypatch):
    import keras

    monkeypatch.setattr("edgelstm.reporting.pipeline.SECONDS", 0.05)
    channels = ["flow_lpm", "pressure_kpa"]
    inputs = keras.Input((10, 2))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.LSTM(4, return_sequences=True)(inputs)))
    made = edgelstm.report(
        model, faults[[*channels, "fault"]], calibration=normal[channels], schemes=["float32"], label_column="fault"
    )

    assert [scheme.scheme for scheme in made.report.schemes] == ["float32"]
    assert made.report.schemes[0].metrics


def test_a_fitted_scaler_of_scikit_learn_goes_into_the_file(normal):
    import keras
    from sklearn.preprocessing import MinMaxScaler

    rows = normal[["flow_lpm", "pressure_kpa"]]
    scaler = MinMaxScaler().fit(rows)
    inputs = keras.Input((10, 2))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.LSTM(6, return_sequences=True)(inputs)))
    small = edgelstm.convert(model, rows, "float32", scaler=scaler)

    np.testing.assert_allclose(small.metadata.scaler.transform(rows), scaler.transform(rows), atol=1e-5)


def test_forecasts_come_as_a_table_whose_times_follow_the_rows(normal):
    forecaster = edgelstm.Forecaster("flow_lpm", horizon=5, lookback=16, units=4, epochs=1).fit(normal)
    table, values = forecaster.predict(normal), forecaster.predict(normal[["flow_lpm"]].to_numpy())

    assert list(table.columns) == ["flow_lpm", "flow_lpm_low80", "flow_lpm_high80"]
    assert table.index[0] == normal.index[-1] + pd.Timedelta("1s")
    np.testing.assert_array_equal(table["flow_lpm"].to_numpy(), values[:, 0])


def test_forecasts_warn_of_rows_that_they_cannot_be_trusted_for(normal):
    forecaster = edgelstm.Forecaster("flow_lpm", horizon=5, lookback=16, units=4, epochs=1).fit(normal)
    far, silent = normal.copy(), normal.copy()
    far.iloc[-1, far.columns.get_loc("flow_lpm")] = 1e9
    silent.iloc[-8:, silent.columns.get_loc("flow_lpm")] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        forecaster.predict(normal)

    with pytest.warns(UserWarning, match="1 of the 16 values of flow_lpm .* do not trust it") as told:
        forecaster.predict(far)
    assert told[0].filename == __file__
    stamp = re.escape(str(normal.index[-8]))
    with pytest.warns(UserWarning, match=f"the last 8 rows have no flow_lpm: the forecast is from {stamp} on"):
        forecaster.forecast(silent)


def test_states_are_named_at_each_row_with_a_full_window(normal):
    states = np.where(np.arange(len(normal)) % 200 < 100, "low", "high")
    frame = normal.assign(flow_lpm=np.where(states == "low", 10.0, 90.0))
    classifier = edgelstm.Classifier(lookback=8, units=8, epochs=3).fit(frame, states)
    named = classifier.predict(frame)

    assert named.iloc[:7].isna().all()
    assert (named.iloc[7:] == states[7:]).mean() > 0.8
    assert list(classifier.predict_proba(frame).columns) == list(classifier.classes_)


def test_rows_that_cannot_be_used_are_refused_in_words(normal):
    with pytest.raises(TrainingError, match="50 windows"):
        edgelstm.AnomalyDetector(lookback=8).fit(normal[:40])
    with pytest.raises(SeriesError, match="no column 'fluss'"):
        edgelstm.AnomalyDetector(label_column="fluss").fit(normal)
    with pytest.raises(SeriesError, match="called 'flow_lpm'"):
        edgelstm.AnomalyDetector().fit(pd.concat([normal, normal[["flow_lpm"]]], axis=1))
