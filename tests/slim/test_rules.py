"""Threshold rules against hand-computed and published cases."""

import math

import numpy as np
import pytest
from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.scoring.pareto_tail import fit_tail
from edgelstm.runtime.scoring.scorer import Scoring
from edgelstm.runtime.scoring.threshold import Rule, Setting, Threshold
from edgelstm.runtime.scoring.threshold_rules import (
    best_fbeta,
    dynamic_threshold,
    few_rows,
    parse_rule,
    peaks_over_threshold,
    quantile_threshold,
    set_threshold,
)


@pytest.mark.parametrize("text", ["median", "quantile:1", "quantile:-1", "pot:2", "fbeta:0", "alarms:often", "dynamo"])
def test_an_unknown_rule_or_a_number_out_of_range_is_refused(text):
    with pytest.raises(ConfigError, match=text.partition(":")[0]):
        parse_rule(text)


def test_a_rule_reads_back_as_it_was_written():
    assert [str(parse_rule(text)) for text in ("alarms:0.5", "pot:0.001", "dynamic", "fbeta:2")] == [
        "alarms:0.5", "pot:0.001", "dynamic", "fbeta:2"
    ]  # fmt: skip


def test_the_quantile_rule_is_the_quantile_with_its_margin():
    scores = np.arange(1000.0)

    assert set_threshold(parse_rule("quantile:0.9"), scores) == Threshold(
        quantile_threshold(scores, 0.9), "quantile", 1000, quantile=0.9
    )


def test_few_rows_for_many_inputs_raise_the_deviations_by_akaikes_factor():
    found = set_threshold(parse_rule("deviations:4"), np.ones(400), Setting(inputs=80))

    assert found.value == 4 * 480 / 320
    assert few_rows(10, 1000) == 3.0


@pytest.mark.parametrize("chance", [1e-3, 1e-4, 1e-5])
def test_peaks_over_threshold_extrapolates_an_exponential_tail(chance):
    """The exact level of a standard exponential is log(1 / chance)."""
    scores = np.random.default_rng(1).exponential(size=50_000)

    assert peaks_over_threshold(scores, chance) == pytest.approx(math.log(1 / chance), rel=0.12)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_the_pareto_fit_finds_the_shape_and_scale_it_was_drawn_from(shape):
    uniform = np.random.default_rng(2).uniform(size=20_000)
    peaks = -2 * np.log(uniform) if shape == 0 else 2 / shape * (uniform**-shape - 1)
    tail = fit_tail(peaks)

    assert tail.shape == pytest.approx(shape, abs=0.03)
    assert tail.scale == pytest.approx(2, rel=0.05)


def test_the_level_of_a_pareto_tail_is_that_of_siffers_equation_1():
    """Start + scale / shape * ((chance * n / peaks)^-shape - 1), KDD 2017."""
    scores = np.concatenate([np.zeros(900), 1 + np.random.default_rng(3).exponential(size=100)])
    start = np.quantile(scores, 0.98)
    peaks = scores[scores > start] - start
    tail = fit_tail(peaks)
    shape, scale = tail.shape, tail.scale
    ratio = 1e-4 * 1000 / len(peaks)
    expected = start + (scale * math.log(1 / ratio) if shape == 0 else scale / shape * (ratio**-shape - 1))

    assert peaks_over_threshold(scores, 1e-4) == pytest.approx(expected)


def test_the_alarms_rule_keeps_its_promise_on_new_scores_of_the_same_kind():
    """Two false alarms a day at one sample a minute, over 40 days."""
    random = np.random.default_rng(4)
    threshold = set_threshold(parse_rule("alarms:2"), random.exponential(size=20_000), Setting(period=60.0, apart=1))
    later = random.exponential(size=40 * 1440)

    assert 40 < np.count_nonzero(later > threshold.value) < 160


def test_without_time_the_alarms_rule_counts_by_1000_rows():
    scores = np.random.default_rng(5).exponential(size=20_000)

    assert set_threshold(parse_rule("alarms:1"), scores).value == pytest.approx(math.log(1000), rel=0.1)


def test_a_burst_is_one_alarm():
    scores = np.random.default_rng(6).exponential(size=20_000)
    bursts = np.repeat(scores, 5)
    apart = [set_threshold(Rule("alarms", 1.0), bursts, Setting(apart=rows)).value for rows in (1, 10)]

    assert apart[1] < apart[0]


def test_the_dynamic_rule_takes_the_threshold_that_calms_the_rest_most():
    """99 scores 1 and one 11: mean 1.1, deviation 0.995; every limit from 2 to 9.5 deviations takes the spike away."""
    scores = np.ones(100)
    scores[50] = 11
    expected = 1.1 + 9.5 * scores.std()

    assert dynamic_threshold(scores) == pytest.approx(expected)


def test_the_dynamic_rule_finds_nothing_in_constant_scores():
    assert dynamic_threshold(np.ones(50)) == 1.0


def test_the_best_f1_by_hand():
    """Flagging the two highest gives precision 1 and recall 2/3: F1 0.8; three more rows would cost more."""
    scores = np.asarray([9.0, 8.0, 5.0, 4.0, 3.0, 1.0])
    labels = np.asarray([True, True, False, False, True, False])

    assert best_fbeta(scores, labels, 1.0) == 6.5


def test_a_larger_beta_asks_for_recall():
    scores = np.asarray([9.0, 8.0, 5.0, 4.0, 3.0, 1.0])
    labels = np.asarray([True, True, False, False, True, False])

    assert best_fbeta(scores, labels, 3.0) == 2.0


def test_fbeta_without_labels_is_refused():
    with pytest.raises(ConfigError, match="labelled rows"):
        set_threshold(parse_rule("fbeta"), np.ones(20))


@pytest.mark.parametrize("rule", ["deviations:5", "quantile:0.9", "alarms:0.5", "pot:0.001", "dynamic"])
def test_a_rule_stays_with_the_model_when_it_is_fitted_again(rule):
    """Conversion fits the threshold anew, on the int8 model's own scores, by the rule of the Keras model."""
    rows = np.cumsum(np.random.default_rng(7).normal(size=(400, 2)), axis=0).astype(np.float32)
    channels = (Channel("a"), Channel("b"))
    blank = Metadata("forecaster", 8, 1, channels, 60.0, Scaler("none", (0.0, 0.0), (1.0, 1.0)), scoring=Scoring())
    first = fit_detector(blank, lambda window: window[-1:], [rows], parse_rule(rule))
    again = fit_detector(first, lambda window: 0.9 * window[-1:], [rows])

    assert first.threshold.method == again.threshold.method == rule.partition(":")[0]
    assert (first.threshold.value == again.threshold.value) == rule.startswith("deviations")
    assert Detector(again, lambda window: window[-1:]).threshold == again.threshold.value


def test_a_series_that_never_errs_gives_a_model_that_loads():
    channels = (Channel("a"), Channel("b"))
    blank = Metadata("forecaster", 8, 1, channels, 60.0, Scaler("none", (0.0, 0.0), (1.0, 1.0)), scoring=Scoring())
    fitted = fit_detector(blank, lambda window: window[-1:], [np.zeros((2000, 2), np.float32)])

    assert Detector(fitted, lambda window: window[-1:]).threshold == fitted.threshold.value
