"""Paths to values inside records: items of lists are named by what tells them apart, wherever they stand."""

import json
import random

import pytest
from edgelstm.runtime.errors import SeriesError, ShapeError
from edgelstm.runtime.sources import Columns
from edgelstm.runtime.sources.record_rows import RecordRows
from edgelstm.runtime.sources.record_table import RecordTable
from edgelstm.runtime.sources.records import flatten, lookup

FLOW, HEAT = "sensors[name=flow].value", "sensors[name=heat].value"


def record(row, order):
    sensors = {"flow": {"name": "flow", "value": 5.0 + row}, "heat": {"name": "heat", "value": "21.5 °C"}}
    return json.dumps({"time": f"2026-01-05T00:00:{row:02}Z", "sensors": [sensors[name] for name in order]})


def records(count=20):
    chance = random.Random(3)
    return [record(row, chance.sample(["flow", "heat"], 2)) for row in range(count)]


def test_training_calls_columns_by_the_items_names_and_their_order_does_not_matter():
    lines = records()
    table = RecordTable(lines[3:], "a.jsonl", lines[:3])
    at = table.names.index(FLOW)

    assert HEAT in table.names
    assert [float(cells[at]) for _, cells in table.rows()] == [5.0 + row for row in range(20)]


def test_the_device_finds_them_under_the_same_names():
    rows = RecordRows(Columns((FLOW, HEAT)), "pipe")
    made = [rows.parse(line) for line in records()]

    assert [row.values for row in made] == [[5.0 + row, 21.5] for row in range(20)]
    assert made[1].time - made[0].time == 1.0


def test_an_item_that_is_not_there_is_a_missing_value():
    row = RecordRows(Columns((FLOW, HEAT)), "pipe").parse(record(0, ["heat"]))

    assert row.values[1] == 21.5
    assert row.values[0] != row.values[0]  # NaN


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data[id=7].v", 1.0),
        ("data[id=8].v", 2.0),
        ("data[room=cellar.north].v", 1.0),
        ("data[v=2]", {"id": 8.0, "room": "roof", "v": 2.0}),
        ("data.1.v", 2.0),
        ("data[id=9].v", None),
        ("data[id].v", None),
        ("data[", None),
        ("data[id=7", None),
        ("[id=7].v", None),
    ],
)
def test_any_key_may_choose(path, value):
    items = {"data": [{"id": 7.0, "room": "cellar.north", "v": 1.0}, {"id": 8.0, "room": "roof", "v": 2.0}]}

    assert lookup(items, path) == (value is not None, value)


@pytest.mark.parametrize(
    "items", [[{"name": "a"}, {"name": "a"}], [{"name": "a]"}], [{"name": None}], [{"name": [1]}], [1.0], [{"x": 1.0}]]
)
def test_items_that_no_key_tells_apart_keep_their_positions(items):
    assert all(path.startswith("list.0") or path.startswith("list.1") for path, _ in flatten({"list": items}))


def test_a_record_without_them_names_the_paths_that_there_are():
    with pytest.raises((ShapeError, SeriesError), match=r"sensors\[name=heat\]"):
        RecordRows(Columns(("pressure",)), "pipe").parse(record(0, ["heat", "flow"]))
