"""MQTT sources against a real broker."""

import json
import time

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.sources import Columns, open_source
from mqtt_helpers import FLOW, NEEDS_MOSQUITTO, Reading, collect, url
from sink_helpers import wait_for

pytestmark = NEEDS_MOSQUITTO


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
    reading = Reading(url(broker, "home/#"), Columns(("flow", "motor"), ("room/flow", "cellar/flow"))).subscribed()
    for number in range(5):
        device.send("home/room/flow", str(number))
        device.send("home/cellar/flow", str(-number))
    assert wait_for(lambda: len(reading.samples) == 5)
    reading.close()

    assert [sample.values for sample in reading.samples] == [[n, -n] for n in range(5)]


def test_a_device_that_comes_later_is_passed_over_and_said_once(broker, device, caplog):
    reading = Reading(url(broker, "home/#")).subscribed()
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
    reading = Reading(url(broker, "#")).subscribed()
    for number in range(100):
        device.send(f"plug/{number % 7}/power", "12.5")
        device.send("bulb/state", '{"on": true}')
    device.send("plant/flow", "1")
    device.send("plant/motor", "2")
    assert wait_for(lambda: reading.samples or reading.error)
    reading.close()

    assert [sample.values for sample in reading.samples] == [[1.0, 2.0]]
    assert reading.source.skipped == 200


def test_devices_that_bring_a_channel_each_make_one_sample_a_round(broker):
    """As Zigbee2MQTT sends: one topic a device, JSON with one of our channels and others."""
    source = open_source(parse_address(url(broker, "zigbee2mqtt/#")), FLOW)
    samples = collect(source, broker, lambda publish: [
        publish(f"zigbee2mqtt/{device}", json.dumps({name: value, "battery": 90}))
        for value in (1, 2, 3) for device, name in (("door", "flow"), ("roof", "motor"))
    ], 3)  # fmt: skip

    assert [sample.values for sample in samples] == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]


def test_objects_with_a_value_and_a_time_are_their_topics_channels(broker):
    """As Z-Wave JS sends: a topic a value, `{"time": …, "value": …}`; the sample has the time of its newest value."""
    source = open_source(parse_address(url(broker, "zwave/#")), FLOW)
    samples = collect(source, broker, lambda publish: [
        publish(f"zwave/n/{name}", json.dumps({"time": 1_700_000_000_000 + 1000 * row + late, "value": 10 * row}))
        for row in range(3) for late, name in enumerate(("motor", "flow", "door"))
    ], 3)  # fmt: skip

    assert [sample.values for sample in samples] == [[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]]
    assert [sample.time for sample in samples] == [1_700_000_000.001 + row for row in range(3)]


def test_a_name_says_the_topic_and_the_path_inside(broker):
    """Two devices with the same keys, of which each is another channel; one message may bring several."""
    table = {
        "flow": {"path": "room/state#data[id=a].t", "unit": "°C", "factor": 2},
        "motor": "cellar/state#data[id=a].t",
        "level": "room/state#level",
    }
    columns = Columns.of(Metadata("generic", 8, channels=tuple(map(Channel, table))), channels=table)
    source = open_source(parse_address(url(broker, "home/#")), columns)
    samples = collect(source, broker, lambda publish: [
        publish(f"home/{room}/state", json.dumps({"data": [{"id": "b", "t": 0}, {"id": "a", "t": heat}], "level": row}))
        for row in range(3) for room, heat in (("room", f"{row} °C"), ("cellar", -row), ("attic", 99))
    ], 3)  # fmt: skip

    assert [sample.values for sample in samples] == [[2.0 * row, -row, row] for row in range(3)]


def test_of_a_device_that_is_silent_only_its_channel_is_missing(broker):
    source = open_source(parse_address(url(broker, "z/#")), FLOW)
    samples = collect(source, broker, lambda publish: [
        publish("z/roof", '{"motor": 1, "time": 10}'), publish("z/door", '{"flow": 1, "time": 11}'),
        publish("z/door", '{"flow": 2, "time": 12}'), publish("z/door", '{"flow": 3, "time": 13}'),
    ], 2)  # fmt: skip

    assert [(str(sample.values), sample.time) for sample in samples] == [("[1.0, 1.0]", 11.0), ("[2.0, nan]", 12.0)]


def test_sparkplug_under_a_plain_subscription_is_told_with_its_address(broker, device):
    reading = Reading(url(broker, "spBv1.0/#"))
    for _ in range(60):
        device.send("spBv1.0/plant/DDATA/pump/m", b"\x08\xff\xfe")
        time.sleep(0.03)
        if reading.error:
            break
    reading.close()

    assert "format=sparkplug&group=plant&node=pump" in str(reading.error)
