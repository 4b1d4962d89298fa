"""Tables that forecasting libraries get in the benchmark, and what its page says; the libraries themselves are in no test environment."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from document_peers import overview
from forecast_data import Case
from forecast_peers import refuse_foresight
from peer_frames import Fitted, task_of, unstacked, windows

from edgelstm.data.series import Series

DAY, ROWS, HORIZON = 24, 480, 24


@pytest.fixture
def task():
    """Two targets that count, and a temperature known up to now."""
    rows = np.arange(float(ROWS))
    series = Series(np.c_[rows, -rows, rows % 7], rows * 3600, ("up", "down", "warmth"), 3600.0, ((0, ROWS),))
    case = Case("counting", series, 2, 0, HORIZON, DAY, (240, 360, ROWS), 96, "", holidays="")
    return task_of(case, "")


def test_windows_come_back_in_the_order_of_origins_and_targets(task):
    origins = task.case.origins[::DAY]
    before, ahead = windows(task, origins, 48, task.known)
    last = before.groupby("unique_id")["y"].last()
    ahead["peer"] = ahead["unique_id"].map(last)
    answers = unstacked(ahead.sample(frac=1.0, random_state=0), "peer", task)

    assert answers.shape == (len(origins), 2, HORIZON)
    np.testing.assert_array_equal(answers[:, :, 0], task.values[origins - 1])


def test_a_window_ends_before_its_origin(task):
    before, ahead = windows(task, np.array([400]), 48, task.known)

    assert (before["ds"].min(), before["ds"].max()) == (352, 399)
    assert (ahead["ds"].min(), ahead["ds"].max(), "y" in ahead) == (400, 423, False)


def test_a_peer_that_looks_ahead_is_refused(task):
    def honest(given, origins):
        return np.repeat(given.values[origins - 1][:, :, None], HORIZON, axis=2)

    def cheat(given, origins):
        return np.moveaxis(given.values[origins[:, None] + np.arange(HORIZON)], -1, 1)

    origins = task.case.origins[:1]
    refuse_foresight(Fitted(honest, print, "", {}), task, origins, honest(task, origins))
    with pytest.raises(AssertionError):
        refuse_foresight(Fitted(cheat, print, "", {}), task, origins, cheat(task, origins))


def test_the_page_says_where_a_peer_is_ahead(tmp_path):
    (tmp_path / "forecast_peers_load.json").write_text(
        '{"peers": {"tree": {"daily": {"mae": 0.9}}, "net": {"daily": {"mae": 2.0}}}}'
    )
    report = {
        "case": "load",
        "baselines": {"SARIMA": {"daily": {"mae": 1.0}}},
        "seeds": [{"int8": {"daily": {"mae": 1.0}}}],
    }
    lines = overview(tmp_path, [report])

    assert "| tree | +11.1 | +11.1 |" in lines
    assert "| net | -50.0 | -50.0 |" in lines
    assert any("behind by more than 2 % on load (tree 11.1 %)" in line for line in lines)
