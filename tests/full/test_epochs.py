"""Epochs as graph calls learn what Keras' own loop learns."""

import numpy as np
import pytest

from edgelstm.training.architectures import Architecture, build, build_learner
from edgelstm.training.batches import Batches, Layout

keras = pytest.importorskip("keras")

RATE = 0.01


def rows(count=90, channels=2):
    """Noisy waves."""
    values = np.sin(np.arange(count)[:, None] / 5 + np.arange(channels))
    return (values + 0.1 * np.random.default_rng(0).normal(size=values.shape)).astype(np.float32)


def batches(window, horizon, seed=None, size=16, each_row=False):
    """Two segments of rows."""
    return Batches([rows()[:50], rows()[50:]], window, horizon, size, seed, 1000, 40, each_row=each_row)


def learned_by_keras(model, data, epochs):
    """The same batches, one by one."""
    model.compile(keras.optimizers.Adam(RATE, clipnorm=1.0), "mse")
    for _ in range(epochs):
        for number in range(len(data)):
            model.train_on_batch(*data[number])
    return model.get_weights()


def test_windows_and_targets_are_cut_within_segments():
    data = batches(window=4, horizon=2)
    windows, targets = data[0]

    assert windows.shape == (16, 4, 2)
    assert np.array_equal(windows[3], rows()[3:7])
    assert np.array_equal(targets[3], rows()[7:9])
    assert data.count == (50 - 5) + (40 - 5)
    assert np.array_equal(data[len(data) - 1][1][-1], rows()[-2:])


def test_each_row_of_a_stretch_has_the_rows_after_it_as_its_target():
    windows, targets = (
        np.asarray(part) for part in Layout(5, 3, 2, each_row=True).cut(rows(), np.arange(4, dtype=np.int32))
    )

    assert targets.shape == (4, 5, 6)
    assert np.array_equal(targets[2, 1], rows()[4:7].ravel())
    assert np.array_equal(windows[2], rows()[2:7])


@pytest.mark.parametrize(
    ("architecture", "window", "horizon"),
    [
        (Architecture("forecaster", units=(5,), linear=False), 8, 1),
        (Architecture("forecaster", units=(5, 3), linear=False), 20, 1),
        (Architecture("forecaster", units=(5,), cell="gru", linear=False), 8, 1),  # unrolled
        (Architecture("autoencoder", units=(4, 3), cell="gru", bidirectional=True), 6, 0),
        (Architecture("autoencoder", units=(4, 3), bidirectional=True), 6, 0),
        (Architecture("autoencoder", units=(4,), attention=True), 6, 0),
    ],
)
def test_weights_and_losses_are_those_of_keras(architecture, window, horizon):
    from edgelstm.training.epochs import fit_windows
    from edgelstm.training.shared_trace import shared_learner

    keras.utils.set_random_seed(0)
    model = build(architecture, window, 2)
    data = batches(window, horizon)
    learner = shared_learner(model, {"learning_rate": RATE, "clipnorm": 1.0}, data.layout, data.layout)
    course = fit_windows(learner, data, data, 2, ())
    expected = learned_by_keras(model, data, 2)
    missed = np.concatenate([(model(data[i][0]) - data[i][1]) ** 2 for i in range(len(data))])

    assert len(course.history["loss"]) == 2
    assert course.history["val_loss"][1] == pytest.approx(float(missed.mean()), rel=1e-3)
    for mine, theirs in zip(learner.model.get_weights(), expected, strict=True):
        assert mine == pytest.approx(theirs, abs=2e-4)


def test_a_learners_model_is_saved_as_one_of_keras(tmp_path):
    from edgelstm.training.shared_trace import shared_learner

    data = batches(8, 1)
    model = build(Architecture("forecaster", units=(5,)), 8, 2)
    learner = shared_learner(model, {"learning_rate": RATE}, data.layout, data.layout)
    learner.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    windows = data[0][0]

    assert np.asarray(loaded(windows)) == pytest.approx(np.asarray(model(windows)), abs=1e-6)
    assert np.asarray(learner.model(windows)) == pytest.approx(np.asarray(model(windows)), abs=1e-6)
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]


@pytest.mark.parametrize("settings", [{"activation": "relu"}, {"recurrent_dropout": 0.5}, {"return_state": True}])
def test_an_lstm_of_another_kind_computes_as_keras_does(settings):
    from edgelstm.training.fused_lstm import fuse

    inputs = keras.Input((4, 2))
    outputs = keras.layers.LSTM(3, **settings)(inputs)

    assert fuse(keras.Model(inputs, outputs)) == []


def test_a_fitted_model_computes_as_keras_does_again():
    from edgelstm.training.fitting import fit

    model = build(Architecture("autoencoder", units=(4,), bidirectional=True), 6, 3)
    model.compile("adam", "mse", jit_compile=False)
    windows = rows(96, 3).reshape(16, 6, 3)
    fit(model, windows, y=windows, epochs=1)

    assert [part for layer in model.layers for part in vars(layer) if part == "call"] == []
    assert np.isfinite(model.predict(windows, verbose=0)).all()


def test_a_streaming_learner_sees_a_target_at_each_row():
    from edgelstm.training.epochs import fit_windows
    from edgelstm.training.shared_trace import shared_learner

    keras.utils.set_random_seed(0)
    model = build_learner(Architecture("forecaster", units=(4,), streaming=True, linear=False), 2, 1)
    data, shorter = batches(20, 1, each_row=True), batches(12, 1, each_row=True)
    learner = shared_learner(model, {"learning_rate": RATE, "clipnorm": 1.0}, data.layout, shorter.layout)
    fit_windows(learner, data, shorter, 2, ())

    for mine, theirs in zip(learner.model.get_weights(), learned_by_keras(model, data, 2), strict=True):
        assert mine == pytest.approx(theirs, abs=2e-4)
