"""Models from elsewhere: kind and scaling are inferred, said, taken from the user's own files, or refused."""

import importlib.util
import json
import os

import numpy as np
import pytest
from commands import edgelstm, here
from edgelstm.runtime import Detector
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.model_file.bundle import load_bundle

from edgelstm.deployment.calibration_file import Wishes
from edgelstm.deployment.foreign_kind import infer_kind
from edgelstm.deployment.representative_data import read_source
from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from keras import layers as L  # noqa: E402, N812

W, F = 12, 3
NAMES = ("flow", "pressure", "temp")


def rows(count=700):
    """Three sensors in their units, shape (T, F)."""
    time, noise = np.arange(count)[:, None], np.random.default_rng(0).normal(0, 0.02, (count, F))
    return (np.sin(2 * np.pi * time / [17, 23, 31] + [0, 1, 2]) + noise) * [10, 30, 5] + [50, 200, 1013]


def persistence():
    """A forecaster that gives the newest row again, within 0 and 1: as if trained on values scaled to that range."""
    entry = keras.Input((W, F))
    newest = L.ReLU(max_value=1.0)(entry[:, -1])
    silent = L.Dense(F, kernel_initializer="zeros")(L.LSTM(4)(entry))
    return keras.Model(entry, L.Add()([newest, silent]))


def autoencoder():
    return keras.Sequential([keras.Input((W, F)), L.LSTM(6, return_sequences=True), L.Dense(F)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("foreign")
    keras.utils.set_random_seed(0)
    persistence().save(path / "forecaster.keras")
    autoencoder().save(path / "auto.keras")
    keras.Sequential([keras.Input((W, F)), L.LSTM(4), L.Dense(F, activation="softmax")]).save(path / "classes.keras")
    data = rows()
    np.savetxt(path / "normal.csv", data, delimiter=",", header=",".join(NAMES), comments="", fmt="%.5f")
    low, high = data.min(axis=0), data.max(axis=0)
    (path / "minmax.json").write_text(json.dumps({"min": low.tolist(), "max": high.tolist()}))
    scaled = ((data - low) / (high - low)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, W, axis=0).transpose(0, 2, 1)
    np.save(path / "consecutive.npy", windows[:200])
    np.save(path / "apart.npy", windows[::W])
    return path


@pytest.mark.parametrize(
    ("output", "kind", "horizon"),
    [((W, F), "autoencoder", 0), ((F,), "forecaster", 1), ((1, F), "forecaster", 1), ((4, F), "forecaster", 4),
     ((5,), "generic", 0)],
)  # fmt: skip
def test_the_kind_is_inferred_from_the_shapes(output, kind, horizon):
    inferred = infer_kind([(W, F)], [output])

    assert (inferred.kind, inferred.horizon) == (kind, horizon)
    assert f"kind: {kind}" in inferred.note


def test_classes_that_are_as_many_as_channels_are_no_forecast():
    assert infer_kind([(W, F)], [(F,)], "softmax").kind == "generic"


@pytest.mark.parametrize(("kind", "output"), [("autoencoder", (F,)), ("forecaster", (5,)), ("autoencoder", (4, F))])
def test_a_kind_that_the_shapes_contradict_is_refused(kind, output):
    with pytest.raises(
        ConversionError,
        match=rf"A detector of kind {kind} on 3 channels returns .*; this model .* returns \({output[0]}",
    ):
        infer_kind([(W, F)], [output], wanted=kind)


def test_a_foreign_forecaster_becomes_a_file_that_a_detector_takes(folder):
    """Without --kind it used to become a generic file, which `run` refuses."""
    done = here("convert", folder / "forecaster.keras", "--int8", "--calibration", folder / "normal.csv")
    file = folder / "forecaster.int8.tflite"
    detector = Detector.load(file)
    scores = [detector.update(row, float(time)).score for time, row in enumerate(rows(100))]

    assert "Kind: forecaster of 1 row, because the model takes (12, 3) and returns (3,)" in done.stderr
    assert "Scaler: minmax (offset " in done.stderr
    assert "with standard" in done.stderr
    assert load_bundle(file).metadata.names == NAMES
    assert all(score is not None for score in scores[W + 1 :])


def test_the_scaler_is_the_one_that_suits_the_model(folder):
    source = read_source(folder / "forecaster.keras", Wishes(folder / "normal.csv"))

    assert source.metadata.scaler.kind == "minmax"


def test_a_scaler_that_nothing_speaks_against_is_standard_and_said(folder):
    source = read_source(folder / "auto.keras", Wishes(folder / "normal.csv"))

    assert source.metadata.scaler.kind == "standard"
    assert any("scaler: standard (offset " in note and "--scaler-from" in note for note in source.notes)


def test_the_user_s_own_scaler_is_taken(folder):
    source = read_source(
        folder / "auto.keras", Wishes(folder / "normal.csv", scaler_from=folder / "minmax.json")
    )  # fmt: skip

    assert source.metadata.scaler.kind == "minmax"
    assert np.allclose(source.metadata.scaler.transform(rows()).min(axis=0), 0, atol=1e-6)


def test_consecutive_windows_are_rows_and_give_a_forecaster_its_threshold(folder):
    here(
        "convert", folder / "forecaster.keras", "--calibration", folder / "consecutive.npy", "--scaler-from",
        folder / "minmax.json", "-o", folder / "w.tflite",
    )  # fmt: skip
    metadata = load_bundle(folder / "w.tflite").metadata

    assert (metadata.kind, metadata.horizon, metadata.scaler.kind) == ("forecaster", 1, "minmax")
    assert metadata.threshold is not None


def test_windows_that_stand_apart_leave_a_forecaster_without_threshold_and_say_so(folder):
    source = read_source(folder / "forecaster.keras", Wishes(folder / "apart.npy"))

    assert source.representative is None
    assert any("alarm threshold: none" in note and "as CSV" in note for note in source.notes)
    assert any("scaler: none" in note for note in source.notes)


def test_windows_that_stand_apart_do_for_an_autoencoder(folder):
    source = read_source(folder / "auto.keras", Wishes(folder / "apart.npy"))

    assert source.metadata.kind == "autoencoder"
    assert len(source.representative.segments) > 20


def test_the_kind_that_is_named_holds_for_windows_too(folder):
    assert read_source(folder / "auto.keras", Wishes(folder / "apart.npy", kind="generic")).metadata.kind == "generic"

    with pytest.raises(ConversionError, match="A detector of kind autoencoder"):
        read_source(folder / "forecaster.keras", Wishes(folder / "apart.npy", kind="autoencoder"))


def test_a_model_that_is_no_detector_is_said_to_be_none(folder):
    done = here("convert", folder / "classes.keras", "--calibration", folder / "normal.csv", "--json")

    assert json.loads(done.stdout)["kind"] == "generic"
    assert any("`edgelstm run` does not take this file" in note for note in json.loads(done.stdout)["notes"])


@pytest.mark.parametrize(
    ("model", "wishes", "message"),
    [
        ("auto.keras", {"scaler": "standard", "scaler_from": "minmax.json"}, "give one of them"),
        ("auto.keras", {"calibration": "apart.npy", "scaler": "standard"}, "holds windows as the model takes them"),
        ("auto.keras", {"calibration": "nothing.csv"}, "There is no file"),
        ("auto.keras", {"lookback": 5}, "takes windows of 12 rows; leave --lookback 5 out"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(folder, model, wishes, message):
    files = {"calibration": folder / "normal.csv"}
    files |= {
        name: folder / value if name in ("calibration", "scaler_from") else value for name, value in wishes.items()
    }

    with pytest.raises(ConversionError, match=message):
        read_source(folder / model, Wishes(**files))


def test_a_model_of_ours_refuses_a_kind_or_scaler_from_outside(folder, tmp_path):
    from edgelstm.runtime.model_file.metadata import Channel, Metadata

    from edgelstm.keras_file import save_keras

    own = Metadata("autoencoder", W, channels=tuple(map(Channel, NAMES)))
    save_keras(autoencoder(), tmp_path / "own.keras", own, None)

    with pytest.raises(
        ConversionError, match=r"carries its own kind .autoencoder. and scaling: leave --scaler and --kind out"
    ):
        read_source(tmp_path / "own.keras", Wishes(folder / "normal.csv", scaler="minmax", kind="forecaster"))


@pytest.mark.parametrize(("held", "shape"), [((30,), (30, 1)), ((30, 1), (30,)), ((1, 30), (30, 1))])
def test_windows_may_lack_or_have_an_axis_of_length_one(tmp_path, held, shape):
    from edgelstm.data.npz_windows import read_windows

    np.save(tmp_path / "windows.npy", np.arange(90.0).reshape(3, *held))

    (windows,) = read_windows(tmp_path / "windows.npy", [("input", shape)])
    assert windows.shape == (3, *shape)
    assert windows.ravel()[:3].tolist() == [0, 1, 2]


def test_results_are_printed_short(folder):
    from edgelstm.deployment.convert import convert_file

    made = convert_file(folder / "auto.keras", ("float32",), calibration=folder / "normal.csv", apart=False)

    assert len(repr(made)) < 300
    assert "autoencoder" in repr(made)


def test_missing_files_are_named_before_tensorflow_is_loaded(folder, tmp_path):
    """It takes ten seconds; here it would end the command."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise SystemExit('TensorFlow was loaded')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for arguments in (
        [folder / "nothing.keras", "--calibration", folder / "normal.csv"],
        [folder / "auto.keras", "--calibration", folder / "nothing.csv"],
        [folder / "auto.keras", "--calibration", folder / "normal.csv", "--scaler-from", folder / "nothing.json"],
        [folder / "auto.keras"],
    ):
        done = edgelstm("convert", *arguments, code=1, env=environment)

        assert "TensorFlow was loaded" not in done.stderr
        assert "nothing" in done.stderr or "carries no representative data" in done.stderr


def test_a_missing_tensorflow_is_named_and_no_layer(monkeypatch):
    from edgelstm.converters import convert

    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tensorflow" else found(name))

    with pytest.raises(ConversionError, match=r"needs tensorflow, .* pip install 'edgelstm\[train\]'"):
        convert("m.keras", np.zeros((40, W, F)), np.zeros((9, W, F)))


def test_files_for_x86_and_of_scheme_dynamic_have_names_of_their_own():
    from pathlib import Path

    from edgelstm.deployment.convert import file_name

    model = Path("folder/pump.keras")

    assert file_name(model, "dynamic") == "pump.dynamic.tflite"
    assert file_name(model, "dynamic", target="x86") == "pump.x86.dynamic.tflite"
    assert file_name(model, "int8", streaming=True, target="micro") == "pump.stream.micro.int8.tflite"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-drop", "0.1", "--int8"], "leave --scheme, --int8, --target, --streaming and --c-array out"),
        (["--data", "x.csv"], "give the largest drop allowed with --max-drop"),
        (["--target", "x86", "--int8"], "leave int8 out"),
        (["--target", "x86", "--streaming"], "needs none"),
        (["--int8", "--scheme", "dynamic", "-o", "m.tflite"], "leave it out to write several schemes"),
        (["--c-array"], "goes with --target micro"),
    ],
)
def test_options_of_the_command_that_exclude_each_other_are_named(options, message):
    assert message in " ".join(here("convert", "m.keras", *options, code=2).stderr.split())


def test_channels_of_a_model_from_elsewhere_are_judged_by_their_own_deviation(folder):
    """Nobody knows that its outputs are in the units of its inputs, beside which a small channel would pass."""
    source = read_source(folder / "auto.keras", Wishes(folder / "normal.csv"))

    assert source.metadata.kind == "autoencoder"
    assert not source.like_inputs
