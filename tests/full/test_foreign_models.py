"""Keras models of other tools are evaluated and reported on labels; what cannot be judged is refused by name."""

import json

import numpy as np
import pytest
from commands import here

keras = pytest.importorskip("keras")

WAVES = np.sin(np.arange(600)[:, None] / 5 + np.arange(3)) + 0.1 * np.random.default_rng(0).normal(size=(600, 3))
FAULT = slice(300, 330)


def write(path, values, labels=None, name="anomaly"):
    """A CSV file of channels a, b, c, with a label column if there are labels."""
    names = ["a", "b", "c"][: values.shape[1]] + ([] if labels is None else [name])
    columns = values if labels is None else np.column_stack([values, labels])
    np.savetxt(path, columns, fmt="%.5f", delimiter=",", header=",".join(names), comments="")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Untrained forecasters with and without every channel in their output, an autoencoder, and rows for them."""
    folder = tmp_path_factory.mktemp("foreign")
    keras.utils.set_random_seed(0)
    for name, channels, outputs in (("one_channel", 1, 1), ("three_channels", 3, 3), ("target_only", 3, 1)):
        layers = [keras.Input((8, channels)), keras.layers.LSTM(5), keras.layers.Dense(outputs)]
        keras.Sequential(layers).save(folder / f"{name}.keras")
    layers = [keras.Input((8, 3)), keras.layers.LSTM(5, return_sequences=True), keras.layers.Dense(3)]
    keras.Sequential(layers).save(folder / "autoencoder.keras")
    faulty, labels = WAVES.copy(), np.zeros(len(WAVES))
    faulty[FAULT] += 3
    labels[FAULT] = 1
    for count in (1, 3):
        write(folder / f"normal{count}.csv", WAVES[:, :count])
        write(folder / f"labelled{count}.csv", faulty[:, :count], labels)
        write(folder / f"defects{count}.csv", faulty[:, :count], labels, "defect")
    return folder


@pytest.mark.parametrize(
    ("model", "channels", "options"),
    [
        ("one_channel", 1, ["--kind", "forecaster"]),
        ("three_channels", 3, ["--kind", "forecaster"]),
        ("autoencoder", 3, []),
    ],
)
def test_a_foreign_model_is_evaluated_on_labels(folder, model, channels, options):
    result = here(
        "evaluate", folder / f"{model}.keras", folder / f"labelled{channels}.csv",
        "--calibration", folder / f"normal{channels}.csv", *options, "--json",
    )  # fmt: skip

    record = json.loads(result.stdout)
    assert record["anomalous_rows"] == 30
    assert record["labelled_events"] == 1
    assert record["event_recall"] == 1
    assert 0 < record["far"] + record["vus_pr"] < 2


def test_the_threshold_of_a_foreign_model_comes_from_normal_operation_alone(folder):
    """On the rows that it is fitted on, hardly a row is above it."""
    normal = folder / "normal3_labelled.csv"
    write(normal, WAVES, np.r_[np.zeros(599), 1])
    result = here(
        "evaluate", folder / "three_channels.keras", normal, "--calibration", folder / "normal3.csv",
        "--kind", "forecaster", "--json",
    )  # fmt: skip

    assert json.loads(result.stdout)["far"] < 0.02


def test_a_model_that_returns_one_of_three_channels_is_refused_with_both_shapes(folder):
    for command in (["evaluate"], ["report", "-o", folder / "refused"]):
        data = [folder / "labelled3.csv"] if command == ["evaluate"] else ["--data", folder / "labelled3.csv"]
        result = here(
            command[0], folder / "target_only.keras", *data, *command[1:],
            "--calibration", folder / "normal3.csv", "--kind", "forecaster", code=1,
        )  # fmt: skip

        assert "kind forecaster on 3 channels returns (1, 3) or (3,)" in result.stderr
        assert "returns (1,)." in result.stderr
        assert "Traceback" not in result.stderr


def test_a_report_on_one_output_row_without_a_row_axis_warns_of_unused_labels(folder):
    """A univariate forecaster returns (N, 1): it ended in a traceback. The label column `defect` has no usual name."""
    result = here(
        "report", folder / "one_channel.keras", "--kind", "forecaster", "--calibration", folder / "normal1.csv",
        "--data", folder / "defects1.csv", "--schemes", "float32,int8", "-o", folder / "report",
    )  # fmt: skip

    warning = (
        "defects1.csv was judged without labels, but defect looks like labels. Name the column with --label-column."
    )
    assert f"Warning: {warning}" in result.stderr
    assert warning in (folder / "report/report.html").read_text()
    schemes = json.loads((folder / "report/report.json").read_text())["schemes"]
    assert schemes[0]["metrics"]["threshold_shift"] == pytest.approx(0, abs=1e-3)


def test_labels_are_required_and_columns_that_look_like_them_are_named(folder):
    result = here(
        "evaluate", folder / "three_channels.keras", folder / "defects3.csv",
        "--calibration", folder / "normal3.csv", "--kind", "forecaster", code=1,
    )  # fmt: skip

    assert "defects3.csv has no column called anomaly, label or the like" in result.stderr
    assert "defect" in result.stderr.replace("defects3.csv", "")


def test_calibration_beside_a_model_that_carries_its_own_is_refused(folder):
    from pathlib import Path

    own = Path(__file__).parents[1] / "slim/models/auto.int8.tflite"
    result = here("evaluate", own, folder / "labelled3.csv", "--calibration", folder / "normal3.csv", code=1)

    assert "carries its own scaler and threshold. Leave it out." in result.stderr


def test_options_of_a_foreign_model_without_calibration_are_wrong_usage(folder):
    result = here("evaluate", folder / "autoencoder.keras", folder / "labelled3.csv", "--kind", "forecaster", code=2)

    assert "--kind goes with --calibration FILE" in result.stderr


def test_a_foreign_model_without_calibration_is_told_of_it(folder):
    result = here("evaluate", folder / "autoencoder.keras", folder / "labelled3.csv", code=1)

    assert "--calibration" in result.stderr


def test_a_foreign_model_is_searched_on_labels(folder):
    result = here(
        "convert", folder / "three_channels.keras", "--max-drop", 0.05, "--data", folder / "labelled3.csv",
        "--calibration", folder / "normal3.csv", "--kind", "forecaster", "-o", folder / "small.tflite", "--json",
    )  # fmt: skip

    search = json.loads(result.stdout)["search"]
    assert search["measure"] == "VUS-PR below Keras float"
    assert search["tried"][0]["drop"] <= 0.05
    assert json.loads(here("evaluate", folder / "small.tflite", folder / "labelled3.csv", "--json").stdout)["far"] < 0.1
