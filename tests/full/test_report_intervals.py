"""Intervals of a report's differences, and the stretch of a long series that is judged."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edgelstm.data.series import Series
from edgelstm.reporting.bootstrap import concatenated, cut_blocks, draws, interval, resample
from edgelstm.reporting.data import MOST_ROWS, part_of, stretch
from edgelstm.reporting.judge_outputs import Windows, figures


def test_blocks_never_cut_an_anomaly_in_two():
    blocks = cut_blocks(1000, 20, whole=[(15, 70), (100, 110), (990, 999)])

    assert blocks[0][0] == 0
    assert blocks[-1][1] == 1000
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(blocks))
    assert all(stop - start >= 20 for start, stop in blocks)
    assert not any(first < edge <= last for _, edge in blocks for first, last in [(15, 70), (100, 110), (990, 999)])


def test_intervals_of_dependent_rows_hold_the_truth():
    """Rows that come in runs of 20: drawing single rows would call every second difference certain."""
    random = np.random.default_rng(5)
    hits = {1: 0, 40: 0}
    for _ in range(40):
        ours, theirs = (np.repeat(random.normal(size=50), 20) for _ in range(2))
        for least in hits:
            blocks = cut_blocks(1000, least) if least > 1 else [(row, row + 1) for row in range(1000)]
            picks = draws(len(blocks), 60)
            pair = [
                resample(lambda p, v=values, b=blocks: {"mean": float(v[concatenated(b, p)].mean())}, picks)
                for values in (ours, theirs)
            ]
            low, high = interval("mean", *pair)
            hits[least] += low <= 0 <= high

    assert hits[40] >= 32
    assert hits[1] <= 24


def test_windows_explain_themselves_fully_and_noise_less():
    random = np.random.default_rng(0)
    targets = random.normal(size=(200, 8, 2)).astype(np.float32)
    windows = Windows((targets,), targets, reach=4)
    exact, noisy = windows.errors(targets), windows.errors(targets + 0.5 * random.normal(size=targets.shape))

    drop = windows.drops(noisy, exact)["explained"]

    assert figures(exact) == {"explained": 1.0, "mae": 0.0}
    assert drop.value == pytest.approx(-0.25, abs=0.03)
    assert drop.low < drop.value < drop.high < 0


def test_of_a_long_series_the_stretch_with_most_anomalous_rows_is_judged_and_named():
    rows = MOST_ROWS + 30_000
    labels = np.full(rows, "0")
    labels[100:300] = labels[60_000:61_000] = "1"
    series = Series(np.zeros((rows, 1)), np.arange(float(rows)), ("a",), 1.0, ((0, rows),), labels)
    part = stretch(series)
    judged = part_of(series, part)

    assert part == slice(30_000, rows)
    assert judged.time[0] == 30_000
    assert (judged.labels == "1").sum() == 1000
    assert stretch(replace(series, labels=None)) == slice(30_000, rows)
    assert stretch(part_of(series, slice(0, 500))) == slice(0, 500)
