"""Classification on the device."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from edgelstm.runtime.classification.classifier import Classifier
from edgelstm.runtime.classification.tokenizer import Vocabulary
from edgelstm.runtime.errors import ModelError, ShapeError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler

from edgelstm.cli.classify import command

VOCABULARY = Vocabulary(("light", "pump", "stop"), 16, 4, 3)
SECTIONS = {"classifier": {"labels": ["light_on", "machine_stop"]}, "vocabulary": VOCABULARY.record()}


def by_pump(tokens):
    """A model in miniature: the pump's word decides."""
    found = VOCABULARY.index["pump"] in tokens[:, 0]
    return np.array([0.1, 0.9]) if found else np.array([0.7, 0.3])


@pytest.fixture
def intents():
    return Classifier(Metadata("classifier", 4, sections=SECTIONS), by_pump)


@pytest.fixture
def states():
    metadata = Metadata(
        "classifier", 3, channels=(Channel("flow"),), scaler=Scaler("standard", (10.0,), (2.0,)),
        sections={"classifier": {"labels": ["leak", "normal"]}},
    )  # fmt: skip
    return Classifier(metadata, lambda window: np.array([0.8, 0.2]) if window.mean() < 0 else np.array([0.2, 0.8]))


def test_a_text_gets_its_most_probable_class_and_all_probabilities(intents):
    found = intents.text("Stop the PUMP!")

    assert (found.label, found.confidence, found.reason) == ("machine_stop", 0.9, "")
    assert list(found.probabilities) == ["machine_stop", "light_on"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("?!", "empty"),
        ("🔥", "empty"),
        ("включи огонь", "unknown"),
        ("xyzzy", "unknown"),
    ],
)
def test_a_text_without_a_known_word_gets_a_reason_instead_of_a_guess(intents, text, reason):
    found = intents.text(text)

    assert (found.label, found.confidence, found.reason, found.probabilities) == (None, 0.0, reason, {})


def test_one_known_word_among_unknown_ones_is_enough(intents):
    assert intents.text("включи light").label == "light_on"


def test_a_window_is_scaled_as_in_training(states):
    assert states.window([[8.0], [9.0], [9.0]]).label == "leak"
    assert states.window([[12.0], [11.0], [10.0]]).label == "normal"


def test_a_window_with_a_missing_value_gets_no_state(states):
    assert states.window([[8.0], [np.nan], [9.0]]).label is None


def test_a_window_of_another_shape_is_refused(states):
    with pytest.raises(ShapeError, match=r"shape \(3, 1\); received \(2, 1\)"):
        states.window([[1.0], [2.0]])


def test_texts_and_windows_are_not_mixed_up(intents, states):
    with pytest.raises(ModelError, match="not text"):
        states.text("light")
    with pytest.raises(ModelError, match="not windows"):
        intents.window([[1.0]])


def test_a_detector_is_refused_by_kind(bundle):
    with pytest.raises(ModelError, match="needs a model of kind classifier; received"):
        Classifier.from_bundle(bundle)


def test_the_command_reads_a_sentence_a_line(intents, monkeypatch):
    monkeypatch.setattr("edgelstm.runtime.model_file.trial.load_tried_bundle", lambda path: None)
    monkeypatch.setattr(Classifier, "from_bundle", classmethod(lambda cls, bundle: intents))
    found = CliRunner().invoke(command, ["model.tflite"], input="stop pump\n\nжди\n")

    assert found.exit_code == 0
    assert found.stdout.splitlines() == ["machine_stop\t0.900\tstop pump", "-\tempty\t", "-\tunknown\tжди"]


def test_the_command_gives_a_json_line_a_text(intents, monkeypatch):
    monkeypatch.setattr("edgelstm.runtime.model_file.trial.load_tried_bundle", lambda path: None)
    monkeypatch.setattr(Classifier, "from_bundle", classmethod(lambda cls, bundle: intents))
    found = CliRunner().invoke(command, ["model.tflite", "light", "--json"])

    assert json.loads(found.stdout)["label"] == "light_on"


def test_the_command_gives_a_state_a_full_window(states, monkeypatch, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("time,flow,state\n" + "".join(f"{t},{flow},\n" for t, flow in enumerate([9, 8, 8, 12, 13])))
    monkeypatch.setattr("edgelstm.runtime.model_file.trial.load_tried_bundle", lambda path: None)
    monkeypatch.setattr(Classifier, "from_bundle", classmethod(lambda cls, bundle: states))
    found = CliRunner().invoke(command, ["model.tflite", "--rows", str(rows)])

    assert [line.split("\t")[::2] for line in found.stdout.splitlines()] == [
        ["leak", "2"],
        ["leak", "3"],
        ["normal", "4"],
    ]
