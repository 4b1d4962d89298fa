"""Look-back from the autocorrelation."""

import numpy as np
import pytest

from edgelstm.training.lookback import choose_lookback


@pytest.mark.parametrize("period", [12, 24, 48])
def test_a_series_that_repeats_itself_gets_one_period(period):
    wave = np.sin(2 * np.pi * np.arange(2000.0)[:, None] / period)

    assert choose_lookback([wave]).rows == period


@pytest.mark.parametrize(("memory", "least", "most"), [(0.5, 8, 8), (0.9, 10, 25), (0.999, 60, 64)])
def test_the_look_back_grows_with_the_memory_of_the_series(memory, least, most):
    random = np.random.default_rng(0)
    values = np.zeros((4000, 1))
    for row in range(1, 4000):
        values[row] = memory * values[row - 1] + random.normal()

    assert least <= choose_lookback([values]).rows <= most


@pytest.mark.parametrize("lag", [1, 12, 30])
def test_a_forecaster_of_the_next_row_looks_back_as_far_as_an_autoregressive_model(lag):
    random = np.random.default_rng(0)
    values = random.normal(size=(4000, 2))
    for row in range(lag, 4000):
        values[row] += 0.8 * values[row - lag]

    assert choose_lookback([values], next_row=True).rows == max(8, lag)
