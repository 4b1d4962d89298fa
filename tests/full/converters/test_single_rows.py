"""The last row of a sequence before a dense layer: one GATHER in four axes, and the same bits."""

import numpy as np
import pytest
from conftest import F, L, T, functional, keras, waves
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization import quantizer
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.runtime.inference.interpreter import TFLiteModel
from old_runtime import run_on_tflite_runtime

FORMS = {
    "last row": (lambda x: L.Dense(2)(L.LSTM(8)(x)), 1),
    "a row that others read, too": (lambda x: [L.Dense(2)(last := L.LSTM(8)(x)), last], 0),
    "all rows": (lambda x: L.Dense(2)(L.LSTM(8, return_sequences=True)(x)), 0),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_row_for_a_dense_layer_is_gathered(name, monkeypatch, tmp_path):
    build, gathers = FORMS[name]
    keras.utils.set_random_seed(7)
    file, windows = lower(functional(build, (T, F))), waves(np.random.default_rng(7), (40, T, F))
    seen = observe(file, (windows,))
    short = quantizer.quantize(file, seen, QuantizationScheme())
    monkeypatch.setattr(quantizer, "gather_single_rows", lambda graph: None)
    long = quantizer.quantize(file, seen, QuantizationScheme())
    names = short.graph.op_names()
    outputs = [run(model.content, (windows,)) for model in (short, long)]

    assert names.count("GATHER") == gathers
    assert len(short.content) < len(long.content) or not gathers
    assert all(np.array_equal(*pair) for pair in zip(*outputs, strict=True))
    older = run_on_tflite_runtime(short.content, (windows,), tmp_path)
    assert all(np.array_equal(*pair) for pair in zip(outputs[0], older, strict=True))


def test_replay_in_batches_knows_it():
    keras.utils.set_random_seed(7)
    file, windows = lower(functional(FORMS["last row"][0], (T, F))), waves(np.random.default_rng(7), (40, T, F))
    model = TFLiteModel(quantizer.quantize(file, observe(file, (windows,)), QuantizationScheme()).content)

    assert model.batched is not None
    assert np.array_equal(model.predict(windows), np.concatenate([model(window)[0] for window in windows]))
