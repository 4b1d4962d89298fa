"""Shrinking: the units that matter stay with their weights, the student learns its teacher, stock Keras loads the file."""

import json
import shutil

import numpy as np
import pytest

from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from edgelstm.runtime.errors import ConversionError  # noqa: E402
from keras import layers as L  # noqa: E402, N812

from edgelstm.cli import group  # noqa: E402
from edgelstm.keras_file import read_extras  # noqa: E402
from edgelstm.reporting.render_html import render  # noqa: E402
from edgelstm.reporting.report_json import read_report  # noqa: E402
from edgelstm.shrinking.narrowing import narrowed  # noqa: E402
from edgelstm.shrinking.recurrent import units_of  # noqa: E402
from edgelstm.shrinking.shrink import Shrunk, Student, refusal  # noqa: E402

T, F = 12, 2
DEAD, ALIVE = np.array([1, 3, 4, 6]), np.array([0, 2, 5, 7])


def kill(layer):
    """Make half of a layer's eight units have no effect on anything."""
    kernel, recurrent, *bias = layer.get_weights()
    columns = np.concatenate([DEAD + 8 * gate for gate in range(kernel.shape[1] // 8)])
    for part in (kernel, recurrent, *bias):
        part[..., columns] = 0
    recurrent[DEAD] = 0
    layer.set_weights([kernel, recurrent, *bias])


def forecaster(kind):
    """LSTM stack with a linear path beside it, as the trainer builds it."""
    inputs = keras.Input((T, F))
    hidden = L.Dropout(0.1)(kind(8, return_sequences=True, name="first")(inputs))
    hidden = L.BatchNormalization()(kind(8, name="second")(hidden))
    outputs = L.Add()([L.Dense(F)(hidden), L.Dense(F)(L.Flatten()(inputs))])
    return keras.Model(inputs, outputs), ("first", "second")


def windows_flattened(kind):
    """A Sequential model whose hidden states of all rows are flattened."""
    layers = [kind(8, return_sequences=True, name="first"), L.Flatten(), L.Dense(F)]
    return keras.Sequential([keras.Input((T, F)), *layers]), ("first",)


@pytest.mark.parametrize(
    ("kind", "build"),
    [(L.LSTM, forecaster), (L.GRU, forecaster), (L.SimpleRNN, forecaster), (L.LSTM, windows_flattened)],
)
def test_units_without_effect_are_taken_out_and_nothing_changes(kind, build):
    keras.utils.set_random_seed(3)
    model, names = build(kind)
    for name in names:
        kill(model.get_layer(name))
    windows = np.random.default_rng(3).normal(size=(40, T, F)).astype(np.float32)
    small = narrowed(model, dict.fromkeys(names, 4), (windows,))

    assert units_of(small) == dict.fromkeys(names, 4)
    assert small.count_params() < model.count_params()
    # a GRU's dead unit has hidden state 0, too: both gates are 1/2 and what they weigh is 0
    assert np.allclose(small(windows), model(windows), atol=1e-5)


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_both_directions_are_made_narrower(merge):
    keras.utils.set_random_seed(3)
    both = L.Bidirectional(L.LSTM(8), merge_mode=merge, name="both")
    model = keras.Sequential([keras.Input((T, F)), both, L.Dense(F)])
    for part in (both.forward_layer, both.backward_layer):
        kill(part)
    windows = np.random.default_rng(3).normal(size=(40, T, F)).astype(np.float32)
    small = narrowed(model, {"both": 4}, (windows,))

    assert small.get_layer("both").forward_layer.units == small.get_layer("both").backward_layer.units == 4
    assert np.allclose(small(windows), model(windows), atol=1e-5)


def test_a_model_without_recurrent_layers_is_refused():
    with pytest.raises(ConversionError, match="takes units out"):
        narrowed(keras.Sequential([keras.Input((T, F)), L.Flatten(), L.Dense(2)]), {}, (np.zeros((4, T, F)),))


def test_a_search_without_a_fit_says_what_the_widest_loses(tmp_path):
    lost = Student((12,), 100, 0.25, False, tmp_path)

    assert "loses 0.2500" in refusal(Shrunk("VUS-PR", 0.01, 1000, (lost,)))


@pytest.fixture(scope="module", autouse=True)
def short_lessons():
    """Few epochs: how well a student learns is the benchmark's business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgelstm.shrinking.distillation.EPOCHS", 6)
        yield


def run(*words):
    """Run a command; its result."""
    done = CliRunner().invoke(group, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows of normal operation, and later ones with a labelled fault."""
    folder, random = tmp_path_factory.mktemp("rows"), np.random.default_rng(0)
    values = np.sin(np.arange(600)[:, None] / np.array([5.0, 9.0])) + random.normal(0, 0.02, (600, 2))
    np.savetxt(folder / "normal.csv", values[:300], delimiter=",", header="a,b", comments="")
    labels = np.zeros(300)
    labels[150:180] = 1
    late = values[300:] + 2 * labels[:, None]
    labelled = np.column_stack([late, labels])
    np.savetxt(folder / "labelled.csv", labelled, delimiter=",", header="a,b,anomaly", comments="", fmt="%g")
    return folder


@pytest.fixture(scope="module")
def shrunk(rows):
    """Our own detector, shrunk by labels with a file of each width."""
    run("train", rows / "normal.csv", "-o", rows / "m.keras", "--units", "6", "--epochs", "3", "--lookback", "12")
    words = ("--data", rows / "labelled.csv", "--max-drop", "0.3", "--widths", rows / "widths", "--json")
    return rows, json.loads(run("shrink", rows / "m.keras", *words).stdout)


@pytest.mark.slow(reason="whole searches, a student is trained for each width")
def test_the_command_writes_a_small_model_with_its_own_score(shrunk):
    rows, record = shrunk
    small = rows / "m.small.keras"
    metadata, representative = read_extras(small)

    assert record["measure"].startswith("VUS-PR")
    assert keras.models.load_model(small).count_params() < record["parameters"]
    assert metadata.sections["training"]["shrunk"]["from_parameters"] == record["parameters"]
    assert metadata.threshold is not None
    assert representative is not None


@pytest.mark.slow(reason="whole searches, a student is trained for each width")
def test_every_width_is_a_file_that_can_be_evaluated(shrunk):
    rows, record = shrunk
    files = [rows / "widths" / student["file"] for student in record["tried"]]
    narrowest = run("evaluate", files[-1], rows / "labelled.csv", "--label-column", "anomaly", "--json")

    assert [student["units"] for student in record["tried"]] == [[4], [3], [2]]
    assert json.loads(narrowest.stdout)["vus_pr"] > 0.5


@pytest.mark.slow(reason="whole searches, a student is trained for each width")
def test_the_report_shows_widths_and_schemes_whose_points_are_files(shrunk, monkeypatch):
    rows, record = shrunk
    narrow = rows / "narrow"
    narrow.mkdir()
    shutil.copy(rows / "widths" / record["tried"][1]["file"], narrow / "m.narrow.keras")
    monkeypatch.setattr("edgelstm.reporting.pipeline.SECONDS", 0.05)  # of timing a scheme
    words = ("--data", rows / "labelled.csv", "--label-column", "anomaly", "--schemes", "int8", "--widths", narrow)
    made = json.loads(run("report", rows / "m.keras", *words, "-o", rows / "report", "--json").stdout)
    (point,) = made["widths"]

    assert point["file"] == "m.narrow.int8.tflite"
    assert point["size"] == (rows / "report" / point["file"]).stat().st_size
    assert point["parameters"] == record["tried"][1]["parameters"] < record["parameters"]
    assert 0.5 < point["quality"] <= 1

    page = (rows / "report/report.html").read_text()
    assert 'aria-label="Smaller models"' in page
    assert f"| {point['file']} | int8 |" in (rows / "report/report.md").read_text()
    assert render(read_report((rows / "report/report.json").read_text(), "report.json")) == page


@pytest.mark.slow(reason="whole searches, a student is trained for each width")
def test_a_foreign_model_is_shrunk_by_its_outputs_the_same_way_twice(rows):
    keras.utils.set_random_seed(1)
    foreign = keras.Sequential([keras.Input((T, F)), L.LSTM(3), L.Dense(F)])
    foreign.save(rows / "theirs.keras")
    files = [rows / "one.keras", rows / "two.keras"]
    words = ("--calibration", rows / "normal.csv", "--max-drop", "0.5", "-o")
    for file in files:
        run("shrink", rows / "theirs.keras", *words, file)

    assert keras.models.load_model(files[0]).count_params() < foreign.count_params()
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_foreign_model_on_windows_keeps_no_metadata(rows):
    """Such windows hold no rows that a device could be described by."""
    foreign = keras.Sequential([keras.Input((T, F)), L.LSTM(3), L.Dense(1)])
    foreign.save(rows / "windows.keras")
    np.save(rows / "windows.npy", np.random.default_rng(0).normal(size=(60, T, F)).astype(np.float32))
    run(
        "shrink",
        rows / "windows.keras",
        "--calibration",
        rows / "windows.npy",
        "--max-drop",
        "1",
        "-o",
        rows / "w.keras",
    )

    assert read_extras(rows / "w.keras") == (None, None)
