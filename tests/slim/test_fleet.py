"""Reports of devices, and promotion that listens to them."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")
pytest.importorskip("paho.mqtt", reason="needs the mqtt extra")

import paho.mqtt.client as mqtt
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.mqtt import disconnect
from mqtt_helpers import NEEDS_MOSQUITTO
from update_forms import PASSPHRASE, Plant

from edgelstm.publishing.fleet import Report, check_canaries, read_fleet

GOOD = Report("plant/1", True, "pump", 2, "canary", "ab" * 32, False, "")


def retain(broker, messages):
    """Leave retained messages at a broker."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for topic, payload in messages.items():
        client.publish(topic, payload, qos=1, retain=True).wait_for_publish(10)
    disconnect(client)


def facts(report):
    return json.dumps({key: getattr(report, key) for key in ("name", "version", "group", "digest", "trial", "error")})


@NEEDS_MOSQUITTO
def test_reports_are_read_back_and_hostile_ones_are_only_text(broker):
    retain(broker, {
        "plant/1/model": facts(GOOD), "plant/1/status": "online", "plant/2/model": "{", "plant/3/model": "[" * 4000,
        "plant/4/model": "x" * 5000, "plant/5/model": facts(replace(GOOD, error="\x1b[2J")), "plant/5/status": "offline",
    })  # fmt: skip

    reports = read_fleet(f"mqtt://127.0.0.1:{broker.port}/plant/#")

    assert [report.topic for report in reports] == ["plant/1", "plant/2", "plant/3", "plant/5"]
    assert reports[0] == GOOD
    assert reports[1].trouble == "its report cannot be read"
    assert reports[3].online is False


def test_a_broker_that_is_not_there_is_said():
    with pytest.raises(ConfigError, match="cannot be read"):
        read_fleet("mqtt://127.0.0.1:1/plant/#", patience=0.5)
    with pytest.raises(ConfigError, match="from a broker"):
        read_fleet("pump.csv")


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (replace(GOOD, error="it was undone"), "it was undone"),
        (replace(GOOD, trial=True), "trial time runs"),
        (replace(GOOD, online=False), "offline"),
        (replace(GOOD, digest="cd" * 32, version=1), "version 1 still"),
        (replace(GOOD, group="plant"), "No device of the group canary"),
        (replace(GOOD, name="fan"), "No device of the group canary"),
    ],
)
def test_a_model_with_which_a_canary_is_not_content_is_not_promoted(report, reason):
    check_canaries([GOOD], "pump", "canary", GOOD.digest)
    good = [] if "No device" in reason else [GOOD]

    with pytest.raises(ConfigError, match=reason):
        check_canaries([*good, report], "pump", "canary", GOOD.digest)


def edgelstm(folder, *words):
    code = "from edgelstm.cli import main; main()"
    environment = {**os.environ, "EDGELSTM_KEY_PASSPHRASE": PASSPHRASE}
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


@NEEDS_MOSQUITTO
def test_promote_asks_the_canaries_unless_forced(tmp_path, broker):
    plant = Plant(tmp_path / "plant")
    digest = plant.publish("first").digest
    url = f"mqtt://127.0.0.1:{broker.port}/plant/#"
    promote = ["promote", "pump", "--from", "canary", "--to", "all", "--key", "release.key"]
    retain(broker, {"plant/1/model": facts(replace(GOOD, digest=digest, error="bad"))})

    refused = edgelstm(plant.folder, *promote, "--mqtt", url)
    status = edgelstm(plant.folder, "fleet", "status", "--mqtt", url)
    forced = edgelstm(plant.folder, *promote, "--mqtt", url, "--force")
    retain(broker, {"plant/1/model": facts(replace(GOOD, digest=digest))})
    allowed = edgelstm(plant.folder, *promote, "--mqtt", url)

    assert refused.returncode == 1
    assert "plant/1 of the group canary: bad" in refused.stderr
    assert status.returncode == 1
    assert "pump 2  canary" in status.stdout
    assert forced.returncode == allowed.returncode == 0
    assert "were not asked" in edgelstm(plant.folder, *promote).stderr
