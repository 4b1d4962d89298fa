"""Sparkplug B of another implementation: pysparkplug's edge node in a Python of its own, which EDGELSTM_SPARKPLUG_PYTHON names."""

import math
import os
import subprocess
from pathlib import Path

import pytest
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from mqtt_helpers import NEEDS_MOSQUITTO, subscribed
from sink_helpers import wait_for
from test_live_sources import Collector

PYTHON = os.environ.get("EDGELSTM_SPARKPLUG_PYTHON", "")
pytestmark = [
    NEEDS_MOSQUITTO,
    pytest.mark.skipif(not PYTHON, reason="EDGELSTM_SPARKPLUG_PYTHON names no Python with pysparkplug"),
]
PUMP = Columns(("Flow", "Motor", "Run"))
NAN = pytest.approx(math.nan, nan_ok=True)


class EdgeNode:
    """The other process; each step is a word on its standard input."""

    def __init__(self, broker):
        command = [PYTHON, Path(__file__).with_name("sparkplug_edge.py"), str(broker.port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def do(self, step):
        self.process.stdin.write(f"{step}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def close(self):
        self.process.communicate(timeout=10)
        assert self.process.returncode == 0


def test_births_changes_and_deaths_of_a_node_and_its_device_are_read(broker):
    address = f"mqtt://127.0.0.1:{broker.port}/?format=sparkplug&group=Plant&node=Pump1&every=0"
    with Collector(open_source(parse_address(address), PUMP)) as reading:

        def newest(*values):
            return wait_for(lambda: reading.samples and reading.samples[-1].values == list(values))

        assert subscribed(reading.source)
        edge = EdgeNode(broker)
        assert newest(1.0, 10.0, 1.0)
        for step, row in (
            ("Flow=2.5", (2.5, 10.0, 1.0)), ("Motor=-20", (2.5, -20.0, 1.0)), ("Run=off", (2.5, -20.0, 0.0)),
        ):  # fmt: skip
            edge.do(step)
            assert newest(*row)
        edge.do("leave=")
        edge.do("Flow=3")
        assert newest(3.0, NAN, NAN)
        edge.do("join=")
        assert newest(3.0, -20.0, 0.0)
        edge.close()

    assert reading.source.skipped == 0
