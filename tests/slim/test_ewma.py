"""The EWMA control chart: a score of the size of errors and of their bias."""

import json

import numpy as np
import pytest
from edgelstm.runtime.scoring.ewma import CLIP, EWMA, EwmaScorer
from edgelstm.runtime.scoring.registry import fit_scoring, scorer_of, style_of
from edgelstm.runtime.scoring.scorer import Scoring

NORMAL = np.random.default_rng(0).normal(size=(2000, 3)) * [1.0, 10.0, 0.1]


def fit(errors, style=EWMA):
    """A chart fitted on errors of normal operation."""
    return fit_scoring(errors, style)


@pytest.fixture
def scorer():
    return EwmaScorer(fit(NORMAL))


def scores(scorer, errors):
    return [scorer.update(error)[0] for error in errors]


def test_normal_operation_stays_within_a_few_deviations(scorer):
    fresh = np.random.default_rng(1).normal(size=(5000, 3)) * [1.0, 10.0, 0.1]

    assert np.mean(np.asarray(scores(scorer, fresh)) > 4) < 0.01


def test_a_spike_shows_at_once(scorer):
    assert scorer.update([20.0, 0.0, 0.0])[0] > 4


def test_errors_biased_by_two_deviations_show_within_sixty_samples_though_no_single_one_is_large(scorer):
    biased = np.random.default_rng(2).normal(size=(60, 3)) * [1.0, 10.0, 0.1] + [0.0, 20.0, 0.0]
    found = [scorer.update(error) for error in biased]

    assert found[-1][0] > 4
    assert np.argmax(found[-1][1]) == 1


def test_a_new_level_becomes_the_baseline_in_time():
    scorer = EwmaScorer(fit(NORMAL, Scoring("ewma", quick=0.2, slow=0.04, memory=300.0)))
    settled = np.random.default_rng(3).normal(size=(3000, 3)) * [1.0, 10.0, 0.1] + [2.0, 0.0, 0.0]
    found = scores(scorer, settled)

    assert max(found[:100]) > 4
    assert np.mean(np.asarray(found[-500:]) > 4) < 0.05


def test_a_fault_of_a_hundred_deviations_does_not_blind_for_long(scorer):
    scores(scorer, [[100.0, 0.0, 0.0]] * 20 + [[0.5, 5.0, 0.05]] * 400)

    assert scorer.update([30.0, 0.0, 0.0])[0] > 4


def test_channels_that_never_err_do_not_divide_by_zero():
    scorer = EwmaScorer(fit(np.zeros((100, 2))))

    assert scorer.update([0.0, 0.0])[0] == 0.0
    assert np.isfinite(scorer.update([1.0, 0.0])[0])


def test_a_state_goes_on_where_it_was_taken(scorer):
    scores(scorer, NORMAL[:100])
    state = json.loads(json.dumps(scorer.to_state()))
    other = scorer_of(scorer.scoring)
    other.restore(state)

    assert scores(other, NORMAL[100:200]) == scores(scorer, NORMAL[100:200])


def test_the_baseline_is_followed_as_if_sample_by_sample(scorer):
    """Block by block for its cost: after a thousand samples levels and spreads agree within a few thousandths."""
    fitted, drifting = scorer.scoring, NORMAL[:992] * 1.05 + [0.1, 0.0, 0.0]
    rate, level, spread = 1 / fitted.memory, np.array(fitted.level), np.array(fitted.spread)
    for error in drifting:
        z = error / fitted.scale
        off = np.array([(z**2).mean() ** 0.25, *z]) - level
        level, spread = level + rate * off, spread + rate * (np.minimum(off**2, CLIP**2 * spread) - spread)
    scores(scorer, drifting)

    assert scorer.to_state()["mean"] == pytest.approx(level.tolist(), abs=0.01)
    assert scorer.to_state()["variance"] == pytest.approx(spread.tolist(), rel=0.01)


@pytest.mark.parametrize("size", [100.0, 1e12])
def test_a_single_error_is_forgotten_within_a_hundred_samples_however_large(scorer, size):
    found = scores(scorer, [[size, 0.0, 0.0], *NORMAL[:100]])

    assert found[0] > 30
    assert max(found[40:]) < 4


def test_a_dead_channel_does_not_update_its_baseline(scorer):
    before = scorer.to_state()
    for error in NORMAL[:1600]:
        scorer.update([0.0, *error[1:]], masked=(0,))

    assert scorer.to_state()["variance"][1] == before["variance"][1]


def test_a_state_of_another_model_is_refused(scorer):
    with pytest.raises(ValueError, match="channels"):
        scorer.restore({**scorer.to_state(), "bias": [0.0]})


def test_a_state_with_samples_of_another_size_is_refused(scorer):
    with pytest.raises(ValueError, match="size"):
        scorer.restore({**scorer.to_state(), "pending": "AAAA"})


def test_an_excursion_that_passes_does_not_update_the_baseline(scorer):
    other = scorer_of(scorer.scoring)
    scores(scorer, NORMAL[:320])
    scores(other, [*NORMAL[:320], *[[50.0, 0.0, 0.0]] * 60])
    after = scores(other, NORMAL[320:640])
    found = scores(scorer, NORMAL[320:640])

    assert max(after[:5]) > 20
    assert after[200:] == pytest.approx(found[200:], abs=0.1)


def test_an_excursion_that_lasts_updates_the_baseline_as_a_whole(scorer):
    updated = scorer_of(scorer.scoring)
    scores(updated, [[50.0, 0.0, 0.0]] * 95)
    before = updated.to_state()["variance"][1]
    scores(updated, [[50.0, 0.0, 0.0]] * 2)

    assert before == scorer.to_state()["variance"][1]
    assert updated.to_state()["variance"][1] > 3 * before


def test_reset_forgets_recent_samples_but_not_the_baseline(scorer):
    scores(scorer, [[5.0, 50.0, 0.5]] * 50)
    before = scorer.to_state()
    scorer.reset()

    assert scorer.to_state()["mean"] == before["mean"]
    assert scorer.update([0.0, 0.0, 0.0])[0] < 2


def test_the_style_of_a_scoring_is_kept_when_it_is_fitted():
    fitted = fit(NORMAL)

    assert (fitted.method, fitted.quick, fitted.slow, fitted.memory) == ("ewma", EWMA.quick, EWMA.slow, EWMA.memory)


SHORT = Scoring("ewma", quick=0.2, slow=0.04, memory=300.0)


def test_a_new_level_far_aside_becomes_the_baseline_too():
    scorer = EwmaScorer(fit(NORMAL, SHORT))
    settled = np.random.default_rng(3).normal(size=(6000, 3)) * [1.0, 10.0, 0.1] + [30.0, 0.0, 0.0]
    found = scores(scorer, settled)

    assert min(found[100:140]) > 4
    assert np.mean(np.asarray(found[-500:]) > 4) < 0.05
    assert scorer.update([60.0, 0.0, 0.0])[0] > 4


def test_gaps_do_not_keep_a_new_level_from_becoming_the_baseline():
    scorer = EwmaScorer(fit(NORMAL, SHORT))
    for row, error in enumerate(np.random.default_rng(3).normal(size=(3000, 3)) * [1.0, 10.0, 0.1] + [9.0, 0.0, 0.0]):
        scorer.update(error)
        if row % 80 == 79:
            scorer.reset()

    assert scorer.to_state()["mean"][1] == pytest.approx(9.0, abs=0.5)


def test_a_channel_that_is_often_silent_updates_its_baseline_all_the_same():
    scorer = EwmaScorer(fit(NORMAL, SHORT))
    for row, error in enumerate(np.random.default_rng(3).normal(size=(3000, 3)) * [1.0, 10.0, 0.1] + [9.0, 0.0, 0.0]):
        silent = row % 95 < 20
        scorer.update([0.0, *error[1:]] if silent else error, masked=(0,) if silent else ())

    assert scorer.to_state()["mean"][1] == pytest.approx(9.0, abs=0.5)


def test_files_may_still_name_the_chart_dual():
    fitted = fit(NORMAL, Scoring("dual", quick=0.2, slow=0.04, memory=1500.0))

    assert isinstance(scorer_of(fitted), EwmaScorer)
    assert style_of("dual") == EWMA
    assert fitted.spread == fit(NORMAL).spread
