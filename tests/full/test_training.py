"""Every option of the trainer does what it says."""

from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime.detector import Detector

from edgelstm.data.series import Series
from edgelstm.data.split import split
from edgelstm.training.architectures import Architecture, build
from edgelstm.training.batches import Batches, automatic_batch_size
from edgelstm.training.train import Options, train

SMALL = Options(Architecture("autoencoder", units=(4,)), lookback=4, epochs=2, batch_size=32)


def made(rows=160, channels=3, seed=0):
    """A noisy wave."""
    random = np.random.default_rng(seed)
    wave = np.sin(np.arange(rows)[:, None] / 5 + np.arange(channels))
    values = wave + 0.1 * random.normal(size=(rows, channels))
    names = tuple(f"c{at}" for at in range(channels))
    return Series(values, np.arange(float(rows)), names, 1.0, ((0, rows),))


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
