"""Figures of the benchmarks' page that are counted rather than measured; its scripts lie beside each other, not in a package."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from document_network import OFF, ON, f1, gains
from flagged_rows import places


def test_flagged_normal_rows_are_counted_by_their_place():
    labels = np.array([0, 0, 0, 1, 1, 0, 0, 0, 0, 0], bool)
    flags = np.array([1, 0, 1, 1, 1, 1, 1, 1, 0, 1], bool)

    counts = places(flags, labels, lookback=2)

    assert counts == [1, 2, 1, 2]  # ahead of the fault, close behind it, later, no fault met
    assert sum(counts) == (flags & ~labels).sum()


def test_rows_between_two_faults_of_one_alarm_lie_behind_the_first():
    labels = np.array([0, 1, 0, 0, 0, 1], bool)

    assert places(np.ones(6, bool), labels, lookback=2) == [1, 2, 1, 0]


def test_the_oracle_takes_the_better_of_both_for_each_file():
    files = {
        ON: {"a": 0.5, "b": 0.2, "none": None},
        OFF: {"a": 0.4, "b": 0.3, "none": 0.1},
        "OLS": {"a": 0.1, "b": 0.7},
    }
    row = gains({"methods": {name: {"files": entry} for name, entry in files.items()}})

    assert (row["files"], row["better"], row["worse"]) == (2, 1, 1)
    assert np.allclose([row["heard"], row["oracle"], row["peers"]], [0.0, 0.05, 0.2])


def test_f1_without_some_false_positives():
    counts = {"true_positive": 8, "false_positive": 4, "false_negative": 4}

    assert f1(counts, 0) == 16 / 24
    assert f1(counts, 4) == 16 / 20
