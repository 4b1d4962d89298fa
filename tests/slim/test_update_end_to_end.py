"""A watch in a process of its own that updates itself: real repository over HTTP, real broker, real kills."""

import json
import os
import random
import time
import urllib.request

import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")
pytest.importorskip("paho.mqtt", reason="needs the mqtt extra")

from model_files import repack
from mqtt_helpers import NEEDS_MOSQUITTO, Listener
from sink_helpers import wait_for
from update_forms import Plant, model, serving
from update_process import Watch

pytestmark = [NEEDS_MOSQUITTO, pytest.mark.slow(reason="watches in processes of their own, updated and killed")]


@pytest.fixture
def plant(tmp_path):
    plant = Plant(tmp_path / "plant")
    plant.publish("first")
    return plant


def read(port, page):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}") as answer:
        return answer.read().decode()


def version(listener):
    texts = listener.of("/model")
    return json.loads(texts[-1])["version"] if texts else 0


def test_a_watch_updates_itself_over_http_tells_the_broker_and_loses_no_sample(plant, broker):
    listener = Listener(broker.port, "#")
    with serving(plant.repository) as (url, _):
        watch = Watch(plant, url, broker, port=broker.port + 1 if broker.port < 65000 else broker.port - 1)
        assert watch.feed_until(lambda: version(listener) == 1)
        plant.publish("second")
        assert watch.feed_until(lambda: version(listener) == 2)
        facts = json.loads(listener.of("/model")[-1])
        port = broker.port + 1 if broker.port < 65000 else broker.port - 1
        metrics = read(port, "metrics")
        live = json.loads(read(port, "api/live"))
        scores = watch.end()
    listener.close()

    assert facts["trial"] is True
    assert facts["group"] == "canary"
    assert facts["digest"] == watch.store.ledger.current.digest
    assert 'edgelstm_model_info{stream="pump",name="pump",version="2",group="canary"' in metrics
    assert 'edgelstm_model_trial{stream="pump"} 1.0' in metrics
    assert live["streams"][0]["model"] == facts
    assert len(scores) == watch.sent
    assert all(row["score"] is not None for row in scores[30:])  # no warm-up: the windows agree


def test_a_model_that_alarms_always_is_undone_by_a_running_watch_within_seconds(plant, broker):
    listener = Listener(broker.port, "#")
    with serving(plant.repository) as (url, _):
        watch = Watch(plant, url, broker)
        assert watch.feed_until(lambda: version(listener) == 1)
        plant.publish("", content=repack(model("x"), metadata={"threshold": {"value": 1e-6}}))
        begin = time.monotonic()
        refused = lambda: any(one.event in ("undone", "refused") for one in watch.store.ledger.history)  # noqa: E731
        assert watch.feed_until(refused)
        seconds = time.monotonic() - begin
        assert watch.feed_until(lambda: version(listener) == 1)
        watch.feed_until(lambda: "alarm" in json.loads(listener.of("/model")[-1])["error"], 10)
        facts = json.loads(listener.of("/model")[-1])
        scores = watch.end()
    listener.close()

    assert seconds < 60
    assert facts["version"] == 1
    assert "alarm" in facts["error"] or "threshold" in facts["error"]
    assert len(scores) == watch.sent


def test_a_server_that_goes_away_or_turns_hostile_never_stops_the_watch(plant):
    with serving(plant.repository) as (url, _):
        watch = Watch(plant, url)
        assert watch.feed_until(lambda: watch.store.ledger.current is not None)
        flood = plant.repository / "metadata" / "timestamp.json"
        flood.write_bytes(os.urandom(1 << 20))
        assert watch.feed_until(lambda: "exceeding" in watch.store.ledger.error)
    assert watch.feed_until(lambda: "cannot be read" in watch.store.ledger.error)
    scores = watch.end()

    assert len(scores) == watch.sent
    assert watch.store.ledger.current.version == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_at_a_random_instant_of_an_update_leaves_a_model_that_runs(plant, seed):
    """benchmarks/fuzz_updates.py does the same 200 times."""
    chance = random.Random(seed)
    watch = Watch(plant, str(plant.repository))
    assert watch.feed_until(lambda: watch.store.ledger.current is not None)
    plant.publish("second")
    watch.feed_until(lambda: False, chance.uniform(0.1, 4.0))

    watch.kill()

    ledger = watch.store.ledger
    assert watch.store.read(ledger.current) in (model("first"), model("second"))
    again = Watch(plant, str(plant.repository))
    assert again.feed_until(lambda: again.store.ledger.current.version == 2)
    assert wait_for(lambda: again.process.poll() is None)
    assert len(again.end()) == again.sent
