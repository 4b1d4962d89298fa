"""The Python API on the base install: names without imports, models at work, the same scores as the commands'."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_helpers import DATA, MODEL, edgelstm_here
from edgelstm.runtime.errors import ModelError, ShapeError

import edgelstm
from edgelstm.api.limits import DetectionLimits
from edgelstm.cli.convert_output import device, next_command
from edgelstm.model_card import card_of
from edgelstm.plain_words import sentences

ROWS = np.loadtxt(DATA, delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def live():
    return edgelstm.load(MODEL)


def test_importing_the_package_loads_no_library_and_its_names_are_listed():
    code = "import sys, edgelstm; print(*dir(edgelstm)); print(*sys.modules)"
    names, modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert {"AnomalyDetector", "Classifier", "Forecaster", "convert", "load", "report", "card"} <= set(names.split())
    assert not {"numpy", "pandas", "polars", "sklearn", "tensorflow", "click"} & set(modules.split())


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="AnomalyDetektor"):
        edgelstm.AnomalyDetektor  # noqa: B018


def test_a_sample_at_a_time_a_table_and_the_score_command_give_the_same_bits(live):
    live.reset()
    one_by_one = [live.score_one(values, time) for time, *values in ROWS.tolist()]
    by_name = edgelstm.load(MODEL)
    named = [
        by_name.score_one(dict(zip(by_name.metadata.names, values, strict=True)), time)
        for time, *values in ROWS.tolist()
    ]
    table = -live.score_samples(ROWS[:, 1:])
    printed = list(csv.DictReader(io.StringIO(edgelstm_here("score", MODEL, DATA).stdout)))
    command = [float(row["score"]) if row["score"] else np.nan for row in printed]

    np.testing.assert_array_equal(one_by_one, command)
    np.testing.assert_array_equal(named, command)
    np.testing.assert_array_equal(table, command)
    assert np.isfinite(command).sum() > 100
    assert live.result.threshold == live.threshold_


def test_predictions_are_those_of_scikit_learns_outlier_detectors(live):
    decision, predicted = live.decision_function(ROWS[:, 1:]), live.predict(ROWS[:, 1:])

    assert set(predicted) == {1, -1}
    np.testing.assert_array_equal(predicted == -1, decision < 0)
    np.testing.assert_array_equal(decision, live.score_samples(ROWS[:, 1:]) - live.offset_)


def test_alarms_are_the_events_of_the_stream(live):
    alarms = live.alarms(str(DATA))
    live.reset()
    events = [event for time, *values in ROWS.tolist() for event in (live.score_one(values, time), live.events)[1]]
    opened = [event.start for event in events if event.kind == "anomaly" and event.state == "open"]

    assert len(opened)
    assert set(opened) <= set(alarms["start"].tolist())


def test_a_silent_channel_has_no_score_and_a_strange_sample_is_refused(live):
    live.reset()

    assert np.isnan(live.score_one({"level_cm": 50.0}))
    with pytest.raises(ShapeError, match="level_cm"):
        live.score_one({"pressure": 1.0})
    with pytest.raises(ShapeError, match="2 channels"):
        live.score_samples(np.zeros((30, 5)))


def test_a_loaded_model_prints_short_and_as_a_table_in_notebooks(live):
    assert len(repr(live)) < 200
    assert live._repr_html_().startswith("<table>")


def test_the_card_of_a_file_holds_data_limits_and_validation():
    printed = edgelstm_here("card", MODEL).stdout
    record = json.loads(edgelstm_here("card", MODEL, "--json").stdout)

    assert printed == edgelstm.card(MODEL).markdown == record["markdown"]
    assert all(
        part in printed for part in ("# Model card: auto.int8.tflite", "| level_cm |", "## Limits", "float → int8")
    )


def test_a_card_takes_the_stored_evaluation_and_refuses_another_file(tmp_path):
    model = tmp_path / "auto.int8.tflite"
    model.write_bytes(MODEL.read_bytes())
    (tmp_path / "auto.int8.evaluation.json").write_text('{"vus_pr": 0.875, "data": "faults.csv"}')
    (tmp_path / "other.json").write_text('{"vus_pr": "high"}')

    assert "| vus_pr | 0.875 |" in card_of(model).markdown
    assert (
        "other.json holds no evaluation" in edgelstm_here("card", model, "--evaluation", tmp_path / "other.json").stderr
    )


def test_limits_are_said_in_words_with_units_and_times(live):
    section = {
        "rows": 60,
        "share": 0.9,
        "channels": [{"channel": "level_cm", "offset": 0.4, "drift": None, "stuck": 12}],
    }
    metadata = live.metadata
    channels = tuple(type(channel)(channel.name, "bar") for channel in metadata.channels)
    metadata = metadata.with_(
        channels=channels, period=1.0, sections={**metadata.sections, "detection_limits": section}
    )

    limits = DetectionLimits.of(metadata)

    assert sentences(metadata)[0] == "Would find an offset of 0.4 bar in level_cm within 60 s, in 90% of cases."
    assert limits.record() == [{"channel": "level_cm", "offset": 0.4, "drift": None, "stuck": 12, "unit": "bar"}]
    assert "0.4 bar" in limits._repr_html_()
    assert repr(limits).startswith("detection limits")
    with pytest.raises(ModelError, match="no detection limits"):
        DetectionLimits.of(metadata.with_(sections={}))


@pytest.mark.parametrize(
    ("scheme", "target", "depth", "words"),
    [
        ("int8", "", "full", "Raspberry Pi"),
        ("int8", "", "widened", "int8's size and float's accuracy"),
        ("dynamic", "x86", "hybrid", "x86-64"),
        ("int8", "micro", "full", "microcontrollers"),
        ("float32", "", "", "comparison"),
    ],
)
def test_a_conversion_says_which_device_its_file_is_for_and_the_next_command(live, scheme, target, depth, words):
    metadata = live.metadata.with_(scheme=scheme, target=target)
    validation = SimpleNamespace(recurrent_ops=1, depth=depth)
    made = SimpleNamespace(bundle=SimpleNamespace(metadata=metadata), conversion=SimpleNamespace(validation=validation))
    file = Path("pump.tflite")

    assert words in device(made, file, 2.0)
    assert next_command(metadata, file) == "edgelstm run pump.tflite LIVE.csv"
