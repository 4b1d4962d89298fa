"""Tiny models and their stream, for tests on the base install."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.sinks import store_and_forward

if os.access("/dev/shm", os.W_OK):  # hundreds of snapshots, each synced: a disk would take minutes
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")
MODELS = Path(__file__).parent / "models"
NAMES = ("auto.float32", "auto.int8", "cast.float32", "cast.int8")


@pytest.fixture(scope="session")
def models():
    """The folder of the tiny models."""
    return MODELS


@pytest.fixture(params=NAMES)
def model_path(request):
    """Each tiny model in turn."""
    return MODELS / f"{request.param}.tflite"


@pytest.fixture
def bundle(model_path):
    """The same, read."""
    return load_bundle(model_path)


@pytest.fixture(scope="session")
def stream():
    """600 rows (time, level, flow) with a spike, a shift and a flat stretch."""
    return np.loadtxt(MODELS / "stream.csv", delimiter=",", skiprows=1)


@pytest.fixture
def page():
    """A live page of a watch that has scored the stream."""
    from page_helpers import Page

    made = Page()
    yield made
    made.close()


@pytest.fixture
def broker(tmp_path):
    """A mosquitto of the test's own."""
    from mqtt_helpers import Broker  # here: the base install has no MQTT

    made = Broker(tmp_path / "broker").start()
    yield made
    made.stop()


@pytest.fixture
def device(broker):
    """A device that publishes to the broker."""
    from mqtt_helpers import Publisher

    publisher = Publisher(broker)
    yield publisher
    publisher.close()


@pytest.fixture
def write_map(tmp_path):
    """Write a map of Modbus registers, by default that of the pump."""
    from modbus_helpers import MAP

    def written(text=MAP, name="pump.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


@pytest.fixture
def quick(monkeypatch):
    """Attempts follow each other quickly."""
    monkeypatch.setattr(store_and_forward, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(store_and_forward, "LONGEST_WAIT", 0.05)


@pytest.fixture
def make(models):
    """Build a detector whose channels know their physical limits and longest run."""

    def made(name="cast.int8", policies=None, **channel):
        bundle = load_bundle(models / f"{name}.tflite")
        said = bundle.metadata
        channels = tuple(
            replace(item, **({"low": -200.0, "high": 200.0, "longest_run": 2} | channel)) for item in said.channels
        )
        return Detector.from_bundle(replace(bundle, metadata=said.with_(channels=channels)), policies=policies)

    return made
