"""Scores over the channels that are there: corrected for their number, and blind to the others."""

import numpy as np
import pytest
from edgelstm.runtime.scoring.ewma import EWMA
from edgelstm.runtime.scoring.registry import SCORES, fit_scoring, scorer_of, style_of

CHANNELS = 8
NORMAL = np.random.default_rng(0).normal(size=(4000, CHANNELS)) * np.geomspace(0.1, 10, CHANNELS)
FRESH = np.random.default_rng(1).normal(size=(4000, CHANNELS)) * np.geomspace(0.1, 10, CHANNELS)
MASKED = (0, 3, 4, 6, 7)


@pytest.fixture(params=list(SCORES))
def scoring(request):
    """Each score, fitted."""
    return fit_scoring(NORMAL, style_of(request.param))


def scores(scoring, errors, masked=()):
    scorer = scorer_of(scoring)
    return np.asarray([scorer.update(error, masked)[0] for error in errors.tolist()])


def test_an_error_of_a_masked_channel_changes_nothing(scoring):
    wild = FRESH[:300].copy()
    wild[:, MASKED] = 1e6

    assert scores(scoring, wild, MASKED).tolist() == scores(scoring, FRESH[:300], MASKED).tolist()


def test_a_masked_channel_has_no_part(scoring):
    _, parts = scorer_of(scoring).update(FRESH[0].tolist(), MASKED)

    assert [parts[channel] for channel in MASKED] == [0.0] * len(MASKED)
    assert any(parts)


def test_fewer_channels_do_not_exceed_the_threshold_of_all_much_more_often(scoring):
    """Without the correction three of eight channels exceed it in 8 % (mean) and 12 % (mahalanobis) of the samples."""
    limit = np.quantile(scores(scoring, NORMAL), 0.99)
    rate = np.mean(scores(scoring, FRESH, MASKED) > limit)

    assert rate < 0.03


def test_a_fault_of_one_channel_shows_more_when_others_are_masked(scoring):
    faulty = np.zeros(CHANNELS)
    faulty[1] = 8 * NORMAL[:, 1].std()
    rows = np.repeat(faulty[None], 30, axis=0)

    assert scores(scoring, rows, MASKED)[-1] >= scores(scoring, rows)[-1] > np.quantile(scores(scoring, NORMAL), 0.99)


def test_the_distance_over_some_channels_is_that_of_their_own_covariance():
    mixed = NORMAL @ np.random.default_rng(2).normal(size=(CHANNELS, CHANNELS))
    valid = [channel for channel in range(CHANNELS) if channel not in MASKED]
    scoring = fit_scoring(mixed, style_of("mahalanobis"))
    z = np.maximum((np.abs(mixed[7]) - scoring.center) / scoring.scale, 0)[valid]
    inverse = np.linalg.inv(np.linalg.inv(scoring.precision)[np.ix_(valid, valid)])
    squares = np.maximum(z * (inverse @ z), 0).sum() / len(valid)
    expected = np.sqrt(1 + (squares - 1) * np.sqrt(len(valid) / CHANNELS))

    assert scorer_of(scoring).update(mixed[7].tolist(), MASKED)[0] == pytest.approx(expected)


def test_a_bias_builds_up_over_the_readings_that_are_there():
    """Every second reading of a biased channel is missing: its chart needs twice the time, no more."""
    scorer = scorer_of(fit_scoring(NORMAL, EWMA))
    biased = np.zeros(CHANNELS)
    biased[5] = 4 * NORMAL[:, 5].std()
    found = [scorer.update(biased.tolist(), (5,) if row % 2 else ())[1][5] for row in range(120)]

    assert found[118] > 10
    assert found[119] == 0.0


def test_an_excursion_ends_though_each_sample_lacks_a_channel():
    scorer = scorer_of(fit_scoring(NORMAL, EWMA))
    for row, error in enumerate(NORMAL[:60].tolist()):
        scorer.update([value * 20 for value in error] if row < 20 else error, (row % CHANNELS,))

    assert scorer.to_state()["excursion"] == 0


def test_an_excursion_waits_for_the_channel_that_went_missing_in_it():
    scorer = scorer_of(fit_scoring(NORMAL, EWMA))
    for row, error in enumerate(NORMAL[:80].tolist()):
        scorer.update([value * 20 for value in error] if row < 20 else error, (2,) if row >= 20 else ())
    before = scorer.to_state()["excursion"]
    scorer.update(NORMAL[80].tolist())

    assert before >= 20
    assert scorer.to_state()["excursion"] == 0
