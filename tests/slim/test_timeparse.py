"""Times as sensors write them."""

import json
import math
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from edgelstm.runtime.errors import EdgelstmError, SeriesError
from edgelstm.runtime.forecasting.calendar import calendar_features
from edgelstm.runtime.forecasting.time_grid import on_grid
from edgelstm.runtime.io.timestamps import is_time, is_time_of_day, parse_time, seconds
from edgelstm.runtime.sources import Columns, parse_file, parse_lines
from edgelstm.runtime.sources.live import LiveRows
from hypothesis import given, settings
from hypothesis import strategies as st

LIMIT = 0.5  # seconds of processor time an input
HUGE = ["1e999", "-1e999", "1e21", "9" * 400, "1" * 1_000_000, "1" * 200_000 + "x", "12:30" + " " * 200_000 + "x"]
"""Numbers that no clock counts, and text on which a backtracking expression would stay for minutes."""


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-03-09 10:14:33", 1583748873.0),
        ("2020-03-09T10:14:33Z", 1583748873.0),
        ("2020-03-09T12:14:33+02:00", 1583748873.0),
        ("2020-03-09 10:14:33.25", 1583748873.25),
        ("2020-03-09 10:14:33.123456789", 1583748873.123456),
        ("2020/03/09 10:14:33", 1583748873.0),
        ("09.03.2020 10:14:33", 1583748873.0),
        ("2020-03-09", 1583712000.0),
        ("1583748873", 1583748873.0),
        ("1583748873250", 1583748873.25),
        ("1583748873250000", 1583748873.25),
        ("1583748873250000000", 1583748873.25),
        ("132282224732500000", 1583748873.25),
        ("17", 17.0),
        (" -2.5e1 ", -25.0),
    ],
)
def test_every_usual_form_is_read(text, moment):
    assert parse_time(text) == pytest.approx(moment, abs=1e-6)


@pytest.mark.parametrize("text", ["", "noon", "2020-13-01", "12:61", "flow", *HUGE])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_time(text)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e20, 1e300])
def test_a_number_too_large_for_nanoseconds_is_no_time(number):
    with pytest.raises(ValueError, match="too large"):
        seconds(number)


def test_a_plain_number_alone_does_not_make_a_time_column():
    assert not is_time("12.5")
    assert is_time("2020-03-09")


@pytest.mark.parametrize("text", HUGE)
def test_a_huge_time_ends_a_file_with_the_line_and_costs_a_live_stream_one_row(text):
    with pytest.raises(SeriesError, match="line 2"):
        list(parse_file(["time,a", f"{text},1"], Columns(("a",)), "pump.csv"))
    rows = LiveRows(Columns(("a",)), "the line", clock=None)
    samples = list(rows.samples(["time,a", "0,1", f"{text},2", "1,3", json.dumps({"time": 2, "a": 4})]))

    assert [sample.values for sample in samples] == [[1.0], [3.0]]
    assert rows.bad == 2


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "NaN", "true", "[]", "{}"])
def test_a_huge_time_in_json_costs_its_row_alone(number):
    rows = LiveRows(Columns(("a",)), "the topic", clock=None)
    samples = list(rows.samples(['{"time": 0, "a": 1}', f'{{"time": {number}, "a": 2}}', '{"time": 1, "a": 3}']))

    assert [sample.time for sample in samples] == [0.0, 1.0]
    assert rows.bad == 1


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_numbers_in_json_count_seconds_or_a_fraction_of_them_as_in_csv(unit):
    moments = [1700864000, 1700864060]
    lines = [json.dumps({"timestamp": moment * unit, "a": 1.0}) for moment in moments]
    table = ["timestamp,a", *(f"{moment * unit},1.0" for moment in moments)]
    read = [list(parse_lines(text, Columns(("a",)), "x")) for text in (lines, table)]

    assert [sample.time for sample in read[0]] == [sample.time for sample in read[1]] == moments
    assert read[0][1].label == str(moments[1] * unit)


def test_filetime_in_json_counts_100_ns_since_1601():
    line = json.dumps({"ts": 133_453_376_600_000_000, "a": 1})

    assert next(parse_lines([line], Columns(("a",)), "x")).time == 1700864060.0


@pytest.mark.parametrize("period", [1.0, 1e-9, 1e-300])
def test_rows_far_apart_are_refused_and_not_filled_up(period):
    with pytest.raises(SeriesError, match="span"):
        on_grid(np.zeros((2, 1)), np.array([0.0, 9e10]), period)


def test_a_calendar_bears_every_time_that_can_be_read():
    assert np.isfinite(calendar_features([-9e10, 0.0, 9e10], "Europe/Berlin")).all()


@contextmanager
def in_time():
    """Fail where the block takes more processor time than an input may."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < LIMIT


texts = st.text(max_size=80) | st.text("0123456789.,:-+/ TZeEaApPmMn", max_size=200)
numbers = st.floats() | st.integers() | st.integers(0, 10**400) | st.integers(0, 400).map(lambda n: 10**n)
payloads = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["time", "a", "b", "x"]), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(texts | numbers.map(str))
def test_any_text_is_a_bounded_time_or_refused_in_time(text):
    with in_time():
        is_time(text), is_time_of_day(text)
        try:
            moment = parse_time(text)
        except (ValueError, OverflowError):
            return

    assert abs(moment) < 1e12


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(texts | numbers.map(str), texts | numbers.map(str)), max_size=10))
def test_any_cells_give_samples_or_a_clear_error_in_time(rows):
    lines = ["time,a", *(f"{moment},{cell}" for moment, cell in rows)]
    with in_time():
        try:
            samples = list(parse_file(lines, Columns(("a",)), "x"))
        except EdgelstmError:
            return

    # not a number: a row without a time beside rows with one, which the validator drops
    assert all(sample.time is None or not math.isinf(sample.time) for sample in samples)
    assert all(math.isfinite(sample.time) for sample in samples if sample.time is not None and sample.label)


@settings(max_examples=150, deadline=None)
@given(st.lists(payloads, max_size=10))
def test_any_json_payload_gives_a_sample_or_costs_its_row_in_time(records):
    rows = LiveRows(Columns(("a", "b")), "x", clock=None)
    with in_time():
        try:
            samples = list(rows.samples(map(json.dumps, records)))
        except EdgelstmError:
            return

    assert all(len(sample.values) == 2 for sample in samples)


words = st.sampled_from(["1", "1,5", "1.234,5", "ON", "unavailable", "", "high", "19 °C", "2024-01-13", "13.01.2024", "12:00",
                         "1700000000000", "1e999", '"', "#", "time", "a", "x=1", "9" * 30, "-9999"])  # fmt: skip
names = st.sampled_from(["time", "a", "Datum", "Uhrzeit", "state", "entity_id", "", "1", "epoch", "#group"])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(",;\t| "),
    st.lists(names, min_size=1, max_size=5),
    st.lists(st.lists(words, max_size=6), max_size=30),
)
def test_any_table_gives_samples_or_a_clear_error_in_time(separator, header, rows):
    lines = [separator.join(cells) for cells in [header, *rows]]
    for read in (
        lambda: parse_file(lines, Columns(("a",)), "x"),
        lambda: LiveRows(Columns(("a",)), "x", clock=None).samples(lines),
    ):
        with in_time(), suppress(EdgelstmError):
            assert all(len(sample.values) == 1 for sample in read())
