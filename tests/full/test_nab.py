"""The NAB score against hand-computed cases; the benchmarks are scripts beside each other, not a package."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from nab_metric import NabScore, nab_score


def test_a_silent_detector_has_a_nab_score_of_zero():
    silent = nab_score(np.zeros(1000), [(500, 599)], 150)

    assert silent == NabScore(-1.0, 1)
    assert silent.normalised == 0


def test_the_earliest_detection_earns_all_of_a_nab_window():
    found = np.zeros(1000)
    found[500] = 1

    assert nab_score(found, [(500, 599)], 150).normalised == pytest.approx(100)


def test_a_late_nab_detection_earns_what_the_sigmoid_gives_and_a_false_one_costs_a_ninth():
    late, false = np.zeros(1000), np.zeros(1000)
    late[550], false[300] = 1, 1
    reward = (2 / (1 + np.exp(-2.5)) - 1) / (2 / (1 + np.exp(-5)) - 1)  # halfway in

    assert nab_score(late, [(500, 599)], 150).raw == pytest.approx(reward)
    assert nab_score(false, [(500, 599)], 150).raw == pytest.approx(-1 - 0.11)


def test_a_detection_just_behind_a_nab_window_costs_little_and_one_in_the_probation_nothing():
    behind, early = np.zeros(1000), np.zeros(1000)
    behind[600], early[100] = 1, 1

    assert -1.01 < nab_score(behind, [(500, 599)], 150).raw < -1
    assert nab_score(early, [(500, 599)], 150).raw == -1
