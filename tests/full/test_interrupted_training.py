"""Ctrl-C in a training keeps the best weights; a second one stops at once."""

import os
import signal

import numpy as np
import pytest

from edgelstm.classification.data import Texts
from edgelstm.classification.train import train_texts
from edgelstm.cli.train import command
from edgelstm.data.series import Series
from edgelstm.forecasting.options import Options as ForecasterOptions
from edgelstm.forecasting.train import train_forecaster
from edgelstm.keras_file import load_keras, read_extras
from edgelstm.training.architectures import Architecture
from edgelstm.training.train import Options, train

keras = pytest.importorskip("keras")


@pytest.fixture(autouse=True)
def ctrl_c():
    """Python's own handler, also where the tests were started in the background and Ctrl-C is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    """Send this process what a terminal sends for Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


class CtrlC(keras.callbacks.Callback):
    """Presses Ctrl-C in a given epoch, as many times as asked, and keeps the weights at the end of each epoch."""

    def __init__(self, epoch, times=1):
        super().__init__()
        self.epoch, self.times = epoch, times
        self.weights = []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            for _ in range(self.times):
                interrupt()

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append([np.asarray(part) for part in self.model.get_weights()])


def waves(rows=160):
    """Two noisy waves."""
    values = np.sin(np.arange(rows)[:, None] / 5 + np.arange(2))
    values += 0.1 * np.random.default_rng(0).normal(size=values.shape)
    return Series(values, np.arange(float(rows)), ("a", "b"), 1.0, ((0, rows),))


SMALL = Options(Architecture("autoencoder", units=(4,)), lookback=4, epochs=50, batch_size=32, learning_rate=0.05)


def test_ctrl_c_keeps_the_weights_of_the_best_epoch_so_far():
    keyboard = CtrlC(epoch=4)
    trained = train(waves(), SMALL, [keyboard])
    losses = trained.history["val_loss"]

    best = keyboard.weights[int(np.argmin(losses))]
    assert trained.interrupted
    assert len(losses) == 5
    assert all(np.array_equal(kept, part) for kept, part in zip(trained.model.get_weights(), best, strict=True))
    assert trained.metadata.threshold is not None
    assert repr(trained) == "Trained(autoencoder, window 4, channels ('a', 'b'), 5 epochs)"


def test_a_default_detector_that_is_interrupted_still_gets_its_linear_forecast_and_a_threshold():
    trained = train(waves(600), Options(lookback=8, epochs=50), [CtrlC(epoch=2)])

    assert trained.interrupted
    assert len(trained.history["loss"]) == 3
    assert np.abs(trained.model.get_layer("linear").get_weights()[0]).max() > 0.1
    assert trained.metadata.threshold is not None


def test_a_second_ctrl_c_stops_at_once():
    with pytest.raises(KeyboardInterrupt):
        train(waves(), SMALL, [CtrlC(epoch=1, times=2)])


def test_ctrl_c_works_as_before_when_the_training_is_over():
    train(waves(), SMALL, [CtrlC(epoch=0)])

    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_a_forecaster_that_is_interrupted_keeps_at_least_its_linear_map():
    trained = train_forecaster(waves(900), ForecasterOptions(horizon=4, lookback=32), [CtrlC(epoch=0)])

    assert trained.interrupted
    assert trained.history["kept_val_loss"][0] <= trained.history["linear_val_loss"][0]


def test_a_classifier_that_is_interrupted_keeps_its_latest_weights():
    texts = Texts(("lamp on", "lamp off") * 20, ("on", "off") * 20)
    keyboard = CtrlC(epoch=1)
    trained = train_texts(texts, callbacks=[keyboard])

    assert trained.interrupted
    assert all(
        np.array_equal(kept, part) for kept, part in zip(trained.model.get_weights(), keyboard.weights[-1], strict=True)
    )


def test_the_command_writes_the_model_says_so_and_exits_with_130(tmp_path, monkeypatch, capsys):
    data, model = tmp_path / "waves.csv", tmp_path / "m.keras"
    series = waves()
    data.write_text("a,b\n" + "".join(f"{first},{second}\n" for first, second in series.values))
    monkeypatch.setattr("edgelstm.cli.progress._callbacks", lambda show: iter([CtrlC(epoch=1)]))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    with pytest.raises(SystemExit) as ended:
        command.main([str(data), "-o", str(model), "--epochs", "40", "--units", "4"], standalone_mode=False)

    metadata, _ = read_extras(model)
    assert ended.value.code == 130
    assert "Interrupted: the model has the best weights so far." in capsys.readouterr().err
    assert metadata.sections["training"]["interrupted"]
    assert len(metadata.sections["training"]["history"]["loss"]) == 2
    assert load_keras(model).count_params() > 0
