"""The benchmarks of promises and causes on small cases; they are scripts beside each other, not a package."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from causes import _chance
from decisions import kept_errors
from promise import Outcome, halves, outcome, summary
from protocols import Case


def case(rows=2000, segments=()):
    values = np.random.default_rng(0).normal(size=(rows, 2)).cumsum(axis=0) % 7.0
    return Case("one", values, values, np.zeros(rows, bool), 0, ("a", "b"), 60.0, segments=segments)


def test_the_second_half_is_never_trained_on():
    half = halves(case(segments=((0, 700), (700, 2000))))

    assert half.segments == ((0, 700), (700, 1000))
    assert np.array_equal(np.concatenate([half.train, half.test]), case().train)


def test_stationary_rows_raise_no_more_alarms_than_promised():
    random = np.random.default_rng(1)
    noise = random.normal(size=(6000, 2))
    found = outcome("noise", Case("one", noise, noise, np.zeros(6000, bool), 0, ("a", "b"), 60.0))

    assert found.rows > 2900
    assert found.alarms <= 9
    assert summary([found])[2].startswith("| noise | 1 | ")


def test_one_long_alarm_keeps_no_promise():
    assert not Outcome("skab", "one", 200, 0.0, 1, 0.9, False, None).kept


def test_errors_are_read_again_bit_for_bit(tmp_path):
    normal, later, order = kept_errors(case(), tmp_path / "one.npz")
    again = kept_errors(case(), tmp_path / "one.npz")

    assert all(map(np.array_equal, normal, again[0]))
    assert np.array_equal(later, again[1])
    assert order == again[2]


@pytest.mark.parametrize(("causes", "chance"), [(1, 0.3), (10, 1.0), (8, 1.0), (7, 1 - 1 / 120)])
def test_the_chance_of_a_hit_grows_with_the_causes(causes, chance):
    assert _chance(10, causes) == pytest.approx(chance)
