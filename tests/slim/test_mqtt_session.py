"""Sessions of MQTT sources: what a broker keeps while the source or the broker itself is away."""

import itertools
import json
import signal
import subprocess
import threading
import time

import pytest
from command_helpers import MODEL, spawn
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, mqtt_inbox, open_source
from mqtt_helpers import FLOW, NEEDS_MOSQUITTO, Reading, url
from sink_helpers import wait_for

pytestmark = NEEDS_MOSQUITTO


def send(device, numbers):
    for number in numbers:
        device.send("plant/pump", f"[{number}, 0]")


def test_a_persistent_session_loses_nothing_while_the_source_is_stopped(broker, device):
    address = url(broker, "plant/pump", "?session=persistent")
    first = Reading(address).subscribed()
    first.close()
    numbers, values = iter(range(500)), []
    for _ in range(4):  # a hundred while it is stopped, and it is stopped in the middle of another hundred
        send(device, itertools.islice(numbers, 100))
        reading = Reading(address)
        send(device, itertools.islice(numbers, 100 if values else 0))
        assert wait_for(lambda reading=reading: len(reading.samples) >= 30)
        reading.close()
        values += reading.values()
    reading = Reading(address)
    assert wait_for(lambda: len({*values, *reading.values()}) >= 500)
    reading.close()

    values += reading.values()

    assert values == list(
        range(500)
    )  # none is repeated either: a stop waits until the broker has read what is acknowledged


def test_a_stop_does_not_wait_long_for_a_broker_that_hangs(broker, device, monkeypatch):
    monkeypatch.setattr(mqtt_inbox, "LAST_WORD", 0.2)
    reading = Reading(url(broker, "plant/pump", "?session=persistent")).subscribed()
    send(device, range(10))
    assert wait_for(lambda: len(reading.samples) == 10)

    broker.process.send_signal(signal.SIGSTOP)
    try:
        reading.close()  # asserts that it ends
    finally:
        broker.process.send_signal(signal.SIGCONT)

    assert reading.error is None


def test_a_persistent_session_loses_nothing_while_the_broker_restarts(broker, device):
    reading = Reading(url(broker, "plant/pump", "?session=persistent")).subscribed()
    sent, over = 0, threading.Event()

    def load():
        nonlocal sent
        while not over.is_set():  # one by one: paho sends new ones before those of a lost connection
            number = device.send("plant/pump", f"[{sent}, 0]").mid
            sent += 1
            while number not in device.received and not over.wait(0.001):
                pass

    worker = threading.Thread(target=load, daemon=True)
    worker.start()
    try:
        for _ in range(4):
            count = len(reading.samples)
            assert wait_for(lambda at=count: len(reading.samples) > at + 50)
            broker.stop()
            time.sleep(0.3)
            broker.start()
    finally:
        over.set()
    worker.join()
    assert wait_for(lambda: len(set(reading.values())) >= sent, 60), (len(reading.samples), sent)
    time.sleep(0.5)
    reading.close()
    values = reading.values()

    assert list(dict.fromkeys(values)) == list(range(sent))
    assert len(values) - len(set(values)) <= 4 * 20  # QoS 1: a device repeats what it does not know as received


@pytest.mark.slow(reason="a watch is killed and started again")
def test_a_killed_watch_with_a_persistent_session_scores_what_it_had_not(broker, device, tmp_path):
    """End to end by the command: what was not scored before SIGKILL is scored after the next start."""
    address = url(broker, "plant/tank", "?session=persistent")
    known = Reading(address, Columns(("level_cm", "flow_lpm"))).subscribed()
    known.close()
    for second in range(200):
        device.send("plant/tank", json.dumps({"time": 1.7e9 + second, "level_cm": 50, "flow_lpm": 7}))
    times = []
    for least in (40, 200):
        with spawn("run", MODEL, address, "--scores", "--state-dir", tmp_path, stdout=subprocess.PIPE) as process:
            late = threading.Timer(60, process.kill)
            late.start()
            while len(set(times)) < least and (line := process.stdout.readline()):
                times.append(float(json.loads(line)["time"]))
            late.cancel()
            process.kill()
            # what it had told before it was killed lies in the pipe
            times += [float(json.loads(line)["time"]) for line in process.stdout if line[-1:].strip() == line[:0]]

    assert set(times) == {1.7e9 + second for second in range(200)}


def test_a_clean_session_gets_no_messages_of_an_outage(broker, device):
    first = Reading(url(broker, "plant/pump")).subscribed()
    device.send("plant/pump", "[1, 0]")
    assert wait_for(lambda: first.samples)
    first.close()
    device.send("plant/pump", "[2, 0]")
    time.sleep(0.2)
    second = Reading(url(broker, "plant/pump")).subscribed()
    device.send("plant/pump", "[3, 0]")
    assert wait_for(lambda: second.samples)
    second.close()

    assert second.values() == [3.0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("?session=persistent&qos=0", "requires qos=1"),
        ("?session=sticky", "clean or persistent"),
        ("?qos=3", "0, 1 or 2"),
    ],
)
def test_a_session_that_cannot_be_is_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        open_source(parse_address(f"mqtt://127.0.0.1/plant{options}"), FLOW)
