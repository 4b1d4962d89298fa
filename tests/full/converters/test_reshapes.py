"""Reshapes of quantized files: those before a sum are one behind it, and nothing else changes."""

import numpy as np
from conftest import F, L, with_and_without
from edgelstm.converters.quantization.calibrator import run
from old_runtime import run_on_tflite_runtime


def highway(x):
    """A forecaster of the trainer's form, two rows of a forecast."""
    return L.Reshape((2, F))(L.Add()([L.Dense(2 * F)(L.LSTM(8)(x)), L.Dense(2 * F)(L.Flatten()(x))]))


def test_two_reshapes_before_a_sum_become_one_behind_it(monkeypatch, tmp_path):
    windows, short, long = with_and_without("sink_reshapes", highway, monkeypatch)
    counts = [model.graph.op_names().count("RESHAPE") for model in (long, short)]

    assert counts[1] == counts[0] - 2
    assert len(short.content) < len(long.content)
    assert np.array_equal(run(short.content, (windows,))[0], run(long.content, (windows,))[0])
    assert np.array_equal(
        run(short.content, (windows,))[0], run_on_tflite_runtime(short.content, (windows,), tmp_path)[0]
    )
