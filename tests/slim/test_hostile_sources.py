"""Messages that others may send to field buses and databases cost little memory, stop nothing, and are said once."""

import math
import os
import pty
import subprocess
import threading
import tracemalloc
import tty

import pytest
from edgelstm.runtime.io import reconnect
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from edgelstm.runtime.sources.opcua import _short
from sink_helpers import wait_for

FLOW = Columns(("flow", "motor"))


class Reading:
    """A source that is read in a thread."""

    def __init__(self, source):
        self.source, self.values = source, []
        self.thread = threading.Thread(target=self._read)

    def _read(self):
        for sample in self.source:
            self.values.append(sample.values)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.source.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


def helpers(name):
    return pytest.importorskip(name, reason="an extra is not installed", exc_type=ImportError)


def test_a_message_of_many_megabytes_takes_no_memory(tmp_path, caplog):
    """MQTT lets a message have 256 MB, and paho would collect all of it."""
    mqtt = helpers("mqtt_helpers")
    if mqtt.MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    (tmp_path / "large").write_bytes(b"7" * (40 << 20))
    broker = mqtt.Broker(tmp_path / "broker")
    broker.start()
    publish = ["mosquitto_pub", "-p", str(broker.port), "-t"]
    tracemalloc.start()
    try:
        with Reading(open_source(parse_address(f"mqtt://127.0.0.1:{broker.port}/plant/#"), FLOW)) as reading:
            assert wait_for(
                lambda: subprocess.run([*publish, "plant/all", "-m", "[1, 2]"]).returncode == 0 and reading.values
            )
            subprocess.run([*publish, "plant/all", "-f", str(tmp_path / "large")], check=True)
            subprocess.run([*publish, "plant/all", "-m", "[3, 4]"], check=True)
            assert wait_for(lambda: [3.0, 4.0] in reading.values)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        broker.stop()

    assert most < 10 << 20
    assert reading.source.skipped == 1
    assert caplog.text.count("longer than 1024 KiB") == 1


def test_a_number_that_no_float_can_hold_hides_no_other_row(monkeypatch):
    """PostgreSQL refuses to answer at all where one numeric of an answer does not fit."""
    postgres = helpers("postgres_helpers")
    if postgres.BIN is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    monkeypatch.setenv("PUMP_PASSWORD", postgres.PASSWORD)
    server = postgres.Server()
    try:
        server.start()
        server.do("CREATE TABLE pump (id bigserial PRIMARY KEY, flow numeric, motor numeric(30, 3))")
        server.do(
            "INSERT INTO pump (flow, motor) VALUES (1, 1), (1e400, 2), (-1e400, 3), (1e-400, 4), ('NaN', 5), (7, 6)"
        )
        with Reading(postgres.opened(server, "table=pump&key=id&every=0.05&start=all")) as reading:
            assert wait_for(lambda: len(reading.values) == 6)
    finally:
        server.remove()

    assert [motor for _, motor in reading.values] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert [flow for flow, _ in reading.values] == pytest.approx(
        [1.0, math.nan, math.nan, 0.0, math.nan, 7.0], nan_ok=True
    )


def test_a_node_that_holds_a_large_array_or_text_waits_as_a_few_characters(caplog):
    opcua = helpers("opcua_helpers")
    server = opcua.Server().start()
    address = f"opc.tcp://127.0.0.1:{server.port}/pump?node=ns=2;s=Pump&every=0"
    try:
        with Reading(open_source(parse_address(address), Columns(("Flow", "Motor")))) as reading:
            assert wait_for(lambda: reading.values, 30)
            waiting = []
            put, reading.source._queue.put = reading.source._queue.put, lambda item: (waiting.append(item), put(item))
            for content in ([1.0] * 100_000, 5.0):
                variant = opcua.ua.Variant(content)
                server.do(server.server.write_attribute_value(server.nodes["Flow"].nodeid, opcua.ua.DataValue(variant)))
                assert wait_for(lambda: waiting)
                first = waiting.pop(0)[0].value
                assert len(str(first)) <= 64
            assert wait_for(lambda: reading.values[-1] == [5.0, 10.0])
    finally:
        server.stop()

    assert caplog.text.count("Flow: 'a value of the type list' is not a number") == 1
    assert len(_short("9" * 1_000_000)) == 64


def test_a_serial_line_that_comes_and_goes_is_said_once_and_not_opened_without_a_pause(tmp_path, monkeypatch, caplog):
    pytest.importorskip("serial", reason="the extra [serial] is not installed")
    monkeypatch.setattr(reconnect, "FIRST_WAIT", 0.05)
    path, lines, attempts = tmp_path / "ttyUSB0", [], []

    def plug_in():
        lines.append(pty.openpty())
        tty.setraw(lines[-1][1])
        (tmp_path / "new").symlink_to(os.ttyname(lines[-1][1]))
        (tmp_path / "new").replace(path)

    def unplug():
        for end in lines.pop():
            os.close(end)

    plug_in()
    source = open_source(parse_address(f"serial:{path}"), FLOW)
    opened = source._opened
    monkeypatch.setattr(source, "_opened", lambda: attempts.append(1) or opened())
    with Reading(source) as reading:
        for number in range(3):
            seen = len(reading.values)
            assert wait_for(
                lambda seen=seen, number=number: (
                    os.write(lines[-1][0], b"%d,0\n" % number),
                    len(reading.values) > seen,
                )[1]
            )
            unplug()
            assert wait_for(lambda number=number: len(attempts) > 3 + number)
            plug_in()
    unplug()

    assert sorted({int(flow) for flow, _ in reading.values}) == [0, 1, 2]
    assert len(attempts) < 60
    assert caplog.text.count("lost (") <= 3
    assert caplog.text.count("Cannot open") <= 3
