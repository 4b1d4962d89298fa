"""Normalizations between layers are folded into the layers that read them: fewer ops, the same outputs."""

import numpy as np
import pytest
from conftest import F, L, T, functional, keras, outputs_of, stack, waves
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization.calibrator import run


def with_statistics(model, seed=2):
    """The model, its BatchNormalization layers as after a training that blows small channels up."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            size = layer.gamma.shape[0]
            layer.set_weights(
                [random.normal(1, 0.2, size), random.normal(0, 0.3, size), random.normal(0, 0.1, size),
                 np.exp(random.normal(-4, 2, size))]
            )  # fmt: skip
    return model


def normalized():
    keras.utils.set_random_seed(1)
    return with_statistics(
        stack(
            L.LSTM(8, return_sequences=True), L.BatchNormalization(), L.LSTM(6), L.BatchNormalization(), L.Dense(2),
        )
    )  # fmt: skip


def test_they_leave_no_op_of_their_own_and_the_outputs_stay():
    model, windows = normalized(), waves(np.random.default_rng(1), (20, T, F))
    file = lower(model)
    exact = outputs_of(model, windows)

    assert not {"MUL", "ADD", "SUB"} & set(file.graph.op_names())
    assert np.abs(run(file.content, (windows,))[0] - exact).max() <= 1e-5 * exact.std()


def test_one_that_is_read_elsewhere_too_stays():
    keras.utils.set_random_seed(1)

    def build(x):
        x = L.BatchNormalization()(L.LSTM(8, return_sequences=True)(x))
        return [L.LSTM(4)(x), x]

    model, windows = with_statistics(functional(build, (T, F))), waves(np.random.default_rng(1), (20, T, F))
    file = lower(model)

    assert "MUL" in file.graph.op_names()
    for ours, exact in zip(run(file.content, (windows,)), outputs_of(model, windows), strict=True):
        assert np.abs(ours - exact).max() <= 1e-5 * exact.std() + 1e-6


@pytest.mark.parametrize("readers", [1, 2])
def test_each_reader_gets_weights_of_its_own(readers):
    keras.utils.set_random_seed(1)

    def build(x):
        x = L.BatchNormalization()(L.LSTM(8)(x))
        return [L.Dense(2)(x) for _ in range(readers)]

    model, windows = with_statistics(functional(build, (T, F))), waves(np.random.default_rng(1), (20, T, F))
    file = lower(model)

    assert "MUL" not in file.graph.op_names()
    for ours, exact in zip(run(file.content, (windows,)), keras.tree.flatten(outputs_of(model, windows)), strict=True):
        assert np.abs(ours - exact).max() <= 1e-5 * exact.std() + 1e-6
