"""Receivers of live forecasts: an MQTT broker with Home Assistant, PostgreSQL, points, the live page."""

import json
import re
import shutil
import subprocess
import threading
import urllib.request

import pytest
from command_helpers import MODELS, edgelstm_here
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.forecasting.live import LiveForecaster
from edgelstm.runtime.service.config import Settings
from edgelstm.runtime.service.live_page import LivePage
from edgelstm.runtime.service.runner import Runner
from edgelstm.runtime.sinks.delivery import Stream
from edgelstm.runtime.sinks.discovery import discovery
from edgelstm.runtime.sinks.jsonl import sample_record
from edgelstm.runtime.sinks.otlp import OpenEvents, points
from edgelstm.runtime.sinks.topics import Topics
from edgelstm.runtime.sources import IterableSource, Sample
from sink_helpers import wait_for

AHEAD, DATA = MODELS / "ahead.int8.tflite", MODELS / "stream.csv"
CHROMIUM = shutil.which("chromium")


class Live:
    """A live page over a forecaster whose stream goes on."""

    def __init__(self, rows):
        self.gate = threading.Event()
        self.runner = Runner(LiveForecaster(Forecaster.load(AHEAD)), IterableSource(self._pairs(rows)), [], "tank")
        self.page = LivePage([self.runner], Settings(listen="127.0.0.1:0"))
        self.thread = threading.Thread(target=self.runner.run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.runner.status.samples == len(rows))

    def _pairs(self, rows):
        yield from ((row[0], list(row[1:])) for row in rows)
        self.gate.wait(60)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def close(self):
        self.gate.set()
        self.thread.join()
        self.page.close()


@pytest.fixture
def served(stream):
    made = Live(stream[:320])
    yield made
    made.close()


def test_the_page_gets_the_newest_forecast(served):
    shown = json.loads(served.get("/api/live"))["streams"][0]

    assert shown["scored"] == 297
    assert shown["forecast"]["first"] == 3320.0
    assert len(shown["forecast"]["targets"]["level_cm"]["upper"]) == 6


def test_metrics_tell_error_coverage_and_reliability(served):
    text = served.get("/metrics")

    assert re.search(r'^edgelstm_forecast_reliable\{stream="tank"\} [01].0$', text, re.MULTILINE)
    assert re.search(r'^edgelstm_forecast_mae\{stream="tank",target="level_cm"\} [0-9.]+$', text, re.MULTILINE)
    assert re.search(
        r'^edgelstm_forecast_coverage\{stream="tank",target="level_cm",interval="95"\} 0.[0-9]+$', text, re.MULTILINE
    )


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_page_shows_the_next_steps_with_their_interval(served, tmp_path):
    words = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--virtual-time-budget=3000",
    ]
    command = [CHROMIUM, *words, f"--user-data-dir={tmp_path}", "--dump-dom", f"http://127.0.0.1:{served.page.port}/"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

    assert re.search(r"<h3>level_cm: [0-9.]+, next [0-9.]+ \([0-9.]+ to [0-9.]+\)</h3>", shown)
    assert re.search(
        r"lately off by [0-9.]+, repeating the patch before by [0-9.]+; \d+ % of values in the 80 % interval", shown
    )
    assert "<dt>forecasts</dt><dd>297</dd>" in shown
    assert 'aria-label="Scores' not in shown


def forecast_of(stream):
    model = LiveForecaster(Forecaster.load(AHEAD))
    for row in stream[:40]:
        result = model.update(row[1:], float(row[0]))
    sample = Sample(stream[39, 1:].tolist(), float(stream[39, 0]), 39, "3039")
    return {"seq": 7, "model": "tank", **sample_record(sample, result, ("level_cm", "flow_lpm"))}


def test_a_collector_gets_the_next_row_of_each_target(stream):
    record = forecast_of(stream)
    sent = points(record, OpenEvents())

    assert [(name, value) for name, value, _, _ in sent] == [
        ("edgelstm.forecast", record["targets"]["level_cm"]["forecast"][0]),
        ("edgelstm.forecast.lower", record["targets"]["level_cm"]["lower"][0]),
        ("edgelstm.forecast.upper", record["targets"]["level_cm"]["upper"][0]),
    ]
    assert {more["edgelstm.channel"] for _, _, _, more in sent} == {"level_cm"}


def test_home_assistant_gets_an_entity_a_target_and_one_for_trouble():
    topic, payload = discovery(
        "homeassistant", Topics("plant/load"), Stream("load", True, ("feeder's", "b"), ("kW", ""))
    )
    components = payload["components"]

    assert topic == "homeassistant/device/edgelstm_plant_load/config"
    assert set(components) == {"unreliable", "forecast_1", "forecast_2"}
    assert components["forecast_1"]["value_template"] == r"{{ value_json.targets['feeder\'s'].forecast[0] }}"
    assert components["forecast_1"]["unit_of_measurement"] == "kW"
    assert "unit_of_measurement" not in components["forecast_2"]
    assert components["unreliable"]["state_topic"] == "plant/load/unreliable"
    assert components["unreliable"]["device_class"] == "problem"


def test_templates_give_what_home_assistant_shows(stream):
    """Jinja is what Home Assistant renders templates with."""
    jinja2 = pytest.importorskip("jinja2", reason="not part of the base install")
    _, payload = discovery("homeassistant", Topics("plant/load"), Stream("load", True, ("level_cm",), ("",)))
    entity, record = payload["components"]["forecast_1"], forecast_of(stream)
    environment = jinja2.Environment(autoescape=False)  # Home Assistant's own is no web page either
    environment.filters["tojson"] = json.dumps
    value, attributes = (
        environment.from_string(entity[name]).render(value_json=record)
        for name in ("value_template", "json_attributes_template")
    )

    assert float(value) == record["targets"]["level_cm"]["forecast"][0]
    assert json.loads(attributes) == {**record["targets"]["level_cm"], "times": record["times"], "interval_percent": 80}


def test_forecasts_and_their_reliability_are_published(tmp_path):
    """The stream's shift makes forecasts unreliable for a while."""
    from mqtt_helpers import MOSQUITTO, Broker, Listener

    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    broker = Broker(tmp_path / "broker").start()
    listener = Listener(broker.port, "#")
    done = edgelstm_here(
        "forecast", AHEAD, DATA, "--live", "--state-dir", tmp_path,
        "--to", f"mqtt://127.0.0.1:{broker.port}/plant/tank?discovery=homeassistant",
    )  # fmt: skip
    arrived = wait_for(lambda: listener.of("/status")[-1:] == ["offline"])
    late = Listener(broker.port, "plant/tank/forecast", "late")
    kept = wait_for(lambda: late.of("/forecast"))
    for one in (listener, late):
        one.close()
    broker.stop()

    assert done.returncode == 0, done.stderr
    assert arrived
    assert len(listener.of("/forecast")) == 577
    assert listener.of("/unreliable") == ["OFF", "ON", "OFF"]
    assert [json.loads(text)["state"] for text in listener.of("/event")] == ["open", "closed"]
    assert "forecast_1" in json.loads(listener.of("/config")[0])["components"]
    assert json.loads(kept[0]) == json.loads(listener.of("/forecast")[-1])


def test_postgresql_keeps_the_newest_forecast_of_each_moment(tmp_path, monkeypatch):
    from postgres_helpers import BIN, PASSWORD, Server, address

    if BIN is None:
        pytest.skip("PostgreSQL is not installed")
    monkeypatch.setenv("PUMP_PASSWORD", PASSWORD)
    server = Server().start()
    try:
        to = address(server, "prefix=tank_")
        done = edgelstm_here("forecast", AHEAD, DATA, "--live", "--state-dir", tmp_path, "--to", to)
        rows = server.do(
            "SELECT extract(epoch FROM time), forecast, lower, upper, reliable FROM tank_forecast ORDER BY time"
        )
        events = server.do("SELECT kind, state FROM tank_event")
    finally:
        server.remove()

    assert done.returncode == 0, done.stderr
    assert len(rows) == 577 + 5
    assert all(lower < value < upper for _, value, lower, upper, _ in rows)
    assert {row[4] for row in rows} == {True, False}
    assert events == [("forecast", "closed")]
