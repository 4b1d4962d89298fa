"""Networks of the trainer: cells, directions, attention, dropout and initial weights."""

import numpy as np
import pytest
from edgelstm.runtime.errors import TrainingError

from edgelstm.training.architectures import Architecture, build


def layers(**given):
    """Class names of a network's layers, wrapped ones too."""
    model = build(Architecture(**given), window=6, channels=3)
    return [type(getattr(layer, "forward_layer", layer)).__name__ for layer in model.layers], model


@pytest.mark.parametrize("kind", ["autoencoder", "forecaster"])
@pytest.mark.parametrize(("cell", "name"), [("lstm", "LSTM"), ("gru", "GRU")])
def test_stacked_cells_are_what_was_asked_for(kind, cell, name):
    names, model = layers(kind=kind, cell=cell, units=(8, 4))

    assert names.count(name) == (4 if kind == "autoencoder" else 2)
    assert model.layers[1].units == 8


def test_both_directions_double_what_a_row_is_read_by():
    _, once = layers(kind="autoencoder", units=(8,))
    _, twice = layers(kind="autoencoder", units=(8,), bidirectional=True)

    assert twice.get_layer("encoder_1_both").output.shape[-1] == 2 * once.get_layer("encoder_1").output.shape[-1]


def test_a_forecaster_may_not_see_the_future():
    with pytest.raises(TrainingError, match="see the future"):
        Architecture("forecaster", bidirectional=True)


@pytest.mark.parametrize("kind", ["autoencoder", "forecaster"])
def test_attention_and_dropout_are_in_the_network(kind):
    names, _ = layers(kind=kind, units=(8, 4), attention=True, dropout=0.3)

    assert "Attention" in names
    assert "Dropout" in names


@pytest.mark.parametrize("kind", ["autoencoder", "forecaster"])
def test_dropout_drops_in_training_alone(kind):
    _, model = layers(kind=kind, units=(8, 4), dropout=0.5, linear=False)
    window = np.random.default_rng(0).normal(size=(1, 6, 3)).astype(np.float32)

    assert np.array_equal(model(window, training=False), model(window, training=False))
    assert not np.array_equal(model(window, training=True), model(window, training=True))


def test_initializers_spread_the_weights_as_published():
    """Glorot: variance 2 / (in + out); He: 2 / in; orthogonal rows have length 1."""
    kernels = {
        name: np.asarray(build(Architecture(units=(64,), initializer=name), 4, 200).get_layer("encoder_1").cell.kernel)
        for name in ("glorot", "he", "orthogonal")
    }

    assert kernels["glorot"].var() == pytest.approx(2 / (200 + 256), rel=0.1)
    assert kernels["he"].var() == pytest.approx(2 / 200, rel=0.1)
    assert np.allclose(kernels["orthogonal"] @ kernels["orthogonal"].T, np.eye(200), atol=1e-4)
