"""MQTT sources against a real broker."""

import itertools
import json
import threading
import time

import pytest
from edgelstm.runtime.errors import ConfigError, SeriesError, ShapeError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from mqtt_helpers import NEEDS_MOSQUITTO, Broker, collect, mqtt
from sink_helpers import wait_for

pytestmark = NEEDS_MOSQUITTO
FLOW = Columns(("flow", "motor"))


@pytest.fixture
def broker(tmp_path):
    made = Broker(tmp_path / "broker").start()
    yield made
    made.stop()


def test_a_json_message_is_a_whole_sample(broker):
    source = open_source(parse_address(f"mqtt://127.0.0.1:{broker.port}/plant/+/data"), FLOW)
    samples = collect(source, broker, lambda publish: [
        publish("plant/a/data", '{"flow": 1, "motor": 2, "time": 7}'),
        publish("plant/a/data", "[3, 4]"),
        publish("plant/a/data", "nonsense"),
        publish("plant/a/data", '{"motor": 5}'),
    ], 3)  # fmt: skip

    assert [str(sample.values) for sample in samples] == ["[1.0, 2.0]", "[3.0, 4.0]", "[nan, 5.0]"]
    assert samples[0].time == 7.0
    assert abs(samples[1].time - time.time()) < 30


def test_one_topic_a_channel_gives_a_sample_a_round(broker):
    source = open_source(parse_address(f"mqtt://127.0.0.1:{broker.port}/plant/#"), FLOW)
    samples = collect(source, broker, lambda publish: [
        publish(f"plant/pump/{name}", value)
        for name, value in [("flow", "1"), ("motor", "2"), ("other", "9"), ("motor", "4"), ("motor", "6"), ("flow", "5")]
    ], 3)  # fmt: skip

    assert [str(sample.values) for sample in samples] == ["[1.0, 2.0]", "[nan, 4.0]", "[5.0, 6.0]"]


def test_one_topic_a_channel_can_be_sampled_at_an_interval(broker):
    source = open_source(parse_address(f"mqtt://127.0.0.1:{broker.port}/plant/#?every=0.1"), FLOW)
    samples = collect(source, broker, lambda publish: [publish("plant/flow", "1"), publish("plant/motor", "2")], 8)
    pairs = [str(sample.values) for sample in samples]

    assert "[1.0, 2.0]" in pairs
    assert 0.05 < samples[5].time - samples[4].time < 0.5


class Reading(threading.Thread):
    """A source that is read in a thread until it ends, with the error that ended it."""

    def __init__(self, url, columns=FLOW, pause=0.0):
        super().__init__(daemon=True)
        self.source, self.samples, self.error, self.pause = open_source(parse_address(url), columns), [], None, pause
        self.start()

    def run(self):
        try:
            for sample in self.source:
                self.samples.append(sample)
                time.sleep(self.pause)
        except (ConfigError, SeriesError, ShapeError) as error:
            self.error = error

    def rows(self):
        return [sample.row for sample in self.samples]

    def values(self):
        return [sample.values[0] for sample in self.samples]

    def close(self):
        self.source.close()
        self.join(10)
        assert not self.is_alive()


class Publisher:
    """A device that keeps what it could not send."""

    def __init__(self, broker):
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device", clean_session=False)
        self.client.max_queued_messages_set(0)
        self.received = set()
        self.client.on_publish = lambda _, __, number, *___: self.received.add(number)
        self.client.reconnect_delay_set(0.1, 0.1)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def send(self, topic, payload):
        return self.client.publish(topic, payload, qos=1)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def send(device, numbers):
    for number in numbers:
        device.send("plant/pump", f"[{number}, 0]")


@pytest.fixture
def device(broker):
    publisher = Publisher(broker)
    yield publisher
    publisher.close()


def url(broker, topic, options=""):
    return f"mqtt://127.0.0.1:{broker.port}/{topic}{options}"


@pytest.mark.parametrize("whole", [False, True], ids=["a-topic-a-channel", "json"])
def test_two_devices_whose_topics_end_alike_are_refused_with_the_remedy(broker, device, whole):
    reading = Reading(url(broker, "home/#"))
    for number in range(60):
        for room in ("room", "cellar"):
            if whole:
                device.send(f"home/{room}", json.dumps({"flow": number, "motor": 1}))
            else:
                device.send(f"home/{room}/flow", str(number))
                device.send(f"home/{room}/motor", "1")
        time.sleep(0.05)
        if reading.error:
            break
    reading.close()

    assert isinstance(reading.error, ConfigError)
    assert "home/room" in str(reading.error)
    assert "home/cellar" in str(reading.error)
    assert ("home/room/+" if not whole else "home/room)") in str(reading.error).replace("cellar", "room")


def test_longer_names_keep_two_devices_apart(broker, device):
    reading = Reading(url(broker, "home/#"), Columns(("flow", "motor"), ("room/flow", "cellar/flow")))
    time.sleep(0.7)
    for number in range(5):
        device.send("home/room/flow", str(number))
        device.send("home/cellar/flow", str(-number))
    assert wait_for(lambda: len(reading.samples) == 5)
    reading.close()

    assert [sample.values for sample in reading.samples] == [[n, -n] for n in range(5)]


def test_a_device_that_comes_later_is_passed_over_and_said_once(broker, device, caplog):
    reading = Reading(url(broker, "home/#"))
    time.sleep(0.7)
    for number in range(60):
        device.send("home/room/flow", str(number))
        device.send("home/room/motor", "1")
        if number > 40:
            device.send("home/attic/flow", "1000")
    assert wait_for(lambda: len(reading.samples) == 60 and reading.source.skipped == 19)
    reading.close()

    assert reading.values() == list(range(60))
    assert caplog.text.count("home/attic/flow is passed over") == 1


@pytest.mark.parametrize(
    ("topic", "payload", "words"),
    [
        (
            "spBv1.0/g/DDATA/n/d",
            b"\x08\x80\xe8\x92\xb0\xb5\x31\x12\x10\x0a\x04flow\x20\x0a\x69\xff\xfe",
            "a message is binary",
        ),
        ("plant/flow", "21 apples and pears", "neither a number nor JSON"),
        ("plant/other", "1.5", "--columns"),
        ("plant/flow", '{"pressure": 1}', "flow"),
        ("plant/flow", "x" * 2_000_000, "longer than 1024 KiB"),
    ],
)
def test_messages_of_which_none_can_be_read_end_in_an_error(broker, device, monkeypatch, topic, payload, words):
    monkeypatch.setattr("edgelstm.runtime.sources.mqtt.LISTEN", 0.5)
    reading = Reading(url(broker, "#"))
    for _ in range(120):
        device.send(topic, payload)
        time.sleep(0.03)
        if reading.error:
            break
    reading.close()

    assert words in str(reading.error)
    assert reading.source.skipped >= 20


def test_others_under_a_wildcard_may_speak_first(broker, device):
    reading = Reading(url(broker, "#"))
    time.sleep(0.7)
    for number in range(100):
        device.send(f"plug/{number % 7}/power", "12.5")
        device.send("bulb/state", '{"on": true}')
    device.send("plant/flow", "1")
    device.send("plant/motor", "2")
    assert wait_for(lambda: reading.samples or reading.error)
    reading.close()

    assert [sample.values for sample in reading.samples] == [[1.0, 2.0]]
    assert reading.source.skipped == 200


def test_a_persistent_session_loses_nothing_while_the_source_is_stopped(broker, device):
    address = url(broker, "plant/pump", "?session=persistent")
    first = Reading(address)
    time.sleep(0.7)  # the broker knows the session from here on
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

    assert list(dict.fromkeys(values)) == list(range(500))
    assert len(values) <= 500 + 4 * 20  # the last acknowledgements before a stop may not reach the broker (QoS 1)


def test_a_persistent_session_loses_nothing_while_the_broker_restarts(broker, device):
    reading = Reading(url(broker, "plant/pump", "?session=persistent"))
    time.sleep(0.5)
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


def test_a_clean_session_gets_no_messages_of_an_outage(broker, device):
    first = Reading(url(broker, "plant/pump"))
    time.sleep(0.5)
    device.send("plant/pump", "[1, 0]")
    assert wait_for(lambda: first.samples)
    first.close()
    device.send("plant/pump", "[2, 0]")
    time.sleep(0.2)
    second = Reading(url(broker, "plant/pump"))
    time.sleep(0.7)
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
