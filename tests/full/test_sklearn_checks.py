"""scikit-learn's own checks of estimators, with each that cannot hold for rows in time order, and its reason."""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import edgelstm

pytestmark = pytest.mark.slow(reason="the checks fit each estimator some fifty times")
IN_ORDER = "rows are a time series: a score depends on the rows before it"
UNSCORED = "the first rows have no score (NaN) while the window fills, and the threshold is set for few false alarms on rows in time order, not for a share of shuffled rows"  # fmt: skip
LAST_BIT = "sums of float32: on some processors a probability's last bit depends on its place in the batch"
AFTER = "predict forecasts the rows after all of X, as one answer, not one for each row of X"
EXPECTED = {
    "AnomalyDetector": {
        "check_methods_sample_order_invariance": IN_ORDER,
        "check_methods_subset_invariance": IN_ORDER,
        "check_outliers_fit_predict": UNSCORED,
        "check_outliers_train": UNSCORED,
    },
    "Classifier": {"check_methods_sample_order_invariance": LAST_BIT, "check_methods_subset_invariance": LAST_BIT},
    "Forecaster": {
        "check_methods_sample_order_invariance": AFTER,
        "check_methods_subset_invariance": AFTER,
    },
}
ESTIMATORS = [
    edgelstm.AnomalyDetector("linear", lookback=2, epochs=1, limits=False, keep_all=True),
    # a window of one row: every row has an answer
    edgelstm.Classifier(lookback=1, units=4, epochs=12, batch_size=512, learning_rate=0.2),
    edgelstm.Forecaster(lookback=2, units=2, epochs=1),
]


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    """The checks have 10 to 300 rows; a training wants 50 windows, a class 10 examples, and a threshold 20 scores."""
    for name in ("training.train.LEAST_WINDOWS", "forecasting.train.LEAST", "classification.train.LEAST"):
        monkeypatch.setattr(f"edgelstm.{name}", 1)
    monkeypatch.setattr("edgelstm.runtime.calibration.LEAST", 1)


@pytest.fixture(autouse=True, scope="module")
def _without_tracing():
    """A network of two units learns 80 rows sooner than TensorFlow traces it: 0.5 s a training instead of 2 s."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__])
def test_estimators_follow_scikit_learns_conventions(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks' own data: constant columns, few rows
        check(estimator)
