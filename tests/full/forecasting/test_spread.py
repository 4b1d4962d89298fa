"""Learning how large a forecast's errors will be."""

from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.spread import spread

from edgelstm.forecasting.data import Pairs
from edgelstm.forecasting.intervals import fit_intervals
from edgelstm.forecasting.spread import fit_spread, with_spread

HORIZON = 6
FEATURES = InputFeatures(4, 1)


def examples(seed, steepness, count=3000):
    """Errors that grow with the second number of the context by exp(steepness * it); answers of the model are 0."""
    random = np.random.default_rng(seed)
    context = random.uniform(-1, 1, (count, 3)).astype(np.float32)
    errors = random.laplace(0, 1, (count, HORIZON)) * 0.2 * np.exp(steepness * context[:, 1:2])
    history = random.normal(size=(count, 3, 4)).astype(np.float32)
    return Pairs(history, context, errors.astype(np.float32), np.ones((count, 1), np.float32), np.zeros(count))


def nothing(given):
    return np.zeros_like(given.answers)


def test_it_finds_the_rule_that_errors_follow():
    learn, fresh = examples(0, 1.2), examples(1, 1.2)
    made = replace(FEATURES, spread=fit_spread(FEATURES, learn, nothing(learn)))
    found = spread(made, fresh.inputs, nothing(fresh))[:, 0]

    np.testing.assert_allclose(found, 0.2 * np.exp(1.2 * fresh.context[:, 1]), rtol=0.15)


def test_it_is_kept_where_it_tells_the_validation_rows_errors():
    learn, judge = examples(2, 1.0), examples(3, 1.0)

    assert with_spread(FEATURES, learn, nothing(learn), judge, nothing(judge)).spread is not None


def test_it_is_left_out_where_the_validation_rows_say_otherwise():
    learn, judge = examples(4, 1.0), examples(5, -0.2)

    assert with_spread(FEATURES, learn, nothing(learn), judge, nothing(judge)) == FEATURES


@pytest.mark.parametrize("count", [1, 5, 100])
def test_few_or_faultless_examples_are_no_error(count):
    learn = examples(6, 1.0, count)
    faultless = fit_spread(FEATURES, learn, learn.answers)

    assert np.isfinite(faultless).all()
    assert np.isfinite(fit_spread(FEATURES, learn, nothing(learn))).all()
    with_spread(FEATURES, learn, learn.answers, learn, learn.answers)


def test_intervals_that_follow_it_score_better_at_the_same_coverage():
    learn, judge, fresh = (examples(seed, 1.5) for seed in (7, 8, 9))
    made = with_spread(FEATURES, learn, nothing(learn), judge, nothing(judge))
    scores = []  # width and, times 2 / 0.2, what lies outside (Winkler's score of an 80 % interval)
    for features in (FEATURES, made):
        ends = fit_intervals(judge.answers / spread(features, judge.inputs, nothing(judge)), 1)["intervals"]["80"]
        sizes = spread(features, fresh.inputs, nothing(fresh))
        lower, upper = (np.array(ends[name])[:, 0] * sizes for name in ("lower", "upper"))
        assert abs(((fresh.answers >= lower) & (fresh.answers <= upper)).mean() - 0.8) < 0.02
        outside = np.maximum(lower - fresh.answers, 0) + np.maximum(fresh.answers - upper, 0)
        scores.append((upper - lower + 10 * outside).mean())

    assert scores[1] < 0.9 * scores[0]
