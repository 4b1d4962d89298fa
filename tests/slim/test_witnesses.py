"""The score of two witnesses: size of one forecast's errors and control chart of another's, in limits of normal operation."""

import json
from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime.calibration import fit_detector, promise_doubt
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.model_file.metadata import Channel, Metadata, from_json, to_json
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.scoring.judges import DEVIATIONS
from edgelstm.runtime.scoring.registry import check_scoring, fit_scoring, scorer_of, style_of
from edgelstm.runtime.scoring.threshold import Setting, Threshold
from edgelstm.runtime.scoring.threshold_rules import parse_rule, set_threshold

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=(2000, 4)) * [0.1, 1.0, 0.2, 2.0]  # two forecasts of two channels
STYLE = replace(style_of("witnesses"), witnesses=2, trusted=1)


@pytest.fixture(scope="module")
def scoring():
    return fit_scoring(NORMAL, STYLE)


def scores(scoring, errors):
    scorer = scorer_of(scoring)
    return np.array([scorer.update(error)[0] for error in errors.tolist()])


def test_normal_operation_hardly_exceeds_its_own_limit(scoring):
    assert np.mean(scores(scoring, NORMAL) > 1) <= 0.02  # each of two readings in a hundredth of the rows


def heard(scoring, errors):
    """Scores as multiples of what an alarm takes."""
    scorer = scorer_of(scoring)
    return np.array([score / scorer.bar(score, 1.0) for score, _ in map(scorer.update, errors.tolist())])


def with_starts(rows):
    """Errors of two channels, the first of which errs by eight deviations for three rows whenever the machine starts."""
    errors = RANDOM.normal(size=(rows, 2))
    for start in range(20, rows, 100):
        errors[start : start + 3, 0] = 8.0
    return errors


def test_what_normal_operation_does_now_and_then_is_no_alarm():
    fitted = fit_scoring(with_starts(4000), style_of("witnesses"))
    size, *_ = fitted.bars
    after = heard(fitted, with_starts(4000))

    assert size > 1.1 * DEVIATIONS
    assert not (after[1:] > 1)[after[:-1] > 1].any()


def test_a_bias_is_found_where_starts_of_the_machine_are_loud():
    fitted = fit_scoring(with_starts(4000), style_of("witnesses"))
    biased = RANDOM.normal([0, 2.5], size=(200, 2))

    assert heard(fitted, biased)[50:100].min() > 1


def test_no_two_rows_in_a_row_of_its_normal_operation_are_anomalies():
    errors = np.cumsum(RANDOM.normal(size=(3000, 4)), axis=0) * 0.02 + NORMAL[:1500].repeat(2, axis=0)
    pairs = heard(fit_scoring(errors, STYLE), errors)

    assert np.minimum(pairs[1:], pairs[:-1]).max() <= 1 + 1e-9


def test_both_witnesses_are_heard(scoring):
    sudden, biased = RANDOM.normal(size=(2, 100, 4)) * [0.1, 1.0, 0.2, 2.0]
    sudden[50:, 0] *= 6
    biased[:, 2] += 0.4

    assert scores(scoring, sudden)[-1] > 1.5
    assert scores(scoring, biased)[-1] > 1.5


def test_a_fault_that_lasts_stays_visible(scoring):
    lasting = RANDOM.normal(size=(2000, 4)) * [0.1, 1.0, 0.2, 2.0]
    lasting[500:, 2] += 0.6

    assert scores(scoring, lasting)[600:].min() > 1.5


def test_one_absurd_value_is_forgotten_soon(scoring):
    errors = RANDOM.normal(size=(300, 4)) * [0.1, 1.0, 0.2, 2.0]
    errors[50] = 1e12

    assert scores(scoring, errors)[50] > 10
    assert scores(scoring, errors)[200:].max() < 1.5


def test_errors_that_stay_at_zero_are_no_trouble(scoring):
    scorer = scorer_of(scoring)
    for _ in range(20_000):
        score, parts = scorer.update([0.0] * 4)

    assert score < 1
    assert np.isfinite(parts).all()


def test_the_faulty_channel_has_the_largest_part(scoring):
    scorer = scorer_of(scoring)
    for error in (RANDOM.normal(size=(100, 4)) * [0.1, 1.0, 0.2, 2.0] + [0, 0, 0, 4.0]).tolist():
        score, parts = scorer.update(error)

    assert len(parts) == 2
    assert parts[1] > 2 * parts[0]
    assert np.hypot(*parts) == pytest.approx(score)


def test_few_rows_for_what_a_witness_reads_widen_its_limit(scoring):
    few = fit_scoring(NORMAL, replace(STYLE, reads=(8, 500)))

    assert few.limits[0] == pytest.approx(scoring.limits[0] * 2008 / 1992)
    assert few.limits[1] == pytest.approx(scoring.limits[1] * 2500 / 1500)


def test_a_snapshot_goes_on_as_if_never_stopped(scoring):
    errors = RANDOM.normal(size=(60, 4)).tolist()
    first, second = scorer_of(scoring), scorer_of(scoring)
    for error in errors[:30]:
        first.update(error)
    second.restore(json.loads(json.dumps(first.to_state())))

    assert [first.update(error) for error in errors[30:]] == [second.update(error) for error in errors[30:]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"limits": (0.0, 1.0)}, "limits"),
        ({"limits": ()}, "limits"),
        ({"trusted": 2}, "witness 2 of 2"),
        ({"witnesses": 3}, "witness 1 of 3"),
        ({"spread": (0.0, 1.0, 1.0)}, "baseline"),
        ({"spread": (0.0,) * 6}, "baseline"),
        ({"bars": (1.0, 1.0, 1.0)}, "bars"),
        ({"bars": (0.0,) * 6}, "bars"),
        ({"bars": (float("nan"),) * 6}, "bars"),
    ],
)
def test_parameters_that_cannot_work_are_refused(scoring, changes, reason):
    with pytest.raises(ValueError, match=reason):
        check_scoring(replace(scoring, **changes))


def test_the_threshold_is_a_number_of_limits():
    assert set_threshold(parse_rule("limits"), np.linspace(0, 0.9, 100)).value == 1.0
    assert set_threshold(parse_rule("limits:2"), np.full(100, 3.0)).value == 3.0


def both_rows(window):
    """Row 0 repeats the last sample, row 1 always says 0: a level that stays off is seen by the second alone."""
    return np.stack([window[-1], 0 * window[-1]])


def two_forecasts(rule=None):
    """A detector of both rows, and 50 rows of normal operation."""
    channels = (Channel("flow", train_low=-3.0, train_high=3.0),)
    metadata = Metadata(
        "forecaster", 4, 1, channels, scaler=Scaler("none", (0.0,), (1.0,)), scoring=replace(STYLE, limits=())
    )
    rows = np.random.default_rng(1).normal(size=(1000, 1)).astype(np.float32)
    fitted = fit_detector(metadata, both_rows, [rows], rule and parse_rule(rule))
    return Detector(from_json(to_json(fitted)), both_rows), rows[:50, 0].tolist()


def test_an_alarm_takes_both_forecasts():
    detector, normal = two_forecasts()
    results = [detector.update([value]) for value in [*normal, *[2.5, -2.5] * 30]]

    assert detector.metadata.threshold.method == "limits"
    assert len(detector.metadata.scoring.scale) == 2
    assert not any(result.anomaly for result in results[:50])
    assert all(result.anomaly for result in results[60:])


@pytest.mark.parametrize(("rule", "alarm"), [("limits", False), ("quantile", True)])
def test_where_a_judge_sees_nothing_the_score_rises_without_an_alarm(rule, alarm):
    detector, normal = two_forecasts(rule)
    results = [detector.update([value]) for value in [*normal, *[2.0] * 60]]

    assert results[-1].score > results[-1].threshold
    assert results[-1].anomaly == alarm


def test_an_alarm_ends_soon_after_its_fault():
    detector, normal = two_forecasts()
    results = [detector.update([value]) for value in [*normal, *[2.5, -2.5] * 30, *normal]]

    assert results[109].anomaly
    assert not any(result.anomaly for result in results[130:])


def test_a_file_without_judges_alarms_by_the_score_alone(scoring):
    earlier = replace(scoring, bars=(), **{name: getattr(scoring, name)[:3] for name in ("level", "spread", "ratio")})
    check_scoring(earlier)
    scorer = scorer_of(earlier)

    assert scorer.bar(scorer.update([0.0] * 4)[0], 1.5) == 1.5


@pytest.mark.parametrize(("rows", "said"), [(1000, True), (1_000_000, False)])
def test_a_promise_that_the_rows_cannot_show_is_said(rows, said):
    threshold = Threshold(2.0, "alarms", rows, number=0.1)
    sentence = promise_doubt(Metadata("forecaster", 4, 1, (Channel("flow"),), 1.0, threshold=threshold))

    assert bool(sentence) == said
    assert not said or "at least 10 days" in sentence


def test_a_promise_on_rows_without_time_is_for_a_thousand_of_them():
    threshold = Threshold(2.0, "alarms", 500, number=0.1)
    sentence = promise_doubt(Metadata("forecaster", 4, 1, (Channel("flow"),), threshold=threshold))

    assert sentence.startswith("500 rows of normal operation cannot show 0.1 false alarms in 1000 rows")


def test_nothing_is_promised_on_fewer_rows_than_five_for_each_value_read():
    threshold = Threshold(2.0, "alarms", 200, number=50.0)
    few, many = (Metadata("forecaster", rows, 1, (Channel("flow"),), threshold=threshold) for rows in (60, 20))

    assert "too few for a model that reads 60 values" in promise_doubt(few)
    assert promise_doubt(many) is None


def test_a_lone_high_score_is_no_alarm_that_a_promise_counts():
    scores = RANDOM.uniform(0, 1, 3000)
    scores[::100] = 5.0
    lone, pairs = (set_threshold(parse_rule("alarms:1"), scores, Setting(minimum=minimum)).value for minimum in (1, 2))

    assert lone >= 5
    assert pairs < 2
