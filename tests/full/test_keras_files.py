"""Files of Keras: those of Keras 2 are read, what a file cannot carry is named with its layer and a way out."""

from pathlib import Path

import numpy as np
import pytest
from commands import here
from edgelstm.converters import convert
from edgelstm.runtime.errors import ConversionError, ModelError

from edgelstm.keras_file import load_keras
from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from keras import layers as L  # noqa: E402, N812
from keras import ops  # noqa: E402

KERAS2 = Path(__file__).parent / "keras2"
NAMES = ["both_ways", "autoencoder", "with_states", "nested_and_sliced", "attention"]


class LeakyCell(L.Layer):
    """A cell of the user's own."""

    def __init__(self, units=4, **options):
        super().__init__(**options)
        self.units = self.state_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, row, states):
        after = 0.9 * states[0] + 0.1 * ops.tanh(row @ self.kernel)
        return after, [after]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def own_cell():
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.Input((12, 3)), L.RNN(LeakyCell(6), name="memory"), L.Dense(2)])


def windows(count=60):
    return np.random.default_rng(0).normal(size=(count, 12, 3)).astype(np.float32)


@pytest.mark.parametrize("ending", ["h5", "keras"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_keras_2_gives_what_keras_2_computed(name, ending):
    with np.load(KERAS2 / f"{name}.npz") as arrays:
        outputs = load_keras(KERAS2 / f"{name}.{ending}").predict(arrays["windows"], verbose=0)

        assert np.allclose(outputs, arrays["outputs"], atol=1e-6)


@pytest.mark.parametrize("file", ["autoencoder.h5", "both_ways.keras"])
def test_a_file_of_keras_2_converts(file, tmp_path):
    source = KERAS2 / file
    with np.load(source.with_suffix(".npz")) as arrays:
        np.save(tmp_path / "windows.npy", arrays["windows"])
    done = here(
        "convert", source, "--scheme", "dynamic", "--calibration", tmp_path / "windows.npy", "-o", tmp_path / "m.tflite"
    )

    assert "Keras → float TFLite" in done.stderr
    assert (tmp_path / "m.tflite").stat().st_size > 1000


def test_rows_before_windows_are_refused_by_layer():
    from edgelstm.keras2_file import modernized

    with pytest.raises(ModelError, match="Layer 'old' has time_major=True"):
        modernized({"class_name": "LSTM", "config": {"name": "old", "time_major": True}})


def test_a_class_of_the_user_s_own_is_named_with_its_layer_and_the_way_in_python(tmp_path):
    own_cell().save(tmp_path / "own.keras")
    with pytest.raises(ModelError) as caught:
        load_keras(tmp_path / "own.keras")

    message = str(caught.value)
    assert message.startswith("own.keras: layer 'memory' (RNN) holds LeakyCell, a class or function of your own")
    assert "custom_objects={'LeakyCell': LeakyCell}" in message


def test_that_way_works(tmp_path):
    own_cell().save(tmp_path / "own.keras")
    data, own = windows(), {"LeakyCell": LeakyCell}
    made = convert(str(tmp_path / "own.keras"), data[:40], data[40:], ("int8",), custom_objects=own)["int8"]

    assert made.validation.error <= 0.03


def test_a_model_in_memory_with_a_class_of_its_own_says_how_to_pass_it():
    data = windows()
    with pytest.raises(ConversionError, match="custom_objects="):
        convert(own_cell(), data[:40], data[40:], ("float32",))

    made = convert(own_cell(), data[:40], data[40:], ("float32",), custom_objects={"LeakyCell": LeakyCell})
    assert made["float32"].validation.lowering_error < 1e-4


def test_a_function_of_the_user_s_own_is_named_with_its_layer(tmp_path):
    def swish2(x):
        return x * ops.sigmoid(2 * x)

    model = keras.Sequential([keras.Input((12, 3)), L.LSTM(4), L.Dense(2, activation=swish2, name="head")])
    model.save(tmp_path / "m.keras")

    with pytest.raises(ModelError, match=r"layer 'head' \(Dense\) holds swish2, a class or function of your own"):
        load_keras(tmp_path / "m.keras")


def test_a_lambda_is_named_before_keras_is_asked(tmp_path):
    keras.Sequential([keras.Input((12, 3)), L.LSTM(4), L.Lambda(lambda x: x * 2, name="twice")]).save(
        tmp_path / "m.keras"
    )

    with pytest.raises(ModelError, match="layer 'twice' is a Lambda"):
        load_keras(tmp_path / "m.keras")


def test_a_layer_that_takes_text_is_named_with_the_way_around_it(tmp_path):
    vectorize = L.TextVectorization(max_tokens=20, output_sequence_length=8, vocabulary=["hot", "valve"], name="words")
    model = keras.Sequential([keras.Input((1,), dtype="string"), vectorize, L.Embedding(20, 4), L.LSTM(4), L.Dense(2)])
    model.save(tmp_path / "t.keras")
    np.save(tmp_path / "t.npy", np.array([["hot"], ["valve"]] * 40))
    done = here("convert", tmp_path / "t.keras", "--calibration", tmp_path / "t.npy", code=1)

    assert done.stderr.count("\n") == 1
    assert "Layer 'words' (TextVectorization) takes text" in done.stderr
    assert "Leave it out of the model and compute it beforehand" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.keras", b"text", "is not a Keras model file"),
        ("m.h5", b"\x89HDF\r\n\x1a\n and so on", "is not a Keras model|Cannot read"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ModelError, match=message):
        load_keras(tmp_path / name)


def test_weights_alone_are_named(tmp_path):
    own = keras.Sequential([keras.Input((12, 3)), L.LSTM(4)])
    own.save_weights(tmp_path / "m.weights.h5")

    with pytest.raises(ModelError, match=r"holds weights alone.*load_weights"):
        load_keras(tmp_path / "m.weights.h5")
