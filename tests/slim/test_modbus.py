"""Modbus sources and sinks against pymodbus's own servers."""

import itertools
import logging
import math
import socket
import threading
import time

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.sources import Columns
from sink_helpers import event, forwarder, open_sink, wait_for
from test_live_sources import Collector

pytest.importorskip("pymodbus", reason="the extra [modbus] is not installed")
from modbus_helpers import Device, SerialPair, opened, rtu_over_tcp, serial, tcp, words

NAN = pytest.approx(math.nan, nan_ok=True)


@pytest.fixture
def device():
    """A device with flow 1.5 and motor 250 raw."""
    made = Device(holding=((0, [*words("f", 1.5), *words("h", 250)]),)).start()
    yield made
    made.stop()


def url(device, path, options="every=0.02"):
    return f"modbus://127.0.0.1:{device.port}/1?map={path}&{options}"


def test_registers_are_read_scaled_in_one_request_at_a_steady_interval(device, write_map):
    with Collector(opened(url(device, write_map()))) as reading:
        reading.until(20)
    times = [sample.arrival for sample in reading.samples[:20]]

    assert [sample.values for sample in reading.samples[:2]] == [[1.5, pytest.approx(20.0)]] * 2
    assert set(device.requests) == {(3, 0, 3)}
    assert (times[-1] - times[0]) / 19 == pytest.approx(0.02, rel=0.5)
    assert abs(reading.samples[0].time - time.time()) < 30
    assert reading.source.skipped == 0


def test_a_table_of_channels_gives_registers_other_names_and_units(device, write_map):
    """The map makes the device's number, the table that of the channel."""
    model = Metadata("generic", 8, channels=(Channel("current"), Channel("inflow")))
    table = {"inflow": {"path": "flow", "factor": 60}, "current": {"path": "motor", "offset": 0.5}}
    with Collector(opened(url(device, write_map()), Columns.of(model, channels=table))) as reading:
        reading.until(2)

    assert reading.samples[0].values == [pytest.approx(20.5), 90.0]


TYPES = """
word-order = "little"
[[register]]
channel = "int64"
register = "holding:0"
type = "int64"
[[register]]
channel = "bytes"
register = "40005"
type = "uint32"
word-order = "big"
byte-order = "little"
[[register]]
channel = "bit"
register = "30002"
type = "bit3"
[[register]]
channel = "coil"
register = "coil:5"
[[register]]
channel = "discrete"
register = "10007"
[[register]]
channel = "double"
register = "holding:6"
type = "float64"
[[register]]
channel = "absent"
register = "input:2"
missing = 32768
"""


def test_each_kind_of_register_type_and_order_is_read(write_map):
    holding = [*reversed(words("q", -5)), 0x0403, 0x0201, *reversed(words("d", 2.5))]
    device = Device(holding=((0, holding),), bits=[0] * 5 + [1, 1] + [0] * 9, inputs=[0, 8, 32768, *[0] * 13]).start()
    names = ("int64", "bytes", "bit", "coil", "discrete", "double", "absent")
    with Collector(opened(url(device, write_map(TYPES, "pump.toml")), Columns(names))) as reading:
        reading.until(1)
    device.stop()

    assert reading.samples[0].values == [-5.0, 0x03040102, 1.0, 1.0, 1.0, 2.5, NAN]
    assert set(device.requests) == {(1, 5, 1), (2, 6, 1), (3, 0, 10), (4, 1, 2)}


def test_rtu_over_tcp_and_a_serial_line_give_the_same_samples(write_map):
    holding = ((0, [*words("f", 1.5), *words("h", 250)]),)
    pair, path = SerialPair(), write_map()
    for device, address in (
        (Device(holding, rtu_over_tcp), "modbus+rtu://127.0.0.1:{}/1"),
        (Device(holding, serial, pair.ends[0]), f"modbus+serial://{pair.ends[1]}"),
    ):
        device.start()
        with Collector(opened(address.format(device.port) + f"?map={path}&every=0.02")) as reading:
            reading.until(3)
        device.stop()

        assert [sample.values for sample in reading.samples[:3]] == [[1.5, pytest.approx(20.0)]] * 3
    pair.close()


def test_a_request_over_registers_that_a_device_lacks_is_taken_apart_and_a_refused_channel_is_missing(
    write_map, caplog
):
    device = Device(holding=((0, [7]), (5, [8]))).start()
    path = write_map("channel,register\nflow,holding:0\nmotor,holding:5\nlevel,holding:3\n")
    with Collector(opened(url(device, path), Columns(("flow", "motor", "level")))) as reading:
        reading.until(5)
    device.stop()

    assert [sample.values for sample in reading.samples[:5]] == [[7.0, 8.0, NAN]] * 5
    assert reading.source.refusals >= 6
    refusals = [one.message.partition(": ")[2] for one in caplog.records if "answers with" in one.message]
    assert refusals == ["unit 1 answers with exception 2 (illegal data address) for level: missing"]


def test_a_device_that_is_restarted_under_load_gives_its_values_in_order(write_map):
    count = itertools.count()

    def next_value(registers):
        registers[0] = next(count)

    path, served = write_map("channel,register\nflow,holding:0\nmotor,holding:0\n"), []
    device = Device()
    device.on_read = lambda registers: (next_value(registers), served.append(registers[0]))
    with Collector(opened(url(device, path, "every=0.01"))) as reading:
        for _ in range(3):
            device.start()
            before = len(reading.samples)
            assert wait_for(lambda: len(reading.samples) > before + 20)  # noqa: B023
            device.stop()
    values = [sample.values[0] for sample in reading.samples]

    assert values == sorted(set(values))
    assert set(values) <= set(served)
    assert len(served) - len(values) <= 3  # the answers under way when the device went


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0" * 8, b"\xff" * 5000, b"\0\1\0\0\0\5\1\3\4\0\1", b"\0\1\0\0\xff\xff\1\3" + b"x" * 9000],
    ids=["hang-up", "zeros", "noise", "short", "endless"],
)
def test_an_end_that_speaks_no_modbus_is_said_once_and_costs_no_more_than_the_timeout(answer, write_map, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve():
            server.settimeout(0.1)
            while not stop.is_set():
                try:
                    line, _ = server.accept()
                except TimeoutError:
                    continue
                with line:
                    line.settimeout(0.1)
                    try:
                        line.recv(100)
                        line.sendall(answer)
                        stop.wait(0.3)
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"modbus://127.0.0.1:{server.getsockname()[1]}/1?map={write_map()}&every=0.02&timeout=0.1"
        with Collector(opened(address)) as reading:
            assert wait_for(lambda: reading.source.skipped >= 2)
            begin = time.monotonic()
        assert time.monotonic() - begin < 1
        stop.set()
        thread.join()

    assert reading.samples == []
    messages = [one.message for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(messages) == len(set(messages)) <= 2


def test_a_coil_follows_the_alarm_and_is_written_again_after_the_controller_was_restarted(tmp_path, quick):
    device = Device(make=tcp).start()
    sink = forwarder(
        tmp_path / "spool", open_sink(f"modbus://127.0.0.1:{device.port}/1?coil=5&refresh=0.2&timeout=0.5")
    )
    sink.event(event(1))
    sink.event(event(2))
    assert wait_for(lambda: device.coil(5))
    sink.event(event(1, "closed"))
    sink.event(event(3, kind="drift"))
    assert wait_for(lambda: not sink.spool.backlog)
    assert device.coil(5)
    device.stop()
    device.start()  # with all coils off, as after a power cut
    assert wait_for(lambda: device.coil(5))
    sink.event(event(2, "closed"))
    assert wait_for(lambda: not device.coil(5))
    sink.close()
    device.stop()


def test_an_alarm_that_opens_while_the_controller_is_away_is_there_when_it_is_back(tmp_path, quick):
    device = Device()
    address = f"modbus://127.0.0.1:{device.port}/1?register=7&on=42&refresh=0.2&timeout=0.5"
    sink = forwarder(tmp_path / "spool", open_sink(address))
    sink.event(event(1))
    assert wait_for(lambda: sink.failures)
    device.start()
    assert wait_for(lambda: device.register(7) == 42)
    sink.close()
    device.stop()


@pytest.mark.parametrize(
    "options", ["", "?coil=1&register=2", "?coil=70000", "?register=1&on=0", "?coil=1&kinds=alarm", "?coil=1&refresh=0"]
)
def test_a_place_for_the_alarm_that_cannot_be_is_refused(options):
    with pytest.raises(ConfigError):
        open_sink(f"modbus://plc/1{options}")
