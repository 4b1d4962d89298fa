"""A real mosquitto, started and stopped by the tests on loopback, and a subscriber to it."""

import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from edgelstm.runtime.errors import ConfigError, SeriesError, ShapeError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from sink_helpers import wait_for

mqtt = pytest.importorskip("paho.mqtt.client", reason="the extra [mqtt] is not installed")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
NEEDS_MOSQUITTO = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt-get install mosquitto)")
FLOW = Columns(("flow", "motor"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A mosquitto that keeps its sessions over a restart."""

    def __init__(self, folder, extra=""):
        self.port, self.folder = free_port(), folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        (folder / "broker.conf").write_text(
            f"listener {self.port} 127.0.0.1\n{extra or 'allow_anonymous true'}\n"
            f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\nuser root\n"
        )
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", self.folder / "broker.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert wait_for(self._answers), "mosquitto does not start"
        return self

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None


class Listener:
    """A subscriber whose session the broker keeps."""

    def __init__(self, port, topic, identity="listener"):
        self.messages = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=identity, clean_session=False)
        self.client.reconnect_delay_set(0.2, 0.2)
        self.ready = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda _, __, message: self.messages.append(message)
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(10)

    def of(self, end):
        """Payloads of the topics with an end."""
        return [message.payload.decode() for message in list(self.messages) if message.topic.endswith(end)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def subscribed(source):
    """Wait until a source's messages come through."""
    inner = getattr(source, "source", source)  # of one that is brought to the model's units
    assert wait_for(lambda: inner._inbox._connection)
    time.sleep(0.05)  # the subscription follows the connection
    return True


def collect(source, broker, act, count):
    """Read a source in a thread while messages are published."""
    samples = []

    def read():
        for sample in source:
            samples.append(sample)
            if len(samples) >= count:
                source.close()

    reader = threading.Thread(target=read)
    reader.start()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert subscribed(source)
    act(lambda topic, payload: client.publish(topic, payload, qos=1).wait_for_publish(5))
    reader.join(10)
    source.close()
    reader.join(5)
    client.disconnect()
    client.loop_stop()
    assert not reader.is_alive()
    return samples


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

    def subscribed(self):
        """Wait until messages come through."""
        return subscribed(self.source) and self

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


def url(broker, topic, options=""):
    return f"mqtt://127.0.0.1:{broker.port}/{topic}{options}"
