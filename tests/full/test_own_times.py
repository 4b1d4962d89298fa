"""Channels that come at times of their own: long tables, outer joins and irregular rows, in training and on the device."""

import math

import numpy as np
import pytest
from edgelstm.runtime.errors import ModelError, SeriesError
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.sources import Columns, open_file
from edgelstm.runtime.sources.live import LiveRows
from edgelstm.runtime.sources.registry import on_grid
from edgelstm.runtime.sources.resampler import Resampler
from edgelstm.runtime.sources.resampling import Resampling

from edgelstm.data.series import read_for_model, read_series

START = 1_705_147_200.0
NAMES = ("sensor.temp", "sensor.hum", "sensor.pres")
STATES = np.c_[20 + np.sin(np.arange(400) / 9), 50 - np.cos(np.arange(400) / 7), 1013 + np.arange(400) / 100].round(2)


def iso(moment):
    return str(np.datetime64(round(moment * 1000), "ms")) + "Z"


def long_lines(order="time", jitter=0.1):
    """A row a value, as home automation exports its history: in the order of time, or of the entities."""
    rows = [
        (START + 60 * row + jitter * (channel + 1), name, STATES[row, channel])
        for row in range(len(STATES))
        for channel, name in enumerate(NAMES)
    ]
    if order == "entity":
        rows.sort(key=lambda row: NAMES.index(row[1]))
    return ["entity_id,state,last_changed", *(f"{name},{value},{iso(moment)}" for moment, name, value in rows)]


def write(folder, lines, name="a.csv"):
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def model(series):
    """Metadata as training writes them for a series."""
    count = len(series.channels)
    scaler = Scaler("standard", (0.0,) * count, (1.0,) * count)
    channels = tuple(Metadata("generic", 1).channels) or None
    made = Metadata("generic", 8, period=series.period, scaler=scaler, sections=series.sections)
    return made if channels else made.with_(channels=tuple(channel(name) for name in series.channels))


def channel(name):
    from edgelstm.runtime.model_file.metadata import Channel

    return Channel(name)


def device(path, metadata):
    return list(open_file(path, Columns.of(metadata)))


@pytest.mark.parametrize("jitter", [0.0, 0.1])
@pytest.mark.parametrize("order", ["time", "entity"])
def test_a_long_table_is_pivoted_by_its_cells_and_read_alike_on_the_device(tmp_path, order, jitter):
    path = write(tmp_path, long_lines(order, jitter))
    series = read_series([path])
    samples = device(path, model(series))

    assert series.channels == NAMES
    assert series.period == 60.0
    assert np.allclose(series.values, STATES)
    assert any("a long table: 3 channels named by entity_id" in sentence for sentence in series.repairs.sentences())
    assert [sample.values for sample in samples] == series.values.tolist()
    assert [sample.time for sample in samples] == series.time.tolist()


def test_a_long_stream_is_pivoted_as_it_comes(tmp_path):
    series = read_series([write(tmp_path, long_lines())])
    columns = Columns.of(model(series))
    rows = LiveRows(columns, "line", clock=None)
    samples = list(Resampler(columns.resampling, 3).samples(rows.samples(long_lines())))
    records = [
        f'{{"entity_id": "{name}", "state": "{value}", "last_changed": "{moment}"}}'
        for name, value, moment in (line.split(",") for line in long_lines()[1:])
    ]
    from_records = Resampler(columns.resampling, 3).samples(LiveRows(columns, "topic", clock=None).samples(records))

    assert [sample.values for sample in samples] == series.values.tolist()
    assert [sample.values for sample in from_records] == series.values.tolist()


LONG = {
    "influx": ("_time,_measurement,_field,host,_value", "{t},bme280,{k},pi,{v}"),
    "grafana": ('"Series";"Time";"Value"', '"{k}";"{t}";"{v}"'),
    "units": ("Series,Time,Value", "{k},{t},{v} {u}"),
    "numbers": ("sensor_no,when,reading", "{n},{t},{v}"),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_table_is_found_whatever_its_columns_are_called(tmp_path, kind):
    header, form = LONG[kind]
    lines = [
        form.format(
            t=iso(START + 60 * row), k=name, n=channel + 1, v=STATES[row, channel], u=("°C", "%", "hPa")[channel]
        )
        for row in range(len(STATES))
        for channel, name in enumerate(NAMES)
    ]
    path = write(tmp_path, [header, *lines])
    series = read_series([path])

    assert len(series.channels) == 3
    assert np.allclose(series.values, STATES)
    assert [sample.values for sample in device(path, model(series))] == series.values.tolist()


def test_annotated_tables_one_below_the_other_are_one_long_table(tmp_path):
    head = ["#group,false,false,false,false,true,true", "#datatype,string,long,dateTime:RFC3339,double,string,string",
            "#default,_result,,,,,", ",result,table,_time,_value,_field,_measurement"]  # fmt: skip
    lines = []
    for channel, name in enumerate(NAMES):
        rows = [
            f",,{channel},{iso(START + 60 * row)},{STATES[row, channel]},{name},bme280" for row in range(len(STATES))
        ]
        lines += [*head, *rows, ""]
    path = write(tmp_path, lines)
    series = read_series([path])

    assert series.channels == NAMES
    assert np.allclose(series.values, STATES)
    assert [sample.values for sample in device(path, model(series))] == series.values.tolist()


def test_several_values_and_several_keys_name_their_channels(tmp_path):
    lines = ["time,room,floor,temp,hum"]
    for row in range(100):
        for room, floor in (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")):
            lines.append(f"{START + 60 * row},{room},{floor},{20 + row % 7},{50 + row % 5}")
    series = read_series([write(tmp_path, lines)])

    assert len(series.channels) == 8
    assert set(series.channels) >= {"a.1.temp", "b.2.hum"}
    assert series.values[:7, series.channels.index("b.1.temp")].tolist() == [20, 21, 22, 23, 24, 25, 26]


def test_chosen_channels_of_a_long_table_are_taken_in_their_order(tmp_path):
    path = write(tmp_path, long_lines())

    assert read_series([path], ["sensor.pres", "sensor.temp"]).values[0].tolist() == [1013.0, 20.0]
    with pytest.raises(SeriesError, match=r"has no sensor\.none; its entity_id are sensor\.temp"):
        read_series([path], ["sensor.none"])


def test_text_of_one_channel_leaves_that_one_out_and_among_numbers_is_an_error(tmp_path):
    lines = long_lines()
    weather = [f"weather.home,sunny,{iso(START + 60 * row)}" for row in range(400)]
    series = read_series([write(tmp_path, [*lines, *weather])])

    assert series.channels == NAMES
    lines[5] = lines[5].replace(lines[5].split(",")[1], "broken")
    with pytest.raises(SeriesError, match=r"a\.csv, line 6, column 'state': 'broken' is not a number"):
        read_series([write(tmp_path, lines)])


@pytest.mark.parametrize("pause", [0, 41])
def test_many_channels_in_rounds_are_a_long_table_with_a_pause_between_or_without(tmp_path, pause):
    period = 19 * 1 + 1 + pause
    lines = [
        f"sensor.s{channel},{10 * channel + math.sin(row / 30 + channel):.3f},{iso(START + period * row + channel)}"
        for row in range(400)
        for channel in range(20)
    ]
    series = read_series([write(tmp_path, ["entity_id,state,last_changed", *lines])])

    assert series.channels == tuple(f"sensor.s{channel}" for channel in range(20))
    assert series.period == period


@pytest.mark.parametrize("words", [False, True])
def test_the_hour_or_the_weekday_beside_regular_rows_makes_no_long_table(tmp_path, words):
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    lines = []
    for row in range(24 * 60):
        hour = row // 24 % 7 if words else row % 24
        load = 100 + 40 * math.sin(2 * math.pi * hour / (7 if words else 24)) + 8 * math.sin(row / 3)
        lines.append(f"{START + (86400 if words else 3600) * row},{load:.2f},{days[row % 7] if words else hour}")
    series = read_series([write(tmp_path, ["time,load,when", *lines])])

    assert series.channels[0] == "load"
    assert len(series.values) == 24 * 60


@pytest.mark.parametrize("column", [["N", "NE", "E", "SE"], ["auto"] * 9 + ["manual"], [1, 2, 3]])
def test_a_column_of_words_beside_regular_rows_makes_no_long_table(tmp_path, column):
    lines = [f"{START + 60 * row},{20 + row % 7},{column[row % len(column)]}" for row in range(200)]
    series = read_series([write(tmp_path, ["time,temp,state", *lines])])

    assert series.channels[0] == "temp"
    assert len(series.values) == 200
    assert series.resampling is None


def test_an_outer_join_is_brought_to_one_grid_and_said(tmp_path):
    lines = ["time,fast,slow"]
    for row in range(2400):
        slow = f"{row // 6}" if row % 6 == 5 else ""
        lines.append(f"{iso(START + 10 * (row + 1))},{row % 6},{slow}")
    path = write(tmp_path, lines)
    series = read_series([path])

    assert series.period == 60.0
    assert np.allclose(series.values[:, 0], 2.5)
    assert series.values[:, 1].tolist() == list(range(400))
    assert any("2400 rows at times of their own were resampled to 400" in one for one in series.repairs.sentences())
    assert [sample.values for sample in device(path, model(series))] == series.values.tolist()


def test_irregular_rows_are_brought_to_one_grid_and_come_at_one_rate_on_the_device(tmp_path):
    random = np.random.default_rng(0)
    time = START + np.cumsum(random.exponential(60, 3000)).round()
    lines = ["time,a", *(f"{iso(t)},{math.sin(t / 900):.4f}" for t in np.unique(time))]
    path = write(tmp_path, lines)
    series = read_series([path])
    samples = device(path, model(series))
    steps = np.diff([sample.time for sample in samples])

    assert series.resampling is not None
    assert 55 <= series.period <= 65
    assert np.abs(series.values[:, 0] - np.sin((series.time - series.period / 2) / 900)).mean() < 0.05
    assert (steps == series.period).mean() > 0.97
    assert any("resampled" in sentence for sentence in series.repairs.sentences())


@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_regular_rows_with_jitter_and_missing_ones_stay_as_they_are(tmp_path, noise):
    random = np.random.default_rng(1)
    rows = np.sort(random.choice(1000, 900, replace=False))
    lines = [f"{START + 60 * row + noise * random.normal():.3f},{row}" for row in rows]

    assert read_series([write(tmp_path, ["time,a", *lines])]).resampling is None


def test_a_file_is_read_on_the_grid_of_its_model(tmp_path):
    trained = model(read_series([write(tmp_path, long_lines())]))
    wide = [f"{iso(START + 20 * row)},{row % 3},5,{row // 3}" for row in range(90)]
    path = write(tmp_path, ["time,sensor.temp,sensor.hum,sensor.pres", *wide], "wide.csv")
    series = read_for_model(trained, path, repair=False)

    assert series.values[1].tolist() == [1.0, 5.0, pytest.approx(1 / 3)]
    assert [sample.values for sample in device(path, trained)] == series.values.tolist()


def test_dates_without_their_clock_are_an_error_that_says_what_is_likely(tmp_path):
    lines = [f"{13 + row // 1440}.01.2024;{row % 1440};{row}" for row in range(4000)]
    with pytest.raises(SeriesError, match=r"100% of the rows of a\.csv have a time .* name it with --time-column"):
        read_series([write(tmp_path, ["Datum;Minute;a", *lines])])


def test_mostly_empty_rows_are_an_error_that_names_the_channel(tmp_path):
    lines = [f"{60 * row},{row},{row if row < 20 else ''}" for row in range(400)]
    with pytest.raises(SeriesError, match=r"380 of 400 rows lack a value .*b in 95% of the rows"):
        read_series([write(tmp_path, ["time,a,b", *lines])])


def test_rows_mostly_without_a_time_are_an_error(tmp_path):
    lines = [f"{60 * row if row < 20 else ''},{row}" for row in range(400)]
    with pytest.raises(SeriesError, match="380 of 400 rows have no time"):
        read_series([write(tmp_path, ["time,a", *lines])])


@pytest.mark.parametrize(
    "section",
    [
        {},
        [],
        {"period": 0, "hold": 0},
        {"period": 1e-9, "hold": 60},
        {"period": "x", "hold": 1},
        {"period": 1e999, "hold": 1e999},
    ],
)
def test_a_damaged_grid_is_refused(section):
    with pytest.raises(ModelError, match="Train"):
        Resampling.of({"resampling": section})


def test_a_clock_that_jumps_completes_a_bounded_number_of_rows():
    resampler = Resampler(Resampling(1.0, 1000.0), 1)
    rows = [resampler.push(moment, [1.0]) for moment in (0.0, 9e10, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]

    assert max(map(len, rows)) <= 1001
    assert resampler.dropped == 5
    assert on_grid("source", Columns(("a",))) == "source"
