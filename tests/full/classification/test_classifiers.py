"""Classifiers from CSV to int8, through the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from edgelstm.runtime.classification.classifier import Classifier
from edgelstm.runtime.model_file.bundle import load_bundle

from edgelstm.cli import group
from edgelstm.deployment.convert import convert_file

OBJECTS = ("lamp", "light", "ceiling light", "lamps", "lights", "bulb", "lantern", "spotlight")


def run(*arguments):
    found = CliRunner().invoke(group, list(map(str, arguments)), catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    return found


def converted(model):
    """The int8 file beside a model; in this process, which has loaded TensorFlow already."""
    path = model.with_suffix(".int8.tflite")
    convert_file(model, apart=False)["int8"].bundle.save(path)
    return path


@pytest.fixture(scope="module")
def intents(tmp_path_factory):
    """A model that tells on from off, in Keras and int8, with its training file."""
    folder = tmp_path_factory.mktemp("intents")
    rows = [
        f"{before} {verb} the {thing} {word}{after},{word}"
        for thing in OBJECTS
        for word in ("on", "off")
        for verb in ("turn", "switch")
        for before in ("", "please")
        for after in ("", " now")
    ]
    data = folder / "said.csv"
    data.write_text("text,intent\n" + "\n".join(rows) + "\n")
    model = folder / "on.keras"
    run("train", "intents", data, "-o", model, "--units", 8, "--epochs", 12, "--batch-size", 16)
    return data, model, converted(model)


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """A model that tells a slow from a fast swing, in Keras and int8, with its training file."""
    folder = tmp_path_factory.mktemp("states")
    random = np.random.default_rng(0)
    names = np.repeat(["", "fast"] * 6, 100)
    level = np.sin(np.cumsum(np.where(names == "fast", 1.3, 0.3))) + random.normal(0, 0.05, len(names))
    data = folder / "swing.csv"
    lines = [f"{second},{value:.4f},{name}" for second, (value, name) in enumerate(zip(level, names, strict=True))]
    data.write_text("time,level,state\n" + "\n".join(lines) + "\n")
    model = folder / "swing.keras"
    options = ("--lookback", 12, "--units", 8, "--epochs", 8, "--batch-size", 32)
    run("train", "states", data, "-o", model, "--label-column", "state", *options)
    return data, model, converted(model)


@pytest.fixture(params=["intents", "states"])
def made(request):
    """Each of the two."""
    return request.getfixturevalue(request.param)


def test_int8_is_within_half_a_point_of_keras(made):
    data, keras, int8 = made
    before, after = (json.loads(run("evaluate", model, data, "--json").stdout) for model in (keras, int8))

    assert before["scheme"] == "keras"
    assert after["scheme"] == "int8"
    assert before["accuracy"] > 0.9
    assert after["accuracy"] >= before["accuracy"] - 0.005


def test_the_fused_op_stays_usable_without_a_mask(made):
    accuracy = load_bundle(made[2]).metadata.accuracy

    assert accuracy["recurrent_ops"] >= 1
    assert accuracy["ops"] < 40


def test_confusion_counts_every_example(made):
    found = json.loads(run("evaluate", made[2], made[0], "--json").stdout)

    assert sum(map(sum, found["confusion"])) == found["examples"]
    assert found["accuracy"] == sum(row[i] for i, row in enumerate(found["confusion"])) / found["examples"]


def test_the_model_file_carries_its_vocabulary(intents):
    said = run("classify", intents[2], "Switch the lamp OFF", "включи", "--json").stdout.splitlines()
    first, second = map(json.loads, said)

    assert first["label"] == "off"
    assert (second["label"], second["reason"]) == (None, "unknown")


def test_the_label_column_is_no_input(states):
    metadata = load_bundle(states[2]).metadata

    assert metadata.names == ("level",)
    assert metadata.sections["classifier"]["labels"] == ["fast", "normal"]


def test_rows_get_the_state_that_python_gives(states):
    data, _, int8 = states
    rows = np.genfromtxt(data, delimiter=",", skip_header=1, usecols=1)[:, None]
    printed = [line.split("\t") for line in run("classify", int8, "--rows", data, "--stride", 100).stdout.splitlines()]
    classifier = Classifier.load(int8)

    assert [(label, int(time)) for label, _, time in printed] == [
        (classifier.window(rows[end - 11 : end + 1]).label, end) for end in range(11, len(rows), 100)
    ]


def test_a_class_with_few_examples_is_refused(tmp_path):
    data = tmp_path / "few.csv"
    data.write_text("text,intent\n" + "light on,on\n" * 20 + "light off,off\n")
    found = CliRunner().invoke(group, ["train", "intents", str(data), "-o", str(tmp_path / "m.keras")])

    assert "10 examples" in str(found.exception)


def test_an_option_of_another_kind_is_wrong_usage_that_names_its_command(tmp_path):
    result = CliRunner().invoke(group, ["train", "intents", "-o", str(tmp_path / "m.keras"), "--horizon", "3"])

    assert result.exit_code == 2
    assert "--horizon is an option of `edgelstm train detector` or `edgelstm train forecaster`" in result.stderr


def test_the_kind_classifier_names_the_commands_that_train_one(tmp_path):
    result = CliRunner().invoke(group, ["train", "x.csv", "-o", str(tmp_path / "m.keras"), "--kind", "classifier"])

    assert result.exit_code == 2
    assert "edgelstm train intents" in result.stderr
    assert "edgelstm train states" in result.stderr
