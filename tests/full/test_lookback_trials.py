"""`--lookback best`: half, once and twice the usual look-back, compared on injected faults."""

from dataclasses import replace

import numpy as np
import pytest
from commands import edgelstm
from edgelstm.runtime.errors import TrainingError

from edgelstm import AnomalyDetector
from edgelstm.data.series import Series
from edgelstm.training.architectures import Architecture
from edgelstm.training.lookback_trials import compare_lookbacks, train_best
from edgelstm.training.options import BEST, Options
from edgelstm.training.train import train

QUICK = Options(Architecture(units=(4,)), lookback=BEST, epochs=2, limits=False)


def waves(rows=1500):
    """Two sensors that swing, with noise."""
    time = np.arange(float(rows))
    swing = np.stack([np.sin(time / 4), np.cos(time / 4)], axis=1)
    values = swing + np.random.default_rng(0).normal(scale=0.1, size=(rows, 2))
    return Series(values, time, ("flow", "pressure"), 1.0, ((0, rows),))


def deaf(trained):
    """The same model with a threshold that nothing reaches."""
    return replace(
        trained,
        metadata=trained.metadata.with_(threshold=replace(trained.metadata.threshold, value=1e9)),
    )


def with_deaf_ones(hears):
    """A training whose models are deaf but for those that `hears` takes."""
    return lambda series, options, *more: (lambda made: made if hears(options.lookback) else deaf(made))(
        train(series, options, *more)
    )


def test_three_look_backs_are_tried_and_the_reason_is_kept():
    sentences = []

    trained = train(waves(), QUICK, tell=sentences.append)

    usual = train(waves(), replace(QUICK, lookback=None)).metadata.window
    lookback = trained.metadata.sections["training"]["lookback"]
    assert [one["rows"] for one in lookback["tried"]] == [usual, usual // 2, 2 * usual]
    assert trained.metadata.window in (usual // 2, usual, 2 * usual)
    assert all(str(one["rows"]) in lookback["rule"] for one in lookback["tried"])
    assert any(f"Taken: {trained.metadata.window} rows." in sentence for sentence in sentences)
    taken = next(one for one in lookback["tried"] if one["rows"] == trained.metadata.window)
    assert taken["detected"] - taken["false"] == max(one["detected"] - one["false"] for one in lookback["tried"])


def test_the_one_that_finds_most_is_taken():
    usual = train(waves(), replace(QUICK, lookback=None)).metadata.window

    short = train_best(with_deaf_ones(lambda rows: rows == usual // 2), waves(), QUICK, (), lambda _: None)
    long = train_best(with_deaf_ones(lambda rows: rows == 2 * usual), waves(), QUICK, (), lambda _: None)
    none = train_best(with_deaf_ones(lambda rows: False), waves(), QUICK, (), lambda _: None)

    assert [one.metadata.window for one in (short, long, none)] == [usual // 2, 2 * usual, usual]


def test_the_same_weights_are_judged_alike_whatever_their_scaler():
    trained = train(waves(), replace(QUICK, lookback=16))
    scaler = trained.metadata.scaler
    other = replace(scaler, scale=tuple(scale * (1 + 1e-9) for scale in scaler.scale))
    twin = replace(trained, metadata=trained.metadata.with_(scaler=other))

    first, second = compare_lookbacks([trained, twin])

    assert first.detected == second.detected > 0.2
    assert first.false == second.false


def test_few_rows_give_the_usual_look_back_and_a_sentence():
    sentences = []

    trained = train(waves(200), QUICK, tell=sentences.append)

    assert "too few to compare" in sentences[-1]
    assert "tried" not in trained.metadata.sections["training"]["lookback"]


def stopping(at):
    """A training whose n-th model was interrupted; and the look-backs that it was asked for."""
    asked = []

    def training(series, options, callbacks, tell):
        asked.append(options.lookback)
        made = train(series, options, callbacks, tell)
        return replace(made, interrupted=len(asked) == at)

    return training, asked


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_interruption_ends_all_trainings(at):
    training, asked = stopping(at)
    sentences = []

    trained = train_best(training, waves(), QUICK, (), sentences.append)

    assert len(asked) == at
    assert trained.interrupted  # for the exit code
    assert trained.metadata.window != asked[at - 1]
    tried = trained.metadata.sections["training"]["lookback"].get("tried", ())
    assert [one["rows"] for one in tried] == ([32, 16] if at == 3 else [])
    assert any("nterrup" in sentence for sentence in sentences)


def test_what_is_said_of_the_model_that_is_taken_is_said_of_it():
    def training(series, options, callbacks, tell):
        made = train(series, options, callbacks, tell)
        tell(f"it looks {made.metadata.window} rows back")
        return made if options.lookback == 64 else deaf(made)

    sentences = []
    trained = train_best(training, waves(), QUICK, (), sentences.append)

    assert trained.metadata.window == 64
    assert not trained.interrupted
    assert sentences[-1] == "with 64 rows: it looks 64 rows back"
    assert not any("looks 16 rows" in sentence for sentence in sentences)


def test_a_look_back_that_is_no_count_is_refused(tmp_path):
    (tmp_path / "pump.csv").write_text("flow\n1\n")
    done = edgelstm("train", tmp_path / "pump.csv", "-o", tmp_path / "m.keras", "--lookback", "bets", code=2)

    assert "nor auto, nor best" in done.stderr


@pytest.mark.parametrize("options", [{"kind": "autoencoder"}, {"kind": "linear"}, {"horizon": 3}, {"streaming": True}])
def test_models_that_are_not_compared_are_refused(options):
    with pytest.raises(TrainingError, match="Look-backs are compared for forecasters of the next row"):
        AnomalyDetector(lookback="best", **options).options()


def test_a_saved_model_names_the_look_back_that_was_taken(tmp_path):
    detector = AnomalyDetector(lookback="best", units=(4,), epochs=1, limits=False).fit(waves())
    detector.save(tmp_path / "pump.keras")

    assert AnomalyDetector.load(tmp_path / "pump.keras").lookback in (
        detector.metadata_.window,
        "auto",
    )


def test_a_warm_start_has_one_look_back(tmp_path):
    (tmp_path / "plant").mkdir()

    done = edgelstm(
        "fleet", "train", tmp_path / "plant", "-o", tmp_path / "m", "--warm-start", "--lookback", "best", code=2
    )

    assert "weights of one look-back" in done.stderr
