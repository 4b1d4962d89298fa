"""Unrolled LSTMs give what the fused op gives, and files made for x86 are proven in that form."""

import json
import platform
import subprocess
import sys

import numpy as np
import pytest
from conftest import F, T, functional, waves
from edgelstm.converters import convert
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.inference.x86.lstm_unrolling import unroll
from keras import layers as L  # noqa: N812

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="unrolled on x86-64 alone")


def stack(*units, sequence=False):
    def build(x):
        for number, size in enumerate(units, 1):
            x = L.LSTM(size, return_sequences=sequence or number < len(units))(x)
        return L.Dense(2)(x)

    return build


SHAPES = {
    "one layer": stack(5),
    "two layers": stack(6, 4),
    "three layers of a sequence": stack(4, 7, 3, sequence=True),
    "both directions": lambda x: L.Bidirectional(L.LSTM(4, return_sequences=True))(x),
    "a skip": lambda x: L.Concatenate()([L.LSTM(4)(first := L.LSTM(3, return_sequences=True)(x)), L.Flatten()(first)]),
    "dense between": lambda x: L.Dense(F)(L.LSTM(4, return_sequences=True)(L.Dense(2)(L.LSTM(5, return_sequences=True)(x)))),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_unrolled_agrees_with_fused(name):
    file = lower(functional(SHAPES[name], (T, F)))
    fused, unrolled = TFLiteModel(file.content), TFLiteModel(file.content, target="x86")
    # a spike too: states of layers that the wave has not reached must stay zero whatever comes in
    windows = waves(np.random.default_rng(2), (3, T, F)) * np.array([1, 1, 200], np.float32)[:, None, None]

    differences = [np.abs(fused(window)[0] - unrolled(window)[0]).max() for window in windows]

    assert unrolled.unrolled
    assert max(differences) < 1e-5


def test_an_unrolled_file_runs_on_the_plain_interpreter_too():
    file = lower(functional(stack(6, 4), (T, F)))
    window = waves(np.random.default_rng(2), (1, T, F))[0]

    larger = unroll(file.content)

    np.testing.assert_allclose(TFLiteModel(larger)(window)[0], TFLiteModel(file.content)(window)[0], atol=1e-5)


def test_nothing_to_unroll_is_said():
    assert unroll(lower(functional(lambda x: L.Dense(2)(L.GRU(3)(x)), (T, F))).content) is None


def test_a_dynamic_model_is_proven_in_its_unrolled_form():
    random = np.random.default_rng(1)
    windows, held = waves(random, (64, T, F)), waves(random, (32, T, F))
    model = functional(stack(16, 16), (T, F))

    made = convert(model, windows, held, ("dynamic",), target="x86")["dynamic"]

    outputs = [TFLiteModel(made.flatbuffer, target="x86")(window)[0] for window in held]
    exact = [TFLiteModel(lower(functional_copy(model)).content)(window)[0] for window in held]
    error = np.sqrt(np.mean((np.stack(outputs) - np.stack(exact)) ** 2)) / np.std(exact)
    assert made.validation.error == pytest.approx(error, rel=0.01)
    assert made.validation.error < 0.05


def functional_copy(model):
    """Lowering changes a model's layers in place."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def test_what_cannot_be_unrolled_is_refused_with_a_remedy():
    random = np.random.default_rng(1)
    windows = waves(random, (40, T, F))

    with pytest.raises(ConversionError, match=r"scheme int8 of this model has none.*--scheme dynamic"):
        convert(functional(stack(16), (T, F)), windows, windows[:8], ("int8",), target="x86", allow_drop=True)


def test_the_compiled_runtime_keeps_both_streams_clean(tmp_path):
    (tmp_path / "m.tflite").write_bytes(lower(functional(stack(6, 4), (T, F))).content)
    code = (
        "from edgelstm.runtime.inference.interpreter import TFLiteModel; import json, sys;"
        "m = TFLiteModel(open(sys.argv[1], 'rb').read(), target='x86');"
        f"print(json.dumps([m.unrolled, m([[0.0] * {F}] * {T})[0].size]))"
    )

    done = subprocess.run([sys.executable, "-c", code, tmp_path / "m.tflite"], capture_output=True, text=True)

    assert json.loads(done.stdout) == [True, 2]
    assert done.stderr == ""
