"""scikit-learn's own checks of estimators, with each that cannot hold for rows in time order, and its reason."""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import edgelstm

IN_ORDER = "rows are a time series: a score depends on the rows before it"
UNSCORED = "the first rows have no score (NaN) while the window fills, and the threshold is set for few false alarms on rows in time order, not for a share of shuffled rows"  # fmt: skip
EXPECTED = {
    "AnomalyDetector": {
        "check_methods_sample_order_invariance": IN_ORDER,
        "check_methods_subset_invariance": IN_ORDER,
        "check_outliers_fit_predict": UNSCORED,
        "check_outliers_train": UNSCORED,
    }
}


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    """The checks have 10 to 300 rows; a training wants 50 windows, and a threshold 20 scores."""
    monkeypatch.setattr("edgelstm.training.train.LEAST_WINDOWS", 1)
    monkeypatch.setattr("edgelstm.runtime.calibration.LEAST", 1)


@parametrize_with_checks(
    [edgelstm.AnomalyDetector("linear", lookback=2, epochs=1, limits=False, keep_all=True)],
    expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__],
)
def test_detectors_follow_scikit_learns_conventions(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks' own data: constant columns, few rows
        check(estimator)
