"""MQTT sources and a broker that is late, refuses, or has more to say than can be scored."""

import time

import pytest
from mqtt_helpers import NEEDS_MOSQUITTO, Broker, Publisher, Reading, url
from sink_helpers import wait_for

pytestmark = NEEDS_MOSQUITTO
INBOX = "edgelstm.runtime.sources.mqtt_inbox"


def test_a_broker_that_comes_later_is_waited_for_and_its_absence_said_once(tmp_path, caplog):
    broker = Broker(tmp_path / "broker")
    reading = Reading(url(broker, "plant/pump"))
    assert wait_for(lambda: "trying again" in caplog.text)
    broker.start()
    reading.subscribed()
    publisher = Publisher(broker)
    publisher.send("plant/pump", "[1, 2]")
    assert wait_for(lambda: reading.samples)
    reading.close()
    publisher.close()
    broker.stop()

    assert reading.values() == [1.0]
    assert caplog.text.count("trying again") == 1


def test_a_refusal_of_the_broker_is_said_once(tmp_path, caplog):
    broker = Broker(tmp_path / "broker", "allow_anonymous false").start()
    reading = Reading(url(broker, "plant/pump"))
    assert wait_for(lambda: "the broker refuses: not authorized" in caplog.text)
    time.sleep(1.5)  # it is tried again after a second
    reading.close()
    broker.stop()

    assert caplog.text.count("the broker refuses") == 1
    assert reading.samples == []


@pytest.mark.parametrize("session", ["clean", "persistent"])
def test_what_a_topic_retains_is_no_sample(broker, device, session):
    device.client.publish("plant/pump", "[1, 2]", qos=1, retain=True).wait_for_publish(5)
    reading = Reading(url(broker, "plant/pump", "?session=persistent" if session == "persistent" else "")).subscribed()
    device.send("plant/pump", "[3, 4]")
    assert wait_for(lambda: reading.samples)
    reading.close()

    assert reading.values() == [3.0]


def test_messages_for_which_there_is_no_room_are_counted_and_said_once(broker, device, monkeypatch, caplog):
    monkeypatch.setattr(f"{INBOX}.WAITING", 5)
    reading = Reading(url(broker, "plant/pump"), pause=0.02).subscribed()
    for number in range(200):
        device.send("plant/pump", f"[{number}, 0]")
    assert wait_for(lambda: len(reading.samples) + reading.source.skipped == 200)
    reading.close()

    assert reading.source.skipped > 100
    assert reading.values() == sorted(reading.values())
    assert caplog.text.count("come faster than they are scored") == 1
