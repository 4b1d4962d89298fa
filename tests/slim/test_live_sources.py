"""Samples of sources that go on: pipes, growing files, serial lines and IIO devices."""

import json
import math
import os
import pty
import subprocess
import sys
import threading
import time
import tty
from datetime import timedelta

import pytest
from command_helpers import MODEL, edgelstm_here
from edgelstm.runtime.errors import ConfigError, EdgelstmError, SeriesError, ShapeError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source, tail
from edgelstm.runtime.sources.live import Grid, LiveRows
from edgelstm.runtime.sources.mqtt_inbox import Message
from edgelstm.runtime.sources.tail import FollowSource
from hypothesis import given, settings
from hypothesis import strategies as st
from sink_helpers import wait_for

FLOW = Columns(("flow", "motor"))
NAN = pytest.approx(math.nan, nan_ok=True)


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
        end = time.monotonic() + 30
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


def test_a_followed_file_that_is_gone_is_said_once_and_its_successor_is_read(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(tail, "LOOKS", 3)
    path = tmp_path / "pump.csv"
    path.write_text("flow,motor\n1,0\n")
    with Collector(FollowSource(path, FLOW)) as found:
        assert found.until(1) == [1]
        path.unlink()
        assert wait_for(lambda: caplog.messages)
        time.sleep(1)
        path.write_text("flow,motor\n2,0\n")
        assert found.until(2) == [1, 2]

    assert caplog.messages == [f"{path} is gone; waiting for a new one of its name."]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_file_to_follow_that_is_not_there_is_said_and_its_missing_folder_refused(tmp_path, dry):
    path = tmp_path / "none.csv"
    with subprocess.Popen(
        [sys.executable, "-m", "edgelstm", "run", MODEL, path, "--follow", *dry], stderr=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stderr.readline() == f"There is no {path} yet; waiting for it.\n"
        waiting.terminate()
    done = edgelstm_here("run", MODEL, tmp_path / "no" / "none.csv", "--follow", *dry)

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: There is no folder {tmp_path / 'no'}")


def test_following_passes_over_a_bad_line(tmp_path):
    path = tmp_path / "pump.csv"
    path.write_text("flow,motor\n1,0\nx,y\n2,0\n")
    with Collector(FollowSource(path, FLOW)) as found:
        assert found.until(2) == [1, 2]
        assert found.source.rows.bad == 1


@pytest.mark.parametrize("hole", [b"x" * 3_000_000 + b"\n", bytes(3_000_000)], ids=["long", "zeros"])
def test_a_line_above_a_mebibyte_does_not_end_a_followed_file(tmp_path, hole):
    path = tmp_path / "pump.csv"
    path.write_bytes(b"flow,motor\n1,0\n" + hole + b"2,0\n")
    with Collector(FollowSource(path, FLOW)) as reader:
        assert reader.until(2) == [1, 2]
        with path.open("ab") as stream:
            stream.write(b"3,0\n")
        assert reader.until(3) == [1, 2, 3]
        assert reader.source.skipped == hole.endswith(b"\n")


def test_a_line_above_a_mebibyte_does_not_end_a_pipe():
    program = (
        "from edgelstm.runtime.sources import Columns\n"
        "from edgelstm.runtime.sources.pipe import PipeSource\n"
        "source = PipeSource(Columns(('flow', 'motor')))\n"
        "print([sample.values[0] for sample in source], source.skipped)"
    )
    text = b"flow,motor\n1,0\n" + b"x" * 3_000_000 + b"\n2,0\n"
    done = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, timeout=60)

    assert done.stdout.decode().strip() == "[1.0, 2.0] 1"


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
    source = open_source(parse_address(f"serial:{os.ttyname(slave)}?baud=9600"), FLOW)
    with Collector(source) as found:
        time.sleep(0.3)
        text = b"ow,motor\n" + b"".join(b"%d,0\n" % i for i in range(300)) + b"garbage \xff\xfe\n300,0\n"
        for piece in [text[i : i + 7] for i in range(0, len(text), 7)]:
            os.write(master, piece)

        assert found.until(301) == list(range(301))
        assert found.samples[-1].arrival is not None
    os.close(master)
    os.close(slave)


def test_a_serial_line_that_is_unplugged_is_read_again_when_it_is_back(tmp_path, monkeypatch, caplog):
    pytest.importorskip("serial", reason="the extra [serial] is not installed")
    monkeypatch.setattr("edgelstm.runtime.io.reconnect.FIRST_WAIT", 0.02)
    port = tmp_path / "ttyUSB0"

    def plug():
        master, slave = pty.openpty()
        tty.setraw(slave)
        port.unlink(missing_ok=True)
        port.symlink_to(os.ttyname(slave))
        return master, slave

    master, slave = plug()
    with Collector(open_source(parse_address(f"serial:{port}?baud=9600"), FLOW)) as reading:
        assert wait_for(lambda: reading.source._line)
        os.write(master, b"flow,motor\n1,0\n2,0\n")
        assert reading.until(2) == [1, 2]
        lost = reading.source._line
        port.unlink()
        os.close(slave)
        os.close(master)
        assert wait_for(lambda: "lost (" in caplog.text)
        master, slave = plug()
        assert wait_for(lambda: reading.source._line is not lost)
        os.write(master, b"3,0\n4,0\n")

        assert reading.until(4) == [1, 2, 3, 4]
        assert "works again" in caplog.text
    os.close(slave)
    os.close(master)


def test_a_serial_port_that_is_not_there_is_an_error():
    pytest.importorskip("serial", reason="the extra [serial] is not installed")
    with pytest.raises(SeriesError, match="Cannot open /dev/ttyNone"):
        next(iter(open_source(parse_address("serial:/dev/ttyNone"), FLOW)))


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
    source = open_source(parse_address(f"iio:adxl345?every=0.01&root={iio}"), columns)
    with Collector(source) as found:
        found.until(3)

        assert found.samples[0].values == [-6.0, 128.0, 200.0]


def test_an_iio_channel_that_fails_is_nan(iio):
    source = open_source(parse_address(f"iio:iio:device0?root={iio}"), Columns(("temp", "pressure")), period=0.01)
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
        open_source(parse_address(f"{spec}{'&' if '?' in spec else '?'}root={iio}"), FLOW)


PAYLOADS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=60).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.integers(-(10**30), 10**30),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["flow", "motor", "time", "value", "x"]), inner)
        ),
        max_leaves=9,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"1e999", b"9" * 5000, b"[" * 100_000, b'{"time":1e999,"flow":1}', b"\x00" * 5000, b"nan"]),
)


@settings(max_examples=100, deadline=timedelta(seconds=2))
@given(st.lists(st.tuples(st.sampled_from(["a/flow", "a/motor", "b/flow", "x", "", "/"]), PAYLOADS), max_size=12))
@pytest.mark.parametrize("taken", [(), ("a/flow#x.flow", "motor"), ("flow#value", "flow#motor")], ids=" ".join)
def test_any_mqtt_messages_give_samples_or_a_clear_error_in_time(taken, messages):
    pytest.importorskip("paho.mqtt.client", reason="the extra [mqtt] is not installed")
    source = open_source(parse_address("mqtt://127.0.0.1/#"), Columns(("flow", "motor"), taken))
    samples = []
    try:
        for number, (topic, payload) in enumerate(messages):
            samples += source._samples(Message(float(number), topic, payload, number, 1))
    except EdgelstmError:
        return

    assert all(len(sample.values) == 2 for sample in samples)
