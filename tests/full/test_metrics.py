"""Metrics against hand-computed cases and against a literal transcription of the published definition."""

import numpy as np
import pytest

from edgelstm.evaluation.label_runs import ranges
from edgelstm.evaluation.metrics import match, points, pr_auc, roc_auc, vus_pr


def literal_vus_pr(labels, scores, largest):
    """VUS-PR by its definition (Paparrizos et al. 2022, RangeAUC as in TSB-AD), threshold by threshold, row by row."""
    rows, runs, areas = len(labels), ranges(labels), []
    ordered = np.sort(scores)[::-1]
    for window in range(largest + 1):
        half = window // 2
        soft = np.array(labels, float)
        for first, last in runs:
            for row in range(rows):
                distance = max(first - row, row - last)
                if 0 < distance <= half:
                    soft[row] += np.sqrt(1 - distance / window)
        soft = np.minimum(soft, 1)
        wide = [(max(first - half, 0), min(last + half, rows - 1)) for first, last in runs]
        joined = [wide[0]]
        for first, last in wide[1:]:
            if first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], last)
            else:
                joined.append((first, last))
        area, before = 0.0, 0.0
        for at in np.linspace(0, rows - 1, 250).astype(int):
            flagged = scores >= ordered[at]
            hits = (soft * flagged).sum()
            widened = (soft * flagged * (1 - np.array(labels))).sum() + sum(labels)
            seen = np.mean([flagged[first : last + 1].any() for first, last in joined])
            recall = min(hits / ((sum(labels) + widened) / 2), 1) * seen
            area += (recall - before) * hits / flagged.sum()
            before = recall
        areas.append(area)
    return np.mean(areas)


@pytest.mark.parametrize("seed", range(4))
def test_vus_pr_is_the_published_definition(seed):
    random = np.random.default_rng(seed)
    labels = np.zeros(300, int)
    for first in random.integers(10, 280, 3):
        labels[first : first + 12] = 1
    scores = np.round(random.normal(size=300) + 2 * labels, 1)  # rounded: with ties

    assert vus_pr(labels, scores, 20) == pytest.approx(literal_vus_pr(labels, scores, 20), abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "window", "expected"),
    [
        (600, 20, (0.6360092564855879, 0.7732491905504256, 0.5507261433150883)),
        (1500, 100, (0.6924609557826009, 0.6786711013573459, 0.43141309021612384)),
    ],
)
def test_ranking_metrics_agree_with_the_published_implementation(rows, window, expected):
    """Values of TSB-AD 1.5 (NeurIPS 2024): generate_curve(…, "opt", 250), metric_ROC, metric_PR."""
    row = np.arange(rows)
    labels = (row % 211 >= 180).astype(int)
    labels[:40] = 0
    scores = np.round(np.abs(np.sin(0.37 * row)) + 1.2 * np.roll(labels, 7) * (np.sin(0.05 * row) > -0.3), 2)

    found = vus_pr(labels, scores, window), roc_auc(labels, scores), pr_auc(labels, scores)

    assert found == pytest.approx(expected, abs=1e-12)


def test_areas_under_curves_by_hand():
    """Two anomalous rows, ranked first and third of four: 3 of 4 pairs are right, precisions 1/1 and 2/3."""
    assert roc_auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx(3 / 4)
    assert pr_auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx((1 + 2 / 3) / 2)


def test_vus_pr_forgives_a_score_that_comes_a_little_early():
    labels, early, far = np.zeros(1000), np.zeros(1000), np.zeros(1000)
    labels[500:520], early[490:510], far[100:120] = 1, 1, 1

    assert vus_pr(labels, labels) > vus_pr(labels, early) > 3 * vus_pr(labels, far)


def test_a_perfect_score_has_a_vus_pr_near_one_and_a_random_one_the_anomalous_share():
    labels = np.zeros(4000)
    labels[1000:1400] = 1
    random = np.random.default_rng(0).random(4000)

    assert vus_pr(labels, labels + 0.1 * random) > 0.9
    assert vus_pr(labels, random) < 0.2


def test_threshold_free_metrics_have_no_value_without_anomalies():
    assert vus_pr([0, 0, 0], [1, 2, 3]) is None
    assert roc_auc([0, 0, 0], [1, 2, 3]) is None
    assert pr_auc([0, 0, 0], [1, 2, 3]) is None


def test_point_counts_give_f1_and_both_rates():
    counted = points([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0])

    assert counted.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert counted.false_alarm_rate == pytest.approx(1 / 5)
    assert counted.missed_alarm_rate == pytest.approx(1 / 3)


def test_an_alarm_that_was_open_before_the_anomaly_has_no_delay():
    assert match([(10, 20)], [(5, 12)]).delays == (0,)


def test_areas_under_curves_are_those_of_scikit_learn_with_equal_scores_too():
    from sklearn.metrics import average_precision_score, roc_auc_score

    random = np.random.default_rng(0)
    for _ in range(20):
        labels, scores = random.random(300) < 0.1, np.round(random.normal(size=300), 1)
        labels[0] = True

        assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert pr_auc(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
