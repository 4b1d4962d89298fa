"""The benchmark's baselines are what they are called."""

import forecast_baselines as baselines
import numpy as np
import pytest
from forecast_data import Case

from edgelstm.data.series import Series

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
DAY, HORIZON = 6, 6


@pytest.fixture
def case():
    """A season and noise: 60 days train, 10 validate, 10 test."""
    rows = 80 * DAY
    values = np.sin(2 * np.pi * np.arange(rows) / DAY)[:, None] + np.random.default_rng(0).normal(0, 0.1, (rows, 1))
    series = Series(values, np.arange(rows) * 14400.0, ("load",), 14400.0, ((0, rows),))
    return Case("toy", series, 1, 0, HORIZON, DAY, (60 * DAY, 70 * DAY, rows), 24, "")


def test_smoothing_filtered_forward_gives_statsmodels_forecast(case):
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    column, first, train = case.series.values[:, 0], (60 - baselines.FIT_DAYS) * DAY, case.ends[0]
    model = ExponentialSmoothing(
        column[first:train], seasonal="add", seasonal_periods=DAY, initialization_method="heuristic"
    )
    fitted = model.fit()
    ours = baselines._at(baselines._smoothed(case.series.values, case, DAY), np.array([train]), HORIZON, DAY)

    # for the last phase statsmodels takes the seasonal term of before the last row's update
    np.testing.assert_allclose(ours[0, 0, :-1], fitted.forecast(HORIZON)[:-1], atol=1e-6)


def test_sarima_filtered_forward_gives_what_filtering_all_at_once_gives(case):
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    predicted, said = baselines.sarima(case.series.values, case)
    first = case.ends[0] - baselines.FIT_DAYS * DAY
    seasonal, origin = (*baselines.SEASONAL, DAY), int(case.origins[::DAY][3])
    column = case.series.values[:, 0]
    fitted = SARIMAX(
        column[first : case.ends[0]], order=baselines.ORDER, seasonal_order=seasonal, simple_differencing=True
    ).fit(disp=0, maxiter=50)
    whole = SARIMAX(column[first:origin], order=baselines.ORDER, seasonal_order=seasonal).filter(fitted.params)

    np.testing.assert_allclose(predicted[3, 0], whole.forecast(HORIZON), atol=1e-5)
    assert "fitted on 56 days" in said


def test_repeating_a_lag_never_looks_ahead(case):
    values = np.arange(100.0)[:, None]

    assert baselines.repeat(values, np.array([50]), 5, 2)[0, 0].tolist() == [48, 49, 48, 49, 48]


def test_ridge_finds_a_linear_rule(case):
    values = np.sin(2 * np.pi * np.arange(80 * DAY) / DAY)[:, None]
    solved = baselines.ridge(values, case)

    assert np.abs(baselines.linear(values, case, solved) - baselines.truth(values, case.origins, HORIZON)).max() < 0.05
