"""Signals: a channel's path, unit, words, factor and offset, from one table, for any source."""

import json
import math

import pytest
from command_helpers import DATA, MODELS, edgelstm_here, lines
from edgelstm.runtime import load_bundle
from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.model_file.metadata import Channel, Metadata, from_json, to_json
from edgelstm.runtime.sources import Columns, open_file
from edgelstm.runtime.sources.column_mapping import reading
from edgelstm.runtime.sources.counters import Counters
from edgelstm.runtime.sources.iterable import IterableSource
from edgelstm.runtime.sources.model_rows import ModelRows
from edgelstm.runtime.sources.registry import on_grid
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.sample import Sample
from edgelstm.runtime.sources.signals import Signals

TABLE = {
    "flow": {"path": "SENSOR.BME280[type=flow].value", "unit": "l/min", "factor": 0.06},
    "pump": {"path": "POWER", "on": ["läuft", "RUN"], "off": "steht"},
    "heat": {"path": "ENERGY.Temp", "factor": 0.1, "offset": -40},
}
NAMES = ("flow", "heat", "pump")


def metadata(signals=None, channels=NAMES):
    sections = {"signals": Signals.read(signals).record()} if signals else {}
    return Metadata("generic", 8, channels=tuple(map(Channel, channels)), sections=sections)


def record(row, flow=None, pump="läuft"):
    value = f"{100 + row} l/min" if flow is None else flow
    items = [{"type": "heat", "value": 1}, {"type": "flow", "value": value}]
    return {"time": row, "SENSOR": {"BME280": items}, "POWER": pump, "ENERGY": {"Temp": 600 + row}}


def values(path, columns):
    return [sample.values for sample in open_file(path, columns)]


def write(folder, records):
    (folder / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    return folder / "rows.jsonl"


def test_a_path_a_list_a_unit_a_factor_an_offset_and_words_make_the_channels(tmp_path):
    path = write(tmp_path, [record(0), record(1, pump="STEHT"), record(2, pump="off"), record(3, pump="run")])

    made = values(path, Columns.of(metadata(), channels=TABLE))

    assert made == [[(100 + at) * 0.06, (600 + at) * 0.1 - 40, on] for at, on in enumerate((1.0, 0.0, 0.0, 1.0))]


def test_the_model_carries_them_to_the_device(tmp_path):
    path, trained = write(tmp_path, [record(0)]), from_json(to_json(metadata(TABLE)))

    assert values(path, Columns.of(trained)) == values(path, Columns.of(metadata(), channels=TABLE))
    assert reading(trained) != reading(metadata())  # a model with others is no hot swap


def test_a_table_of_the_device_changes_what_it_names_and_says_where_it_differs_from_training(tmp_path, caplog):
    (tmp_path / "rows.csv").write_text("time,f,m,h\n1,5,1,2\n")
    trained = metadata({"flow": {"path": "SENSOR.flow", "factor": 0.5}, "heat": {"factor": 2}})
    places = {"flow": "f", "pump": "m", "heat": {"path": "h", "factor": 3}}

    assert values(tmp_path / "rows.csv", Columns.of(trained, channels=places)) == [[2.5, 6.0, 1.0]]
    assert [item.getMessage() for item in caplog.records] == ["channel heat: factor is 3, in training it was 2"]


def test_columns_override_paths_alone(tmp_path):
    (tmp_path / "rows.csv").write_text("time,f,h,p\n1,5,600,steht\n")

    assert values(tmp_path / "rows.csv", Columns.of(metadata(TABLE), ("f", "h", "p"))) == [[5 * 0.06, 20.0, 0.0]]


def test_another_unit_than_the_declared_one_is_no_number(tmp_path):
    path = write(tmp_path, [record(0), record(1, flow="7 m³/h")])

    with pytest.raises(Exception, match=r"line 2: .*'7 m³/h' is not a number"):
        values(path, Columns.of(metadata(), channels=TABLE))


def test_a_missing_value_stays_missing(tmp_path):
    path = write(tmp_path, [record(0, flow="unavailable")])

    flow, heat, _ = values(path, Columns.of(metadata(), channels=TABLE))[0]

    assert math.isnan(flow)
    assert heat == 20.0


def test_a_counter_wraps_as_the_device_counts_and_grows_in_units():
    signals = Signals.read({"n": {"factor": 0.5, "offset": 9}})
    columns = Columns(("n",), counters=Counters({"n": None}, 10.0), signals=signals)
    readings = [65_500.0, 65_520.0, 4.0, 24.0]
    source = IterableSource((10.0 * row, [reading]) for row, reading in enumerate(readings))

    assert [sample.values[0] for sample in on_grid(source, columns)][1:] == [10.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"flwo": "x"}, r"\[channels\] has an unknown key 'flwo'. Did you mean 'flow'"),
        ({"flow": {"pth": "x"}}, "Did you mean 'path'"),
        ({"flow": {"factor": 0}}, "factor is a number but 0"),
        ({"flow": {"factor": math.nan}}, "factor must be a float"),
        ({"flow": {"factor": True}}, "factor must be a float"),
        ({"flow": 7}, "is a path, or a table"),
        ({"flow": {"on": ["a"], "off": ["A"]}}, "the word 'a' in common"),
        ({"flow": "x", "heat": "x"}, "two channels at 'x'"),
    ],
)
def test_a_wrong_table_is_refused(table, said):
    with pytest.raises(ConfigError, match=said):
        Columns.of(metadata(), channels=table)


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "There is no configuration"), ("x = 1", "has no table"), ("[channels", "is not valid TOML")],
)
def test_a_file_without_the_table_is_refused(tmp_path, text, said):
    if text is not None:
        (tmp_path / "pump.toml").write_text(text)

    with pytest.raises(ConfigError, match=said):
        Columns.of(metadata(), channels=str(tmp_path / "pump.toml"))


@pytest.mark.parametrize("section", [{"flow": 3}, {"flow": {"factor": 0}}, {"flow": {"factor": "x"}}, [1]])
def test_a_damaged_section_of_a_model_is_refused(section):
    with pytest.raises(ModelError, match="signals is damaged"):
        Columns.of(metadata().with_(sections={"signals": section}))


def test_run_and_score_take_the_table_from_a_configuration_and_from_a_file(tmp_path):
    """The same rows, nested, in other units: the events are those of the plain ones."""
    model = MODELS / "cast.int8.tflite"
    level, flow = load_bundle(model).metadata.names
    plain = DATA.read_text().splitlines()
    nested = [record_of(line.split(","), plain[0].split(",").index(level)) for line in plain[1:]]
    (tmp_path / "pump.toml").write_text(
        f'model = "{model}"\nsource = "{tmp_path}/rows.jsonl"\n[channels]\n'
        f'{level} = {{ path = "data[id=a].v", unit = "m", factor = 0.5 }}\n'
        f'{flow} = {{ path = "data[id=b].v", factor = 0.25, offset = 8 }}\n'
    )
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, nested)) + "\n")

    expected = lines(edgelstm_here("run", model, DATA).stdout)
    done = edgelstm_here("run", "--config", tmp_path / "pump.toml")
    scored = [
        edgelstm_here("score", model, *more).stdout.splitlines()
        for more in ([DATA], [tmp_path / "rows.jsonl", "--channels", tmp_path / "pump.toml"])
    ]

    assert expected
    assert [event["channels"] for event in lines(done.stdout)] == [event["channels"] for event in expected]
    assert [event["start"] for event in lines(done.stdout)] == [event["start"] for event in expected]
    assert [line.split(",")[1:] for line in scored[0]] == [line.split(",")[1:] for line in scored[1]]


def record_of(cells, at):
    """A row with its channels in a list: level doubled and with a unit, flow less 8 and times four; exact in binary."""
    level, flow = float(cells[at]), float(cells[3 - at])
    return {
        "time": float(cells[0]),
        "data": [{"id": "b", "v": (flow - 8) / 0.25}, {"id": "a", "v": f"{level / 0.5!r} m"}],
    }


def resampled(table, samples, grid):
    columns = Columns(("n", "m"), resampling=grid, signals=Signals.read(table))
    rows = ModelRows(columns).samples(Sample(values, time, row) for row, (time, values) in enumerate(samples))
    return [(row.time, row.values) for row in rows]


def test_on_a_grid_a_channel_has_the_mean_or_the_last_value_of_an_interval():
    samples = [(1.0, [1.0, 1.0]), (9.0, [3.0, 3.0]), (11.0, [5.0, 5.0]), (21.0, [7.0, 7.0])]

    made = resampled({"m": {"rule": "last"}}, samples, Resampling(10.0, 30.0))

    assert made == [(10.0, [2.0, 3.0]), (20.0, [5.0, 5.0]), (30.0, [7.0, 7.0])]


def test_a_step_is_held_where_a_mean_is_bridged_by_a_line():
    samples = [(10.0, [0.0, 0.0]), (40.0, [3.0, 3.0])]

    made = resampled({"m": {"rule": "last"}}, samples, Resampling(10.0, 100.0))

    assert made == [(10.0, [0.0, 0.0]), (20.0, [1.0, 0.0]), (30.0, [2.0, 0.0]), (40.0, [3.0, 3.0])]


@pytest.mark.parametrize("rule", ["mean", "last"])
def test_each_channel_has_a_longest_age_of_its_own(rule):
    """A slow sensor may be silent for a minute, a fast one for ten seconds: it is late alone."""
    samples = [(10.0, [1.0, 2.0]), *((10.0 * row, [1.0, math.nan]) for row in range(2, 9))]

    made = resampled({"m": {"rule": rule, "max-age": 30}}, samples, Resampling(10.0, 10.0))

    assert [values[0] for _, values in made] == [1.0] * 8
    assert [values[1] for _, values in made][:4] == [2.0] * 4
    assert all(math.isnan(values[1]) for _, values in made[4:])


def test_an_old_value_bridges_no_interval_beyond_its_age():
    samples = [(10.0, [0.0, 0.0]), (50.0, [4.0, 4.0])]

    made = resampled({"m": {"max-age": 10}}, samples, Resampling(10.0, 100.0))

    assert [values[0] for _, values in made] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [str(values[1]) for _, values in made] == ["0.0", "1.0", "nan", "nan", "4.0"]


def test_rules_go_with_the_model():
    trained = metadata({"flow": {"rule": "last", "max-age": 90}})

    assert Columns.of(from_json(to_json(trained))).signals.ordered(["flow"])[0].max_age == 90.0
    with pytest.raises(ConfigError, match="rule is mean or last"):
        Columns.of(metadata(), channels={"flow": {"rule": "median"}})
    with pytest.raises(ConfigError, match="max-age"):
        Columns.of(metadata(), channels={"flow": {"max-age": -1}})
