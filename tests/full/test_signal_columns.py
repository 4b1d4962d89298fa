"""Signals in training data: the trainer's numbers are the device's, whatever form a file has."""

import json

import numpy as np
import pytest
from commands import here
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.sources import Columns, open_file
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.signals import Signals

from edgelstm.api.frames import read_frame, wanted_by
from edgelstm.data.series import read_for_model, read_series

START = 1_700_000_040
CHANCE = np.random.default_rng(3)
FLOW, ON = (20 + 3 * np.sin(np.arange(400) / 9) + CHANCE.normal(0, 0.2, 400)).round(3), np.arange(400) // 50 % 2


def nested(row):
    items = [{"type": "x", "v": row}, {"type": "flow", "v": f"{FLOW[row]} l/min"}]
    return {"time": START + 60 * row, "S": {"list": items}, "POWER": "läuft" if ON[row] else "steht"}


FORMS = {
    "nested.jsonl": ("S.list[type=flow].v", "POWER", lambda: map(json.dumps, map(nested, range(400)))),
    "by_place.jsonl": ("S.list.1.v", "POWER", lambda: map(json.dumps, map(nested, range(400)))),
    "plain.csv": ("FT 101", "state", lambda: [
        "time,FT 101,state",
        *(f"{START + 60 * row},{FLOW[row]} l/min,{'Läuft' if ON[row] else 'Steht'}" for row in range(400)),
    ]),
    "points.lp": ("pump.f", "pump.p", lambda: [
        f'pump,host=a f={FLOW[row]},p="{"läuft" if ON[row] else "steht"}" {START + 60 * row}000000000' for row in range(400)
    ]),
    "long.csv": ("sensor.flow", "switch.pump", lambda: [
        "entity_id,state,last_changed",
        *(line for row in range(400) for line in (
            f"sensor.flow,{FLOW[row]} l/min,{START + 60 * row}",
            f"switch.pump,{'läuft' if ON[row] else 'steht'},{START + 60 * row}",
        )),
    ]),
}  # fmt: skip


def write(folder, form):
    flow, pump, made = FORMS[form]
    (folder / form).write_text("\n".join(made()) + "\n")
    table = {
        "flow": {"path": flow, "unit": "l/min", "factor": 0.06, "offset": 0.5},
        "pump": {"path": pump, "on": ["läuft"], "off": ["steht"]},
    }
    return folder / form, Signals.read(table)


def metadata(series):
    channels = tuple(map(Channel, series.channels))
    return Metadata("generic", 8, period=series.period, channels=channels, sections=series.sections)


@pytest.mark.parametrize("form", FORMS)
def test_training_and_the_device_read_the_same_numbers(tmp_path, form):
    path, signals = write(tmp_path, form)
    series = read_series([path], signals=signals)
    model = metadata(series)

    device = np.array([sample.values for sample in open_file(path, Columns.of(model))])
    again = read_for_model(model, path, repair=False)

    assert series.channels == ("flow", "pump")
    assert series.unit_of("flow") == "l/min"
    assert np.isin(FLOW[5:300] * 0.06 + 0.5, device[:, 0]).all()
    assert set(device[5:-5, 1]) == {0.0, 1.0}
    np.testing.assert_array_equal(device, series.values)
    np.testing.assert_array_equal(device, again.values)


def test_a_choice_of_columns_takes_these_channels_alone(tmp_path):
    path, signals = write(tmp_path, "nested.jsonl")
    series = read_series([path], ["pump"], signals=signals)

    assert series.channels == ("pump",)
    assert series.sections["signals"] == {"pump": {"path": "POWER", "on": ["läuft"], "off": ["steht"]}}


def test_a_path_that_leads_nowhere_is_refused_by_name(tmp_path):
    path, _ = write(tmp_path, "nested.jsonl")

    with pytest.raises(SeriesError, match=r"has no column 'S\.flow'"):
        read_series([path], signals=Signals.read({"flow": "S.flow"}))


def test_tables_in_memory_are_read_as_files_are(tmp_path):
    pandas = pytest.importorskip("pandas")
    signals = Signals.read({"flow": {"path": "FT 101", "factor": 0.06}})
    (tmp_path / "rows.csv").write_text("FT 101\n" + "\n".join(map(str, FLOW)) + "\n")
    model = metadata(read_series([tmp_path / "rows.csv"], signals=signals))
    wanted = wanted_by(model)

    made = read_frame(pandas.DataFrame({"FT 101": FLOW}), wanted, repair=False)

    np.testing.assert_array_equal(made.values[:, 0], FLOW * 0.06)
    np.testing.assert_array_equal(made.values, read_frame(tmp_path / "rows.csv", wanted, repair=False).values)


def test_a_trained_model_reads_its_messages_without_being_told_again(tmp_path):
    """Train on nested messages with a table; convert; the device is told the source alone."""
    path, _ = write(tmp_path, "nested.jsonl")
    (tmp_path / "pump.toml").write_text(
        'source = "x"\n[channels]\nflow = { path = "S.list[type=flow].v", factor = 0.06 }\n'
        'pump = { path = "POWER", on = "läuft", off = "steht" }\n'
    )
    model = tmp_path / "pump.keras"
    trained = here("train", path, "-o", model, "--channels", tmp_path / "pump.toml", "--kind", "linear", "--epochs", 1)
    here("convert", model, "--scheme", "float32", "-o", tmp_path / "pump.tflite")
    scored = here("score", tmp_path / "pump.tflite", path)
    again = here("score", tmp_path / "pump.tflite", path, "--channels", tmp_path / "pump.toml")

    assert "in the channels' units: flow x 0.06" in trained.stderr
    assert sum(line.split(",")[1] != "" for line in scored.stdout.splitlines()[1:]) > 300
    assert again.stdout == scored.stdout


def test_a_declared_grid_and_rules_are_those_of_the_device(tmp_path):
    """Two sensors at rates and times of their own, one of them a switch that tells its changes alone."""
    times = START + np.sort(CHANCE.uniform(0, 4000, 900)).round(1)
    lines = [f"{at},{20 + np.sin(at / 300):.3f}," for at in times]
    lines += [f"{START + 400 * row + 7},,{'ON' if row % 2 else 'OFF'}" for row in range(10)]
    (tmp_path / "rows.csv").write_text("time,flow,pump\n" + "\n".join(sorted(lines)) + "\n")
    signals = Signals.read({"flow": {"factor": 2}, "pump": {"rule": "last", "max-age": 500}})

    series = read_series([tmp_path / "rows.csv"], signals=signals, grid=Resampling(20.0, 60.0))
    model = metadata(series)
    device = [
        sample for sample in open_file(tmp_path / "rows.csv", Columns.of(model)) if np.isfinite(sample.values).all()
    ]

    assert series.period == 20.0
    assert model.sections["resampling"]["hold"] == 60.0
    assert set(series.values[:, 1]) == {0.0, 1.0}
    np.testing.assert_array_equal([sample.values for sample in device], series.values)
    np.testing.assert_array_equal(read_for_model(model, tmp_path / "rows.csv").values, series.values)


@pytest.mark.parametrize("text", ["0", "-5", "ten", "60:10", "60:", "60:1e9", "nan"])
def test_a_grid_that_is_none_is_wrong_usage(text):
    wrong = text != "60:"  # a colon alone leaves the time to hold out
    done = here("train", "none.csv", "-o", "none.keras", "--grid", text, code=2 if wrong else 1)

    assert ("is no interval" in done.stderr) == wrong
