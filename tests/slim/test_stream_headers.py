"""Headers within streams: a second one, one that lacks a channel, and two columns of one name."""

import pytest
from edgelstm.runtime.errors import ShapeError
from edgelstm.runtime.sources import Columns, open_file, parse_file, parse_lines
from edgelstm.runtime.sources.live import PATIENCE, LiveRows
from edgelstm.runtime.sources.resampling import Resampling

COLUMNS = Columns(("flow", "motor"))


def live(lines, columns=COLUMNS):
    rows = LiveRows(columns, "x", clock=None)
    return rows, [sample.values for sample in rows.samples(lines)]


@pytest.mark.parametrize("second", ["time,motor,flow", "time;motor;flow", "# time,motor,flow", "motor,flow,time"])
def test_the_order_of_another_header_holds_from_there_on_and_is_said_once(caplog, second):
    mark = ";" if ";" in second else ","
    ended = [mark.join(cells) for cells in ([["20", "10", "1"]] if second.endswith("time") else [["1", "20", "10"]])]
    lines = ["time,flow,motor", "0,10,20", second, *ended, "time,flow,motor", "2,10,20", "time,flow,motor", "3,10,20"]
    rows, values = live(lines)
    assert values == [[10, 20]] * 4
    assert rows.bad == 0
    assert caplog.text.count("another header") == 1
    assert [sample.values for sample in parse_lines(lines, COLUMNS, "x")] == values


def test_a_repeated_header_is_passed_over_without_a_word(caplog):
    rows, values = live(["flow,motor", "1,2", "flow,motor", "3,4"])
    assert (values, rows.bad, caplog.text) == ([[1, 2], [3, 4]], 0, "")


def test_a_header_shorter_than_the_rows_before_it_is_one():
    assert live(["time,x,flow", "0,1,2", "flow", "3"], Columns(("flow",)))[1] == [[2], [3]]


def test_rows_of_a_later_header_that_lacks_a_channel_are_refused_as_at_the_start():
    good, bad = ["time,flow,motor", "0,1,2"], ["time,flow,x", *["1,2,3"] * PATIENCE]
    with pytest.raises(ShapeError, match=r"x has no motor"):
        live([*good, *bad])
    rows, values = live([*good, *bad[:5], "5,6", *good])
    assert (values, rows.bad, rows.fits) == ([[1, 2], [1, 2]], 6, True)
    with pytest.raises(ShapeError, match=r"x has no motor.*line 3"):
        list(parse_lines([*good, *bad], COLUMNS, "x"))


def test_a_line_that_only_mentions_a_channel_is_no_header():
    long = Columns(("flow", "motor"), resampling=Resampling(1.0, 3.0, ("name",), ("value",)))
    rows, values = live(["time,name,value", "0,flow,1", "1,motor,broken", "2,flow,3"], long)
    assert (len(values), rows.bad) == (2, 1)
    assert live(["flow,motor", "1,2", "motor is hot: 3,4", "3,4"])[1] == [[1, 2], [3, 4]]


@pytest.mark.parametrize("read", [parse_file, parse_lines])
def test_two_columns_of_a_name_that_the_model_takes_one_of_are_refused(read):
    lines = ["flow,motor,flow", "1,2,3"]
    with pytest.raises(ShapeError, match=r"one column flow; x has several"):
        list(read(lines, COLUMNS, "x"))
    assert next(read(lines, Columns(("motor",)), "x")).values == [2]
    assert next(read(lines, Columns(("flow", "flow.1")), "x")).values == [1, 3]


def test_a_file_with_two_columns_of_one_name_is_refused_in_one_line(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("flow,motor,flow\n1,2,3\n")
    with pytest.raises(ShapeError, match=r"twice.csv has several of that name.*line 1"):
        list(open_file(path, COLUMNS))


def test_rows_of_a_first_header_that_is_refused_end_with_its_reason():
    with pytest.raises(ShapeError, match=r"x has no motor"):
        live(["time,flow,a,b", *["1,2,3,4"] * PATIENCE])
    assert live(["hello", "1", "2"], Columns(("flow",)))[1] == [[1], [2]]
