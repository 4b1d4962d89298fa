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


def two_layers(x):
    """Dense layers as a forecaster has them behind its LSTM: in 8 bits each is a convolution over one place."""
    return L.Dense(4)(L.Dense(6, "tanh")(L.LSTM(8)(x)))


def test_between_two_layers_there_is_no_reshape(monkeypatch):
    windows, short, long = with_and_without("shorten_reshapes", two_layers, monkeypatch)
    names = short.graph.op_names()
    first, second = (at for at, name in enumerate(names) if name == "CONV_2D")

    assert names[first + 1 : second] == ["TANH"]
    assert len(short.content) < len(long.content)
    assert np.array_equal(run(short.content, (windows,))[0], run(long.content, (windows,))[0])
