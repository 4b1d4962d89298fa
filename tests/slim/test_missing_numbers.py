"""Numbers that stand for a missing value, as loggers write -999."""

import math

import pytest
from edgelstm.runtime.sources import Columns, parse_file, parse_lines
from edgelstm.runtime.sources.live import LiveRows

NAN = pytest.approx(math.nan, nan_ok=True)


def table(text, columns):
    return list(parse_file(text.splitlines(), columns, "pump.csv"))


def live(text, columns):
    return list(LiveRows(columns, "line", clock=None).samples(text.splitlines()))


@pytest.mark.parametrize("cell", ["-999", "-999.0", " -999 ", "-9.99e2", "−999", "-999 °C"])
@pytest.mark.parametrize("word", ["-999", "-999,00"])
def test_a_word_that_is_a_number_is_that_number_however_a_cell_writes_it(cell, word, caplog):
    columns = Columns(("a", "b"), missing=(word,))
    for read in (table, live):
        caplog.clear()
        samples = read(f"time,a,b\n0,1,2\n1,{cell},-998\n2,2,4", columns)

        assert [sample.values for sample in samples] == [[1.0, 2.0], [NAN, -998.0], [2.0, 4.0]]
        assert [record.getMessage().split(", ")[-1] for record in caplog.records][-1] == "which counts as missing"


@pytest.mark.parametrize("value", ["-999", "-999.0", '"-999"'])
def test_a_word_that_is_a_number_is_no_value_of_a_record(value, caplog):
    columns = Columns(("a", "b"), missing=("-999",))
    lines = [f'{{"time": 0, "a": {value}, "b": 3}}', f'[1, {value}, "off"]']

    assert [sample.values for sample in parse_lines(lines, columns, "x")] == [[NAN, 3.0], [NAN, 0.0]]
    assert [record.getMessage().split(",")[-1] for record in caplog.records] == [
        " which counts as missing",
        " which counts as 0",
    ]


def test_a_word_that_is_a_number_is_no_switch():
    samples = table("time,a,b\n0,off,0\n1,on,1", Columns(("a", "b"), missing=("0",)))

    assert [sample.values for sample in samples] == [[0.0, NAN], [1.0, 1.0]]
