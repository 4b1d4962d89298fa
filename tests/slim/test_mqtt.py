"""MQTT sinks against a real broker."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sinks import plan_delivery
from edgelstm.runtime.sinks.spool import Spool
from edgelstm.runtime.sinks.store_and_forward import Forwarder
from edgelstm.runtime.sources import Sample
from mqtt_helpers import NEEDS_MOSQUITTO, Broker, Listener, Publisher
from sink_helpers import wait_for

pytestmark = NEEDS_MOSQUITTO
NAMES = ("flow", "motor")


@pytest.fixture
def listener(broker):
    made = Listener(broker.port, "#")
    yield made
    made.close()


def event(number, state="open"):
    return Event(f"e{number}", "anomaly", state, float(number), None, 2.0, ("flow",))


def sink_to(url, folder, scores=False):
    return Forwarder(plan_delivery(parse_address(url), "pump", scores)(), Spool(folder), "pump", NAMES, scores)


def test_events_scores_and_status_are_published(broker, listener, tmp_path):
    sink = sink_to(f"mqtt://127.0.0.1:{broker.port}/plant/pump?discovery=homeassistant", tmp_path / "spool", True)
    sink.result(Sample([1.0, 2.0], 5.0, 0, "5"), Result(5.0, 2.5, 1.0, True, (3.0, 1.0)))
    sink.event(event(0))
    sink.event(event(0, "closed"))
    sink.close()
    assert wait_for(lambda: listener.of("/status")[-1:] == ["offline"])

    assert listener.of("/status") == ["online", "offline"]
    assert listener.of("/anomaly") == ["ON", "OFF"]
    assert [json.loads(text)["state"] for text in listener.of("/event")] == ["open", "closed"]
    assert json.loads(listener.of("/score")[0])["score"] == 2.5


def test_discovery_is_as_home_assistants_schema_wants_it(broker, listener, tmp_path):
    """Names as in DEVICE_DISCOVERY_SCHEMA (home-assistant/core, components/mqtt/schemas.py) and its entities' documentation."""
    sink = sink_to(f"mqtt://127.0.0.1:{broker.port}/plant/pump?discovery=homeassistant", tmp_path / "spool", True)
    assert wait_for(lambda: listener.of("/config"))
    sink.close()
    payload = json.loads(listener.of("/config")[0])
    message = next(one for one in listener.messages if one.topic.endswith("/config"))
    allowed = {
        "binary_sensor": {"device_class", "state_topic", "json_attributes_topic"},
        "sensor": {"state_class", "state_topic", "value_template", "suggested_display_precision"},
    }

    assert message.topic == "homeassistant/device/edgelstm_plant_pump/config"
    assert set(payload) == {"device", "origin", "components", "availability_topic", "qos"}
    assert set(payload["device"]) <= {"identifiers", "name", "manufacturer", "model", "sw_version"}
    assert payload["device"]["identifiers"]
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", message.topic)
    assert {"device", "components", "origin"} <= set(payload)  # required, and in them:
    assert payload["origin"]["name"]
    assert all(isinstance(one, str) for one in payload["device"]["identifiers"])
    assert set(payload["origin"]) <= {"name", "sw_version", "support_url"}
    for component in payload["components"].values():
        assert set(component) <= {"platform", "name", "unique_id"} | allowed[component["platform"]]
        assert {"platform", "name", "unique_id", "state_topic"} <= set(component)
    assert payload["availability_topic"] == "plant/pump/status"


def test_a_killed_process_is_offline_by_its_last_will(broker, listener, tmp_path):
    code = (
        "import sys, time\nfrom edgelstm.runtime.sinks import plan_delivery\n"
        "from edgelstm.runtime.io.addresses import parse_address\n"
        "plan_delivery(parse_address(sys.argv[1]), 'pump', False)(); print('up', flush=True); time.sleep(60)"
    )
    url = f"mqtt://127.0.0.1:{broker.port}/plant/pump"
    process = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE)
    assert wait_for(lambda: listener.of("/status") == ["online"])
    process.kill()
    process.communicate()

    assert wait_for(lambda: listener.of("/status") == ["online", "offline"])


def restarts(broker, tmp_path, count, each, pause):
    """Publish under load while the broker goes away again and again; give the sequence as it arrived."""
    listener = Listener(broker.port, "plant/pump/event")
    sink = sink_to(f"mqtt://127.0.0.1:{broker.port}/plant/pump", tmp_path / "spool")
    sent, over = 0, threading.Event()

    def load():
        nonlocal sent
        while not over.is_set():
            for _ in range(each):
                sink.event(event(sent))
                sent += 1
            over.wait(pause)

    worker = threading.Thread(target=load, daemon=True)
    worker.start()
    try:
        for _ in range(count):
            delivered = sink.delivered
            assert wait_for(lambda at=delivered: sink.delivered > at + 20)
            broker.stop()
            time.sleep(0.05)
            broker.start()
    finally:
        over.set()
        worker.join()
    assert wait_for(lambda: sink.delivered == sent, 300), (sink.delivered, sent, sink.failure)
    assert wait_for(lambda: len(set(listener.of("/event"))) >= sent, 60)
    arrived = [json.loads(text)["seq"] for text in listener.of("/event")]
    repeated = {number for number, times in Counter(arrived).items() if times > 1}
    sink.close()
    listener.close()
    return sent, arrived, repeated


@pytest.mark.slow(reason="twenty restarts of a broker")
def test_every_event_arrives_in_order_though_the_broker_restarts_twenty_times(broker, tmp_path, monkeypatch):
    monkeypatch.setattr("edgelstm.runtime.io.mqtt.FIRST_WAIT", 0.05)
    sent, arrived, repeated = restarts(broker, tmp_path, 20, 5, 0.02)
    first_seen = list(dict.fromkeys(arrived))

    assert sent > 200
    assert first_seen == list(range(sent))
    # QoS 1 repeats at most what was in flight at a restart, on the way in (20) and on the way out (20)
    assert len(repeated) <= 20 * 40


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate authority, a server certificate for 127.0.0.1, and a foreign authority."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "foreign"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    openssl(
        "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-keyout", "server.key", "-out", "server.csr"
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
            "-extfile", "names", "-out", "server.pem")  # fmt: skip
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@pytest.fixture
def safe_broker(tmp_path, certificates):
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "users", "me", "open sesame"], check=True)
    (tmp_path / "users").chmod(0o644)
    made = Broker(
        tmp_path / "broker",
        f"cafile {certificates}/ca.pem\ncertfile {certificates}/server.pem\nkeyfile {certificates}/server.key\n"
        f"allow_anonymous false\npassword_file {tmp_path}/users",
    ).start()
    (tmp_path / "password").write_text("open sesame\n")
    (tmp_path / "wrong").write_text("close sesame\n")
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("host", "ca", "password", "trouble"),
    [
        ("127.0.0.1", "ca", "password", ""),
        ("127.0.0.1", "foreign", "password", "self-signed certificate|self signed|signature failure"),
        ("localhost", "ca", "password", "hostname mismatch"),
        ("127.0.0.1", "ca", "wrong", "not authorized|bad user name"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves failed sockets to the gc
def test_tls_and_passwords_are_really_checked(safe_broker, certificates, tmp_path, host, ca, password, trouble):
    url = f"mqtts://me@{host}:{safe_broker.port}/plant?ca={certificates}/{ca}.pem&password-file={tmp_path}/{password}"
    sink = sink_to(url, tmp_path / "spool")
    sink.event(event(0))
    assert wait_for(lambda: sink.delivered or sink.failure)

    assert bool(sink.delivered) is not bool(trouble)
    assert re.search(trouble, sink.failure)
    sink.close()


def test_certificates_without_tls_and_missing_ones_are_refused(tmp_path, certificates):
    with pytest.raises(ConfigError, match="Write mqtts://"):
        sink_to(f"mqtt://127.0.0.1/x?ca={certificates}/ca.pem", tmp_path)
    with pytest.raises(ConfigError, match="Cannot use the certificates"):
        sink_to("mqtts://127.0.0.1/x?ca=/none.pem", tmp_path / "2")
    with pytest.raises(ConfigError, match="Did you mean 'password-file'"):
        sink_to("mqtts://127.0.0.1/x?pasword-file=a", tmp_path / "3")


def test_without_paho_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(ConfigError, match=r"pip install 'edgelstm\[mqtt\]'"):
        plan_delivery(parse_address("mqtt://127.0.0.1/x"), "pump", False)


@pytest.mark.soak
def test_every_event_arrives_in_order_over_two_hundred_restarts(broker, tmp_path):
    sent, arrived, _ = restarts(broker, tmp_path, 200, 5, 0.05)

    assert list(dict.fromkeys(arrived)) == list(range(sent))


def test_answers_to_alarms_come_back_over_the_broker(broker, listener, tmp_path):
    heard = []
    sink = sink_to(f"mqtt://127.0.0.1:{broker.port}/plant/pump", tmp_path / "spool")
    sink.listen(lambda *words: heard.append(words))
    assert wait_for(lambda: listener.of("/status") == ["online"])
    publisher = Publisher(broker)
    for payload in ("{", '{"event": "e0"}', "[" * 3000, '{"event": "e0", "answer": "false"}'):
        publisher.send("plant/pump/answer", payload)
    assert wait_for(lambda: heard)
    publisher.close()
    sink.close()

    assert heard == [("e0", "false", "mqtt")]
