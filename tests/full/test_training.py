"""Every option of the trainer does what it says."""

from dataclasses import replace

import click
import numpy as np
import pytest
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import TrainingError

from edgelstm.cli.train_detector import command, training_options
from edgelstm.data.series import Series
from edgelstm.data.split import split
from edgelstm.training.architectures import Architecture, build
from edgelstm.training.batches import Batches, automatic_batch_size
from edgelstm.training.lookback import choose_lookback
from edgelstm.training.train import Options, train

SMALL = Options(Architecture("autoencoder", units=(4,)), lookback=4, epochs=2, batch_size=32)


def made(rows=160, channels=3, seed=0):
    """A noisy wave."""
    random = np.random.default_rng(seed)
    wave = np.sin(np.arange(rows)[:, None] / 5 + np.arange(channels))
    values = wave + 0.1 * random.normal(size=(rows, channels))
    names = tuple(f"c{at}" for at in range(channels))
    return Series(values, np.arange(float(rows)), names, 1.0, ((0, rows),))


def options_of(*flags):
    """The trainer's options for flags of the command line."""
    others = ("data", "output", "columns", "time_column", "missing", "label_column", "no_embed", "as_json")
    context = command.make_context("train", ["data.csv", "-o", "m.keras", *flags])
    return training_options(**{name: value for name, value in context.params.items() if name not in others})


@pytest.mark.parametrize(
    ("flags", "path", "value"),
    [
        ([], "architecture.kind", "forecaster"),
        (["--kind", "autoencoder"], "architecture.kind", "autoencoder"),
        (["--cell", "gru"], "architecture.cell", "gru"),
        (["--units", "32,16"], "architecture.units", (32, 16)),
        (["--kind", "autoencoder", "--bidirectional"], "architecture.bidirectional", True),
        (["--attention"], "architecture.attention", True),
        (["--dropout", "0.2"], "architecture.dropout", 0.2),
        (["--initializer", "he"], "architecture.initializer", "he"),
        (["--scaler", "robust"], "scaler", "robust"),
        (["--lookback", "30"], "lookback", 30),
        (["--lookback", "auto"], "lookback", None),
        (["--horizon", "3"], "horizon", 3),
        (["--epochs", "7"], "epochs", 7),
        (["--batch-size", "8"], "batch_size", 8),
        (["--learning-rate", "0.01"], "learning_rate", 0.01),
        (["--clipnorm", "0.5"], "clipnorm", 0.5),
        (["--clipvalue", "0.5"], "clipvalue", 0.5),
        (["--clipvalue", "0.5"], "clipnorm", None),
        (["--patience", "3"], "patience", 3),
        (["--seed", "5"], "seed", 5),
        (["--score", "mahalanobis"], "score", "mahalanobis"),
        (["--smoothing", "0.3"], "smoothing", 0.3),
        (["--keep-all"], "leave_out", False),
        ([], "leave_out", True),
    ],
)
def test_every_flag_reaches_the_trainer(flags, path, value):
    found = options_of(*flags)
    for name in path.split("."):
        found = getattr(found, name)

    assert found == value


def test_a_look_back_that_is_no_number_is_wrong_usage():
    with pytest.raises(click.BadParameter, match="'long' is not a count"):
        options_of("--lookback", "long")


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


def given(**changes):
    """The small options with changes."""
    from dataclasses import replace

    return replace(SMALL, **changes)


def weights(trained):
    return [np.asarray(part) for part in trained.model.get_weights()]


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    first, again, other = (weights(train(made(), given(seed=seed))) for seed in (3, 3, 4))

    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("clip", [{"clipvalue": 1e-13}, {"clipnorm": 1e-13}])
def test_clipped_gradients_move_nothing(clip):
    free = train(made(), given(epochs=1))
    clipped = train(made(), given(epochs=1, **{"clipnorm": None, **clip}))

    from keras.utils import set_random_seed

    set_random_seed(0)
    start = [np.asarray(part) for part in build(SMALL.architecture, 4, 3).get_weights()]
    moved = [
        max(float(np.abs(a - b).max()) for a, b in zip(weights(found), start, strict=True)) for found in (free, clipped)
    ]
    assert moved[0] > 100 * moved[1]


def test_training_stops_early_keeps_the_best_weights_and_lowers_its_rate():
    """Noise has nothing to learn: the validation loss soon rises."""
    noise = Series(np.random.default_rng(0).normal(size=(160, 3)), np.arange(160.0), ("a", "b", "c"), 1.0, ((0, 160),))
    trained = train(noise, given(epochs=60, patience=3, learning_rate=0.05, leave_out=False))
    losses, rates = trained.history["val_loss"], trained.history["learning_rate"]

    held = np.concatenate([np.asarray(part) for part in trained.representative.held])
    windows = np.lib.stride_tricks.sliding_window_view(held, 4, axis=0).transpose(0, 2, 1)
    kept = float(np.mean((np.asarray(trained.model(windows)) - windows) ** 2))
    assert len(losses) < 60
    assert len(losses) - 1 - int(np.argmin(losses)) == 3
    assert kept == pytest.approx(min(losses), rel=1e-3)
    assert rates[-1] < rates[0]


@pytest.mark.parametrize("kind", ["minmax", "standard", "robust", "none"])
def test_the_scaler_is_fitted_on_the_older_rows_alone(kind):
    series = made()
    series.values[-10:] += 50
    trained = train(series, given(scaler=kind, epochs=1, leave_out=False))

    rows = trained.metadata.scaler.transform(series.values[:136])
    assert trained.metadata.scaler.kind == kind
    assert {"minmax": rows.max() <= 1.0001, "none": np.allclose(rows, series.values[:136])}.get(
        kind, abs(rows.mean()) < 0.3
    )


def test_a_batch_size_is_chosen_and_said_or_given_and_said():
    chosen, asked = (train(made(), given(epochs=1, batch_size=size)) for size in (None, 8))

    assert chosen.metadata.sections["training"]["batch"]["size"] == automatic_batch_size(133, 40) == 16
    assert "133 windows" in chosen.metadata.sections["training"]["batch"]["rule"]
    assert asked.metadata.sections["training"]["batch"] == {"size": 8, "rule": "given"}


def test_contaminated_rows_are_told_before_training_and_kept_out_of_all_that_is_fitted():
    series = made(rows=600)
    series.values[200:240] += 25
    said = []
    trained = train(series, given(epochs=1), tell=said.append)

    record = trained.metadata.sections["training"]["contamination"]
    assert record["left_out"]
    assert any("left out of training" in sentence for sentence in said)
    assert max(channel.train_high for channel in trained.metadata.channels) < 5
    assert max(abs(offset) for offset in trained.metadata.scaler.offset) < 0.3


def test_too_little_is_said_before_tensorflow_is_loaded():
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from edgelstm.data.series import Series; from edgelstm.training.train import Options, train\n"
        "try: train(Series(np.zeros((30, 1)), np.arange(30.0), ('a',), 1.0, ((0, 30),)), Options(lookback=10))\n"
        "except Exception as error: print(type(error).__name__, 'tensorflow' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == [
        "TrainingError",
        "False",
    ]


@pytest.mark.parametrize("period", [12, 24, 48])
def test_a_series_that_repeats_itself_gets_one_period(period):
    wave = np.sin(2 * np.pi * np.arange(2000.0)[:, None] / period)

    assert choose_lookback([wave]).rows == period


@pytest.mark.parametrize(("memory", "least", "most"), [(0.5, 8, 8), (0.9, 10, 25), (0.999, 60, 64)])
def test_the_look_back_grows_with_the_memory_of_the_series(memory, least, most):
    random = np.random.default_rng(0)
    values = np.zeros((4000, 1))
    for row in range(1, 4000):
        values[row] = memory * values[row - 1] + random.normal()

    assert least <= choose_lookback([values]).rows <= most


@pytest.mark.parametrize("lag", [1, 12, 30])
def test_a_forecaster_of_the_next_row_looks_back_as_far_as_an_autoregressive_model(lag):
    random = np.random.default_rng(0)
    values = random.normal(size=(4000, 2))
    for row in range(lag, 4000):
        values[row] += 0.8 * values[row - lag]

    assert choose_lookback([values], next_row=True).rows == max(8, lag)


@pytest.mark.parametrize(
    ("kind", "score"), [("forecaster", "mahalanobis"), ("forecaster", "max"), ("autoencoder", "ewma")]
)
def test_a_score_on_request_is_fitted_and_raised_by_what_is_broken(kind, score):
    options = replace(SMALL, architecture=Architecture(kind, units=(4,)), score=score, smoothing=0.5)
    trained = train(made(400), options)
    detector = Detector(trained.metadata, lambda window: np.asarray(trained.model(window[None]))[0])
    rows = made(100, seed=1).values

    usual = [detector.update(row).score for row in rows][-1]
    broken = [detector.update(row).score for row in np.add(rows[:20], [0.0, 9.0, 0.0])][-1]

    assert trained.metadata.scoring.method == score
    assert broken > 3 * usual


def test_the_newest_rows_validate():
    early, late = split([np.arange(100.0)[:, None]], 0.15, 5)

    assert late[0].ravel().tolist() == list(range(85, 100))
    assert early[0].max() == 84


def batches(parts, **changes):
    settings = {"window": 4, "horizon": 0, "batch_size": 8, "seed": 0, "most": 1000, "steps": 40, **changes}
    return Batches([np.asarray(part, np.float32)[:, None] for part in parts], **settings)


def test_no_window_spans_two_segments():
    rows = batches([range(10), range(100, 110)])
    seen = np.concatenate([rows[at][0] for at in range(len(rows))])[:, :, 0]

    assert len(seen) == 14
    assert set(np.ptp(seen, axis=1)) == {3.0}


def test_a_long_series_is_seen_whole_over_the_epochs():
    rows = batches([range(5000)], most=500)
    seen = set()
    for _ in range(60):
        seen |= {int(window[0, 0]) for at in range(len(rows)) for window in rows[at][0]}
        rows.on_epoch_end()

    assert len(rows) == 63
    assert len(seen) > 4900
