"""Figures of the benchmarks' page that are counted rather than measured; its scripts lie beside each other, not in a package."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from choosing import AUTOENCODER, CHOICES, DEFAULT, HALF, LINEAR, quality
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


def candidate(found, volume, flagged):
    points = {"true_positive": flagged, "false_positive": 0, "false_negative": 4 - flagged, "true_negative": 4}
    return {"faults": {"found": found, "false": 0.1, "auc": 1 - found}, "labels": {"vus_pr": volume, "points": points}}


def test_choices_by_faults_are_judged_by_labels():
    case = {
        DEFAULT: candidate(0.5, 0.5, 2), LINEAR: candidate(0.9, 0.1, 0), HALF: candidate(0.6, 0.6, 3),
        AUTOENCODER: candidate(0.7, 0.2, 1),
    }  # fmt: skip
    taken = {name: quality([case], choice)[0] for name, choice in CHOICES.items()}

    assert taken["chosen: look-back that finds most"] == 0.6
    assert taken["chosen: kind and look-back that find most"] == 0.2
    assert taken["chosen: kind and look-back whose scores tell faults best"] == 0.5
    assert taken["chosen: linear where it finds more"] == 0.1
    assert taken["double look-back"] == 0.5  # could not be trained
    assert taken["oracle that knows the labels"] == 0.6
    assert quality([case, case], CHOICES["half look-back"]) == (0.6, 6 / 7)
