"""Rows in the training data that do not belong there."""

import numpy as np
import pytest
from edgelstm.calibration_data.simulator import CHANNELS, Fault, simulate

from edgelstm.data.outlier_rows import find_contamination, leave_out, sentences
from edgelstm.data.series import Series

KINDS = ("bearing_wear", "cavitation", "closing_valve", "leak", "stuck_sensor")


def series(values, period=1.0):
    return Series(values, np.arange(float(len(values))), CHANNELS[: values.shape[1]], period, ((0, len(values)),))


def pump(seed, faults=()):
    run = simulate(6000, seed, faults)
    return series(run.values), np.array([fault != "" for fault in run.fault])


def test_faults_in_the_training_data_are_found_on_five_pumps():
    """80 rows of each kind of fault in 6000 rows: 6.7 %."""
    found, wanted, right = 0, 0, 0
    for seed in range(11, 16):
        rows, faulty = pump(seed, [Fault(kind, 400 + 900 * at, 80) for at, kind in enumerate(KINDS)])
        flags = np.zeros(6000, bool)
        for start, stop in find_contamination(rows).spans:
            flags[start:stop] = True
        found, wanted, right = found + flags.sum(), wanted + faulty.sum(), right + (flags & faulty).sum()

    assert right / wanted > 0.6
    assert right / found > 0.8


def test_clean_pumps_are_hardly_touched():
    shares = [find_contamination(pump(seed)[0]).share for seed in range(11, 17)]

    assert np.mean(shares) < 0.005
    assert max(shares) < 0.02


@pytest.mark.parametrize("noise", ["normal", "exponential", "standard_cauchy"])
def test_noise_of_any_kind_is_hardly_touched(noise):
    values = getattr(np.random.default_rng(0), noise)(size=(3000, 2))

    assert find_contamination(series(values)).share < 0.01


def test_a_pulse_that_comes_back_is_normal_operation():
    values = np.random.default_rng(0).normal(size=(3000, 1))
    for start in range(100, 3000, 300):
        values[start : start + 40] += 15

    assert find_contamination(series(values)).rows == 0


def test_lone_peaks_that_come_often_are_normal_operation():
    random = np.random.default_rng(0)
    values = random.normal(size=(3000, 1))
    values[random.choice(3000, 40, replace=False)] = random.uniform(1e3, 1e6, size=(40, 1))

    assert find_contamination(series(values)).share < 0.01


def test_a_lone_sentinel_is_left_out():
    values = np.random.default_rng(0).normal(20, 1, size=(2000, 2))
    values[700, 0] = -9999

    cut, found = leave_out(series(values), 16)

    assert any(start <= 700 < stop for start, stop in found.spans)
    assert found.rows < 10
    assert min(part[:, 0].min() for part in cut.parts()) > 0


def test_another_mode_of_operation_is_kept_and_said():
    values = np.random.default_rng(0).normal(size=(2000, 2))
    values[1500:1760] = np.random.default_rng(1).normal(30, 9, size=(260, 2))

    cut, found = leave_out(series(values), 16)

    assert not found.left_out
    assert cut.segments == ((0, 2000),)
    assert found.rows == 0 or "were kept" in sentences(found, cut)[0]


def test_what_was_left_out_is_said_with_count_share_and_place():
    values = np.random.default_rng(0).normal(size=(2000, 2))
    values[1000:1040] += 30
    cut, found = leave_out(series(values), 16)

    assert len(found.spans) == 1
    assert found.spans[0][0] <= 1000 < 1040 <= found.spans[0][1]
    assert f"{found.rows} rows ({found.rows / 2000:.1%})" in sentences(found, cut)[0]
    assert f"{found.spans[0][0]} s to {found.spans[0][1] - 1} s" in sentences(found, cut)[0]


def test_no_window_spans_what_was_left_out():
    values = np.random.default_rng(0).normal(size=(2000, 2))
    values[1000:1040] += 30
    cut, found = leave_out(series(values), 16)

    assert cut.segments == ((0, found.spans[0][0]), (found.spans[0][1], 2000))


def test_few_rows_are_left_alone():
    assert find_contamination(series(np.random.default_rng(0).normal(size=(100, 2)))).rows == 0


def test_a_long_series_is_searched_in_seconds():
    values = np.random.default_rng(0).normal(size=(400_000, 5))
    values[200_000:201_000] += 20

    (start, stop), *more = find_contamination(series(values)).spans

    assert not more
    assert abs(start - 200_000) < 100
    assert abs(stop - 201_000) < 100
