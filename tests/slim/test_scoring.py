"""From errors to scores and thresholds: what the trainer fits and the device applies."""

import json
import math

import numpy as np
import pytest
from edgelstm.runtime.calibration import fit_detector, newest_rows
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.scoring.registry import SCORES, fit_scoring, scorer_of, style_of
from edgelstm.runtime.scoring.scorer import Scorer, Scoring
from edgelstm.runtime.scoring.threshold_rules import parse_rule, quantile_threshold, set_threshold

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("method", list(SCORES))
def test_an_error_larger_than_in_normal_operation_scores_the_higher_the_larger_it_is(method):
    scoring = fit_scoring(RANDOM.normal(size=(500, 3)), style_of(method))
    scores = [scorer_of(scoring).update([size] * 3)[0] for size in (2, 4, 8, 16, 32)]

    assert scores == sorted(scores)


@pytest.mark.parametrize("method", list(SCORES))
def test_a_score_goes_on_from_its_state_bit_for_bit_and_leaves_its_input_alone(method):
    errors = RANDOM.normal(size=(200, 3))
    scoring = fit_scoring(errors, style_of(method))
    first, second, before = scorer_of(scoring), scorer_of(scoring), errors.copy()
    for error in errors[:100]:
        first.update(error)
    second.restore(json.loads(json.dumps(first.to_state())))

    assert [first.update(error) for error in errors[100:]] == [second.update(error) for error in errors[100:]]
    assert np.array_equal(errors, before)


@pytest.mark.parametrize("method", list(SCORES))
def test_a_score_is_of_float_type_and_has_a_part_for_each_channel(method):
    score, parts = scorer_of(fit_scoring(RANDOM.normal(size=(200, 3)), style_of(method))).update([0.5, -1.0, 2.0])

    assert isinstance(score, float)
    assert len(parts) == 3


def test_a_channel_counts_by_its_own_error_in_normal_operation():
    errors = np.abs(RANDOM.normal(size=(1000, 2))) * [1.0, 100.0]
    _, parts = scorer_of(fit_scoring(errors, Scoring())).update([5.0, 5.0])

    assert parts[0] > 30 * parts[1]


def test_the_error_of_normal_operation_scores_one():
    errors = np.abs(RANDOM.normal(size=(1000, 2)))
    score, _ = scorer_of(fit_scoring(errors, Scoring())).update(np.sqrt((errors**2).mean(axis=0)))

    assert score == pytest.approx(1)


def test_smoothing_averages_over_recent_scores_and_forgets_on_reset():
    scorer = scorer_of(Scoring(center=(0.0,), scale=(1.0,), smoothing=0.25))
    smoothed = [scorer.update([value])[0] for value in (0.0, 4.0, 4.0)]
    scorer.reset()

    assert smoothed == [0.0, 1.0, 1.75]
    assert scorer.update([4.0])[0] == 4.0


def test_channels_that_never_err_in_training_do_not_divide_by_zero():
    scoring = fit_scoring(np.zeros((100, 2)), Scoring())

    assert np.isfinite(scorer_of(scoring).update([1.0, 0.0])[0])


def test_an_unknown_method_is_refused_by_name():
    with pytest.raises(ConfigError, match="median"):
        scorer_of(Scoring(method="median"))


@pytest.mark.parametrize(("count", "factor"), [(10, 2.0), (64, 2.0), (400, 1.4), (1600, 1.2), (640_000, 1.01)])
def test_the_threshold_margin_shrinks_as_more_scores_are_known(count, factor):
    assert quantile_threshold(np.ones(count), 0.995) == pytest.approx(factor)


def test_a_threshold_lies_above_all_but_few_scores_of_normal_operation():
    scores = RANDOM.gamma(2.0, size=5000)

    assert np.mean(scores > quantile_threshold(scores, 0.995)) < 0.005


def normal_rows(rows=300):
    return np.cumsum(RANDOM.normal(size=(rows, 2)), axis=0).astype(np.float32)


def blank(kind, rows=1):
    scaler = Scaler("none", (0.0, 0.0), (1.0, 1.0))
    channels = (Channel("a"), Channel("b"))
    return Metadata(kind, 8, 1, channels, None, scaler, scoring=Scoring(rows=rows, smoothing=0.5))


@pytest.mark.parametrize(("kind", "rows"), [("forecaster", 1), ("autoencoder", 1), ("autoencoder", 4)])
def test_the_threshold_is_fitted_on_exactly_the_scores_that_the_detector_gives(kind, rows):
    normal = normal_rows()

    def repeat(window):
        return np.repeat(window[:1], 8, axis=0)

    fitted = fit_detector(blank(kind, rows), repeat, [normal])
    detector = Detector(fitted, repeat)
    scores = [result.score for result in map(detector.update, normal) if result.score is not None]

    assert fitted.threshold == set_threshold(parse_rule("quantile"), scores)


def test_segments_are_scored_apart_so_that_no_window_spans_a_gap():
    first, second = normal_rows(100), normal_rows(100) + 1000
    together = fit_detector(blank("forecaster"), lambda window: window[-1:], [first, second])
    apart = fit_detector(blank("forecaster"), lambda window: window[-1:], [first, second - 1000])

    assert together.threshold.value == pytest.approx(apart.threshold.value, rel=0.05)


def test_too_few_normal_rows_are_refused_with_their_number():
    with pytest.raises(ModelError, match="give 2 "):
        fit_detector(blank("forecaster"), lambda window: window[-1:], [normal_rows(10)])


def test_only_the_newest_rows_are_replayed():
    kept = newest_rows([np.zeros((30, 1)), np.ones((10, 1))], most=15)

    assert [len(part) for part in kept] == [5, 10]


class SumScorer(Scorer):
    """Sum of the standardized error sizes: a score that the product does not have."""

    rule = "pot"

    @classmethod
    def fit(cls, errors, style):
        return Scoring(style.method, style.rows, (0.0,) * errors.shape[1], tuple(map(float, errors.std(axis=0))))

    def update(self, error, masked=()):
        parts = tuple(abs(value) / scale for value, scale in zip(error, self.scoring.scale, strict=True))
        return sum(parts), parts


def test_a_score_is_added_in_one_place(monkeypatch):
    """One entry in the registry: fit, metadata, detector, snapshot and the commands know it."""
    from edgelstm.runtime.model_file.metadata import from_json, to_json

    from edgelstm.cli.registered import ScoreName

    monkeypatch.setitem(SCORES, "sum", SumScorer)
    fitted = fit_detector(
        blank("forecaster").with_(scoring=style_of("sum")), lambda window: window[-1:], [normal_rows()]
    )
    detector = Detector(from_json(to_json(fitted)), lambda window: window[-1:])
    score = [detector.update([float(row), row / 2]).score for row in range(12)][-1]
    other = Detector(fitted, lambda window: window[-1:])
    other.restore(json.loads(json.dumps(detector.snapshot())))

    assert fitted.threshold.method == "pot"
    assert score == pytest.approx(1 / fitted.scoring.scale[0] + 0.5 / fitted.scoring.scale[1])
    assert "sum" in ScoreName().get_metavar()
    assert ScoreName().convert("sum", None, None) == "sum"


def test_a_threshold_rule_is_added_in_one_place(monkeypatch):
    """One entry in the registry: text, fit, metadata and the commands know it."""
    from edgelstm.runtime.model_file.metadata import from_json, to_json
    from edgelstm.runtime.scoring.threshold_rules import RULES, ThresholdRule

    from edgelstm.cli.registered import RuleText

    monkeypatch.setitem(RULES, "median", ThresholdRule(lambda scores, factor, _: factor * np.median(scores), 3.0))
    fitted = fit_detector(blank("forecaster"), lambda window: window[-1:], [normal_rows()], parse_rule("median:5"))
    again = fit_detector(from_json(to_json(fitted)), lambda window: window[-1:], [normal_rows()])

    assert (again.threshold.method, again.threshold.number) == ("median", 5.0)
    assert math.isfinite(again.threshold.value)
    assert str(parse_rule("median")) == "median:3"
    assert "median" in RuleText().get_metavar()
