"""The add-on's start: options become a configuration that the product's own parser takes, secrets stay secret."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from command_helpers import MODEL, edgelstm_here
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.service import home_assistant
from edgelstm.runtime.service.config import load_config, make_config
from edgelstm.runtime.service.home_assistant import configuration, prepare, toml

BROKER = {
    "host": "core-mosquitto",
    "port": 1883,
    "ssl": False,
    "username": "addons",
    "password": 'gehe"im\\',
    "protocol": "3.1.1",
}
STREAMS = [
    {"model": "pump.int8.tflite", "topic": "plant/pump/#", "threshold": 1.5, "limit": ["flow=0:200"]},
    {"model": "/share/fan.tflite", "source": "modbus://plc/1?map=/config/fan.csv", "name": "fan", "columns": "a,b"},
]


class Supervisor(BaseHTTPRequestHandler):
    """The Supervisor's answer about the broker."""

    def do_GET(self):
        known = self.path == "/services/mqtt" and self.headers["Authorization"] == "Bearer t0ken"
        body = json.dumps({"result": "ok", "data": BROKER} if known else {"result": "error"}).encode()
        self.send_response(200 if known else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture
def supervisor(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Supervisor)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setattr(home_assistant, "SUPERVISOR", f"http://127.0.0.1:{server.server_port}/services/mqtt")
    yield
    server.shutdown()
    server.server_close()


def test_options_become_a_configuration(tmp_path):
    record = configuration({"language": "de", "streams": STREAMS}, BROKER)
    (tmp_path / "made.toml").write_text(toml(record), encoding="utf-8")
    made = load_config(tmp_path / "made.toml")
    pump, fan = made.streams

    assert made == make_config(record)
    assert (made.settings.language, made.settings.listen, made.settings.trusted_proxy) == (
        "de",
        "0.0.0.0:8377",
        "172.30.32.2",
    )
    assert (pump.model, pump.threshold, pump.limit, fan.model) == (
        "/config/pump.int8.tflite",
        1.5,
        ("flow=0:200",),
        "/share/fan.tflite",
    )
    assert parse_address(pump.source).target == "plant/pump/#"
    assert parse_address(pump.source).options["password-file"] == "/data/broker-password"
    assert [parse_address(sink).target for stream in made.streams for sink in stream.to] == [
        "edgelstm/pump",
        "edgelstm/fan",
    ]
    assert fan.source == "modbus://plc/1?map=/config/fan.csv"


def test_without_a_broker_other_sources_work():
    made = make_config(configuration({"streams": STREAMS[1:]}, None))

    assert [stream.to for stream in made.streams] == [()]


@pytest.mark.parametrize(
    ("stream", "broker", "why"),
    [
        ({"model": "a.tflite"}, BROKER, "one of topic"),
        ({"model": "a.tflite", "topic": "a", "source": "b.csv"}, BROKER, "one of topic"),
        ({"model": "a.tflite", "topic": "a"}, None, "no MQTT service"),
    ],
)
def test_options_that_make_no_sense_are_refused(stream, broker, why):
    with pytest.raises(ConfigError, match=why):
        configuration({"streams": [stream]}, broker)


def test_any_text_survives_the_file(tmp_path):
    words = ["a\"b\\c'd", "line\nbreak\ttab", "\x7f\x01", "Öl 🌡 #=]"]
    record = {"stream": [{"model": "m.tflite", "source": "x.csv", "missing": words, "limit": words}]}
    (tmp_path / "made.toml").write_text(toml(record), encoding="utf-8")

    assert list(load_config(tmp_path / "made.toml").streams[0].missing) == words


def test_the_broker_comes_from_the_supervisor_and_its_password_lies_in_a_file_of_the_user(supervisor, tmp_path):
    (tmp_path / "options.json").write_text(json.dumps({"streams": STREAMS}))
    config = prepare(tmp_path, "t0ken", os.getuid())
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert (tmp_path / "broker-password").read_text() == BROKER["password"] + "\n"
    assert BROKER["password"] not in config.read_text()
    assert files["broker-password"] == files["edgelstm.toml"] == 0o600
    assert load_config(config).streams[0].label == "pump"


def test_a_supervisor_without_a_broker_is_no_error(supervisor):
    assert home_assistant.find_broker("another") is None


def test_a_supervisor_that_is_not_there_is_one(monkeypatch):
    monkeypatch.setattr(home_assistant, "SUPERVISOR", "http://127.0.0.1:1/services/mqtt")
    with pytest.raises(ConfigError, match="Supervisor"):
        home_assistant.find_broker("t0ken")


def test_the_command_line_accepts_what_is_made(supervisor, tmp_path):
    pytest.importorskip("paho.mqtt")
    streams = [{"model": str(MODEL), "topic": "plant/#", "name": "pump"}]
    (tmp_path / "options.json").write_text(json.dumps({"language": "en", "streams": streams}))
    done = edgelstm_here("run", "--config", prepare(tmp_path, "t0ken", os.getuid()), "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "mqtt://core-mosquitto:1883/plant/#" in done.stdout
