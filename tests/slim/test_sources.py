"""Rows from files, pipes, growing files, serial lines and IIO devices."""

import gzip
import math
import os
import pty
import random
import threading
import time
import tty

import pytest
from edgelstm.runtime.errors import ConfigError, EdgelstmError, SeriesError, ShapeError
from edgelstm.runtime.io.addresses import parse_spec
from edgelstm.runtime.sources import Columns, FollowSource, IterableSource, TextSource, open_source, parse_lines
from edgelstm.runtime.sources.line_reader import Splitter
from edgelstm.runtime.sources.live import Grid, LiveRows
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


class Collector(threading.Thread):
    """Reads a source in a thread."""

    def __init__(self, source):
        super().__init__()
        self.source, self.samples = source, []
        self.start()

    def run(self):
        for sample in self.source:
            self.samples.append(sample)

    def until(self, count):
        """Wait for samples, then give their first values."""
        end = time.monotonic() + 10
        while len(self.samples) < count and time.monotonic() < end:
            time.sleep(0.01)
        return [sample.values[0] for sample in self.samples]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.source.close()
        self.join(5)
        assert not self.is_alive()


def test_a_growing_file_is_followed_through_rotation_and_truncation(tmp_path):
    path = tmp_path / "pump.csv"
    with Collector(FollowSource(path, FLOW)) as found:
        path.write_text("flow,motor\n1,0\n")
        assert found.until(1) == [1]
        with path.open("a") as old:
            old.write("2,0\n3,")
            old.flush()
            assert found.until(2) == [1, 2]
            path.rename(tmp_path / "pump.csv.1")
            old.write("0\n")
        path.write_text("motor,flow\n0,4\n")
        assert found.until(4) == [1, 2, 3, 4]
        os.truncate(path, 0)
        time.sleep(0.5)
        with path.open("a") as again:
            again.write("flow,motor\n5,0\n")

        assert found.until(5) == [1, 2, 3, 4, 5]


def test_following_passes_over_a_bad_line(tmp_path):
    path = tmp_path / "pump.csv"
    path.write_text("flow,motor\n1,0\nx,y\n2,0\n")
    with Collector(FollowSource(path, FLOW)) as found:
        assert found.until(2) == [1, 2]
        assert found.source.rows.bad == 1


def test_a_stream_that_never_fits_the_model_ends_in_an_error():
    rows = LiveRows(FLOW, "line")
    with pytest.raises(ShapeError):
        list(rows.samples(["1,2,3,4,5"] * 30))


def test_a_live_sample_without_a_time_gets_that_of_its_arrival():
    rows = LiveRows(FLOW, "line", clock=lambda: 5.0)

    assert rows.line("1,2")[1:4:2] == (5.0, "1970-01-01T00:00:05.000Z")


def test_a_grid_gives_the_latest_values_and_nan_for_old_ones():
    now = [0.0]
    grid = Grid(2, every=1.0, clock=lambda: now[0])
    grid.put(0, 7.0)
    rows = []
    for now[0] in (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 40.0):
        grid.put(1, now[0])
        rows.append(grid.due())

    assert rows == [None, [7, 1], None, [7, 2], [7, 3], [NAN, 4], [NAN, 40]]


def test_a_pseudo_terminal_is_read_as_a_serial_line():
    pytest.importorskip("serial", reason="the extra [serial] is not installed")
    master, slave = pty.openpty()
    tty.setraw(slave)
    source = open_source(parse_spec(f"serial:{os.ttyname(slave)}?baud=9600"), FLOW)
    with Collector(source) as found:
        time.sleep(0.3)
        text = b"ow,motor\n" + b"".join(b"%d,0\n" % i for i in range(300)) + b"garbage \xff\xfe\n300,0\n"
        for piece in [text[i : i + 7] for i in range(0, len(text), 7)]:
            os.write(master, piece)

        assert found.until(301) == list(range(301))
        assert found.samples[-1].arrival is not None
    os.close(master)
    os.close(slave)


def test_a_serial_port_that_is_not_there_is_an_error():
    pytest.importorskip("serial", reason="the extra [serial] is not installed")
    with pytest.raises(SeriesError, match="Cannot open /dev/ttyNone"):
        next(iter(open_source(parse_spec("serial:/dev/ttyNone"), FLOW)))


@pytest.fixture
def iio(tmp_path):
    """A tree as a BME280 and an accelerometer leave it in sysfs."""
    trees = {
        "iio:device0": {"name": "bme280", "in_temp_input": "21530", "in_pressure_input": "101.325"},
        "iio:device1": {
            "name": "adxl345", "in_accel_x_raw": "-12", "in_accel_y_raw": "255", "in_accel_scale": "0.5",
            "in_accel_y_offset": "1", "in_voltage0_raw": "100", "in_voltage_scale": "2",
        },
    }  # fmt: skip
    for device, files in trees.items():
        (tmp_path / device).mkdir()
        for name, text in files.items():
            (tmp_path / device / name).write_text(text + "\n")
    return tmp_path


def test_iio_values_are_scaled_as_the_kernel_says(iio):
    columns = Columns(("accel_x", "accel_y", "voltage0"))
    source = open_source(parse_spec(f"iio:adxl345?every=0.01&root={iio}"), columns)
    with Collector(source) as found:
        found.until(3)

        assert found.samples[0].values == [-6.0, 128.0, 200.0]


def test_an_iio_channel_that_fails_is_nan(iio):
    source = open_source(parse_spec(f"iio:iio:device0?root={iio}"), Columns(("temp", "pressure")), period=0.01)
    with Collector(source) as found:
        found.until(2)
        (iio / "iio:device0" / "in_temp_input").unlink()
        found.until(len(found.samples) + 3)

        assert found.samples[0].values == [21530.0, 101.325]
        assert found.samples[-1].values == [NAN, 101.325]


@pytest.mark.parametrize(
    ("spec", "error"),
    [("iio:none?every=1", SeriesError), ("iio:bme280?every=1", ShapeError), ("iio:bme280", ConfigError)],
)
def test_iio_devices_that_do_not_fit_are_refused(iio, spec, error):
    with pytest.raises(error):
        open_source(parse_spec(f"{spec}{'&' if '?' in spec else '?'}root={iio}"), FLOW)


def test_shuffled_blocks_of_a_file_never_hang_the_reader(tmp_path):
    rng = random.Random(0)
    path = tmp_path / "noise"
    for _ in range(50):
        path.write_bytes(rng.randbytes(rng.randrange(3000)))
        try:
            list(TextSource(path, FLOW))
        except EdgelstmError:
            continue
