"""`convert --max-drop` writes the smallest model that loses no more than it may."""

import json

import pytest
from commands import here

from edgelstm.deployment.scheme_search import Candidate, SearchResult, refusal


def test_a_search_writes_the_smallest_model_within_the_budget(way, tmp_path):
    options = ("--max-drop", "0.02", "-o", tmp_path / "small.tflite", "--json")
    said = json.loads(here("convert", way / "pump.keras", *options).stdout)

    tried = said["search"]["tried"]
    fitting = [model for model in tried if model["error"] <= 0.02]
    assert [model["size"] for model in tried] == sorted(model["size"] for model in tried)
    assert any("with float16 weights" in model["name"] for model in tried)
    assert said["size"] == min(model["size"] for model in fitting)
    assert said["error"] <= 0.02
    assert (
        json.loads(here("inspect", tmp_path / "small.tflite", "--json").stdout)["metadata"]["scheme"] == said["scheme"]
    )


def test_a_search_by_labels_measures_detection(way, tmp_path):
    options = ("--max-drop", "0.05", "--data", way / "faults.csv", "-o", tmp_path / "small.tflite", "--json")
    said = json.loads(here("convert", way / "pump.keras", *options).stdout)

    drops = [model["drop"] for model in said["search"]["tried"] if model["fits"]]
    keras, small = (
        json.loads(here("evaluate", file, way / "faults.csv", "--json").stdout)["vus_pr"]
        for file in (way / "pump.keras", tmp_path / "small.tflite")
    )
    assert drops == [pytest.approx(keras - small, abs=1e-6)]
    assert drops[0] <= 0.05


def test_a_search_says_in_one_sentence_why_nothing_fits():
    tried = (Candidate("int8", 100, 0.02, 0.3, False), Candidate("float32", 400, 0.0, 0.04, False))

    said = refusal(SearchResult("VUS-PR below Keras float", 0.01, tried, None))

    assert said.startswith(
        "None of 2 models stays within 0.01 (VUS-PR below Keras float): the best, float32, loses 0.0400."
    )


def test_a_search_chooses_the_scheme_itself(way):
    done = here("convert", way / "pump.keras", "--max-drop", "0.01", "--int8", code=2)

    assert "--max-drop chooses the scheme" in done.stderr
