"""Measurements of `edgelstm bench`, named so that a report can merge them."""

from pathlib import Path

import pytest
from edgelstm.runtime.diagnostics.benchmark import benchmark
from edgelstm.runtime.model_file.bundle import load_bundle

pytestmark = pytest.mark.slow(reason="models are measured in processes of their own")
MODEL = Path(__file__).parent / "models" / "cast.int8.tflite"


def test_a_measurement_names_the_model_it_was_made_on():
    found = benchmark(MODEL, seconds=0.02)

    metadata = load_bundle(MODEL).metadata
    assert (found.source, found.scheme) == (metadata.source, "int8")


def test_a_file_of_another_tool_is_measured_without_a_name(tmp_path):
    (tmp_path / "plain.tflite").write_bytes(load_bundle(MODEL).flatbuffer)

    found = benchmark(tmp_path / "plain.tflite", seconds=0.02)

    assert (found.source, found.scheme) == ("", "")


def test_the_peak_is_at_least_what_is_resident():
    start = benchmark(MODEL, seconds=0.02).start

    assert start.peak_mb >= start.resident_mb > start.base_mb


def test_a_file_that_has_run_in_this_process_is_not_tried_in_another(monkeypatch):
    def refuse(*_):
        raise AssertionError("tried")

    monkeypatch.setattr("edgelstm.runtime.diagnostics.benchmark.try_model", refuse)

    assert benchmark(MODEL, seconds=0.02, tried=True).latency.calls >= 20
    with pytest.raises(AssertionError, match="tried"):
        benchmark(MODEL, seconds=0.02)
