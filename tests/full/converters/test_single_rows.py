"""The last row of a sequence before a dense layer: one GATHER in four axes, and the same bits."""

import numpy as np
import pytest
from conftest import L, observed, with_and_without
from edgelstm.converters.quantization import quantizer
from edgelstm.converters.quantization.calibrator import run
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
    windows, short, long = with_and_without("gather_single_rows", build, monkeypatch)
    names = short.graph.op_names()
    outputs = [run(model.content, (windows,)) for model in (short, long)]

    assert names.count("GATHER") == gathers
    assert len(short.content) < len(long.content) or not gathers
    assert all(np.array_equal(*pair) for pair in zip(*outputs, strict=True))
    older = run_on_tflite_runtime(short.content, (windows,), tmp_path)
    assert all(np.array_equal(*pair) for pair in zip(outputs[0], older, strict=True))


def test_replay_in_batches_knows_it():
    file, windows, seen = observed(FORMS["last row"][0])
    model = TFLiteModel(quantizer.quantize(file, seen, QuantizationScheme()).content)

    assert model.batched is not None
    assert np.array_equal(model.predict(windows), np.concatenate([model(window)[0] for window in windows]))
