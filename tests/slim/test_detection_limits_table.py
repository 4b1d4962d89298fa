"""The table of detection limits that a model file carries: plain text, whatever the file holds."""

import pytest
from edgelstm.runtime.model_file.detection_limits import limit_table

FLOW = {"channel": "flow", "offset": 1.5, "drift": None, "stuck": 4}


def section(**changes):
    return {"rows": 60, "share": 0.9, "channels": [{**FLOW, **changes}]}


def test_the_table_is_in_sensor_units_and_seconds():
    lines = limit_table(section(), 2.0).lines()

    assert lines[0] == "detection limits: smallest fault found in 90% of cases within 120 s"
    assert lines[1].split() == ["channel", "offset", "drift", "stuck", "for"]
    assert lines[2].split() == ["flow", "1.5", "-", "8", "s"]


def test_without_time_rows_are_counted():
    table = limit_table(section(), None)

    assert table.title.endswith("within 60 rows")
    assert table.rows == (("flow", "1.5", "-", "4 rows"),)


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        3,
        [],
        {},
        {"rows": 60},
        {"rows": "x", "share": 0.9, "channels": []},
        section(offset="much"),
        section(stuck={}),
    ],
)
def test_a_damaged_section_gives_no_table(damaged):
    assert limit_table(damaged, 1.0) is None


def test_an_infinite_limit_is_a_dash():
    assert limit_table(section(offset=float("inf")), 1.0).rows[0][1] == "-"
