"""The endurance benchmark in small: bursts of every kind of fault."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(reason="streams of days")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "endurance.py"


@pytest.mark.parametrize("name", ["cast.int8", "flow.stream.int8"])
def test_a_stream_of_faults_is_counted_and_leaves_no_trace_in_later_scores(models, name):
    spec = importlib.util.spec_from_file_location("endurance", BENCHMARK)
    endurance = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(endurance)
    found = endurance.endure(15_000, models / f"{name}.tflite")

    assert endurance.promises(found) == []
    assert set(found["put_in"].values()) - {0}
    assert found["put_in"]["missing"] == 16
    assert found["compared_scores"] > 1000
