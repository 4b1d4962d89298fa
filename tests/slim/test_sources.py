"""Rows from files and iterables."""

import gzip
import math
import random

import pytest
from edgelstm.runtime.errors import EdgelstmError, SeriesError, ShapeError
from edgelstm.runtime.sources import Columns, IterableSource, TextSource, parse_lines
from edgelstm.runtime.sources.line_reader import Splitter
from hypothesis import given, settings
from hypothesis import strategies as st

FLOW = Columns(("flow", "motor"))
NAN = pytest.approx(math.nan, nan_ok=True)


def read(text, columns=FLOW):
    return list(parse_lines(text.split("\n"), columns, "pump.csv"))


def values(text, columns=FLOW):
    return [sample.values for sample in read(text, columns)]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
def test_any_separator_is_found_from_the_header(mark):
    assert values(f"motor{mark}flow\n1.5{mark}2\n3{mark}4e1") == [[2.0, 1.5], [40.0, 3.0]]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
def test_a_file_without_header_is_read_by_position(mark):
    assert values(f"1.5{mark}2\n3{mark}4") == [[1.5, 2.0], [3.0, 4.0]]


def test_the_time_may_stand_anywhere_under_a_known_name():
    sample = read("flow,Timestamp,motor\n1,2020-01-01 00:00:01,2")[0]

    assert (sample.time, sample.label, sample.values) == (1577836801.0, "2020-01-01 00:00:01", [1.0, 2.0])


def test_a_column_of_dates_is_the_time_whatever_it_is_called():
    assert read("wann;flow;motor\n2020-01-01T00:00:00Z;1;2")[0].time == 1577836800.0
    assert read("2020-01-01 00:00:00,1,2")[0].time == 1577836800.0


def test_a_number_before_the_channels_is_the_time_when_there_is_no_header():
    assert read("7.5,1,2")[0].time == 7.5


def test_columns_may_be_called_differently():
    assert values("q,i,p\n1,2,3", Columns(("flow", "motor"), ("p", "q"))) == [[3.0, 1.0]]


def test_the_trainers_numbers_for_a_file_without_header_are_understood():
    assert values("5,6,7", Columns(("column_3", "column_1"))) == [[7.0, 5.0]]


@pytest.mark.parametrize("cell", ["", "NA", "nan", "null", " ", "-"])
def test_an_empty_cell_is_nan(cell):
    assert values(f"flow,motor\n1,{cell}") == [[1.0, NAN]]


def test_a_short_row_lacks_its_last_channels():
    assert values("flow,motor\n1") == [[1.0, NAN]]


def test_decimal_commas_are_read_between_semicolons():
    assert values("flow;motor\n1,5;-2,25") == [[1.5, -2.25]]


def test_quoted_cells_and_windows_line_ends_are_read():
    assert [sample.values for sample in parse_lines(Splitter().feed(b'"flow","motor"\r\n"1","2"\r\n'), FLOW, "x")] == [
        [1, 2]
    ]


def test_json_lines_are_read_by_name_or_by_position():
    text = '{"motor": 2, "time": "1970-01-01T00:00:05Z", "flow": null, "more": []}\n[1, 2]\n[9, 1, 2]'
    samples = read(text)

    assert [sample.values for sample in samples] == [[NAN, 2.0], [1.0, 2.0], [1.0, 2.0]]
    assert [sample.time for sample in samples] == [5.0, None, 9.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flow,motor\n1,2\n1,high", r"line 3: column motor: 'high' is not a number"),
        ("flow,motor\n1,2,3", r"line 2: 3 cells under 2 columns"),
        ("time,flow,motor\nsoon,1,2", r"line 2: column time: 'soon' is not a time"),
        ('{"flow": 1\n', r"line 1: not a JSON value"),
        ('{"flow": "x", "motor": 1}', r"flow: 'x' is not a number"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(text, said):
    with pytest.raises(SeriesError, match=said):
        read(text)


@pytest.mark.parametrize("text", ["flow,pressure\n1,2", "1\n2", "1,2,3,4", '{"pressure": 1}', "[1]"])
def test_missing_channels_are_named(text):
    with pytest.raises(ShapeError, match=r"expects 2 channels \(flow, motor\)"):
        read(text)


def test_the_number_of_column_names_must_fit():
    with pytest.raises(ShapeError, match="--columns names 1"):
        Columns(("flow", "motor"), ("a",))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=12))
def test_any_text_gives_samples_or_a_clear_error(lines):
    try:
        found = list(parse_lines(lines, FLOW, "x"))
    except EdgelstmError:
        return

    assert all(len(sample.values) == 2 for sample in found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=20))
def test_lines_do_not_depend_on_how_the_bytes_come(blocks):
    splitter, whole = Splitter(), Splitter()
    pieces = [line for block in blocks for line in splitter.feed(block)] + splitter.rest()

    assert pieces == whole.feed(b"".join(blocks)) + whole.rest()


def test_a_line_without_end_is_refused_instead_of_held():
    splitter = Splitter("pump.csv")
    for _ in range(10):
        splitter.feed(b"0" * 100_000)

    with pytest.raises(SeriesError, match="longer than 1024 KiB"):
        splitter.feed(b"0" * 100_000)


def test_a_line_that_is_too_long_is_passed_over_where_asked_for():
    errors = []
    splitter = Splitter("pump.csv", errors.append)
    lines = splitter.feed(b"1,2\n")
    for _ in range(30):
        lines += splitter.feed(b"0" * 100_000)
    lines += splitter.feed(b"0\n3,4\n") + splitter.feed(b"0" * (1 << 21) + b"\n5,6\n")

    assert lines == ["1,2", "3,4", "5,6"]
    assert ["longer than 1024 KiB" in str(error) for error in errors] == [True, True]


def test_a_hole_of_zeros_as_a_power_cut_leaves_it_hides_no_row():
    splitter = Splitter("pump.csv")
    lines = splitter.feed(b"1,2\n")
    for _ in range(30):
        lines += splitter.feed(bytes(100_000))

    assert lines + splitter.feed(b"\x003,4\n") + splitter.feed(b"\0\0") + splitter.rest() == ["1,2", "3,4"]


def test_plain_and_gzipped_files_give_the_same(tmp_path):
    text = b"flow,motor\n" + b"".join(b"%d,%d\n" % (i, -i) for i in range(20_000))
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "a.gz").write_bytes(gzip.compress(text[:50_000]) + gzip.compress(text[50_000:]))

    assert list(TextSource(tmp_path / "a.csv", FLOW)) == list(TextSource(tmp_path / "a.gz", FLOW))


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"flow,motor\n1,2\n")[:-9])
    with pytest.raises(SeriesError, match="truncated or damaged gzip"):
        list(TextSource(tmp_path / "a.csv", FLOW))


def test_an_iterable_is_a_source_too():
    assert [sample.values for sample in IterableSource([(0.0, (1, 2))])] == [[1.0, 2.0]]


def test_shuffled_blocks_of_a_file_never_hang_the_reader(tmp_path):
    rng = random.Random(0)
    path = tmp_path / "noise"
    for _ in range(50):
        path.write_bytes(rng.randbytes(rng.randrange(3000)))
        try:
            list(TextSource(path, FLOW))
        except EdgelstmError:
            continue
