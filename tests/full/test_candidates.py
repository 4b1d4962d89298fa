"""Alarms of each forecast of a model by itself, on faults injected into normal rows."""

from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.scoring.registry import style_of

from edgelstm.cli.candidate_table import candidate_lines
from edgelstm.training.candidates import SIZES, _as_good, compare_candidates, faulty_places
from edgelstm.training.injected_faults import FAULTS, ROWS, injected_fault

WINDOW = 8
CHANNELS = (Channel("flow", train_low=-4.0, train_high=4.0), Channel("pressure", train_low=-4.0, train_high=4.0))


class Forecasts:
    """A linear and a recurrent forecast of noise around 0, one of which may see nothing: it repeats what came."""

    def __init__(self, linear=True, recurrent=True):
        self.sees = np.array([linear, recurrent], np.float32).reshape(1, 2, 1)

    def predict_on_batch(self, windows):
        """A blind forecast is off by large noise of its own, the same for the same window."""
        seed = np.sin(1e4 * np.abs(windows).sum(axis=1)).astype(np.float32)
        return 50 * (1 - self.sees) * np.stack([seed, seed], axis=1)


def fitted(model, rows):
    scoring = replace(style_of("witnesses"), witnesses=2, trusted=1, reads=(4, 16))
    metadata = Metadata("forecaster", WINDOW, 1, CHANNELS, 1.0, Scaler("none", (0.0, 0.0), (1.0, 1.0)), scoring=scoring)
    return fit_detector(metadata, lambda window: model.predict_on_batch(window[None])[0], [rows])


def compared(model):
    rows = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    return compare_candidates(model, fitted(model, rows), [rows])


def test_a_blind_forecast_finds_nothing_and_the_other_one_does():
    shares = {one.name: one for one in compared(Forecasts(recurrent=False)).candidates}

    assert shares["linear"].shares["offset"] > 0.9
    assert shares["linear"].total > 0.4 > 0.1 > shares["recurrent"].total
    assert all(one.false < 0.1 for one in shares.values())


def test_the_linear_one_is_as_good_where_both_find_no_more_than_chance_explains():
    linear = np.arange(200) < 100
    few, many = linear | (np.arange(200) < 102), linear | (np.arange(200) < 130)

    assert compared(Forecasts()).linear_is_as_good
    assert _as_good(linear, few)
    assert _as_good(many, linear)
    assert not _as_good(linear, many)


def test_the_one_listened_to_is_marked_and_the_smaller_model_is_named():
    lines = list(candidate_lines(compared(Forecasts())))

    assert "both *" in lines[1]
    assert len(lines) == 2 + len(FAULTS) + 2 + 1
    assert "--kind linear" in lines[-1]
    assert max(map(len, lines[:-1])) <= 80


def test_few_rows_give_no_comparison_and_no_lines():
    rows = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    metadata = fitted(Forecasts(), rows)

    assert compare_candidates(Forecasts(), metadata, [rows[:90]]) is None
    assert list(candidate_lines(None)) == []


@pytest.mark.parametrize("channels", [1, 5, 8, 16, 17])
def test_each_kind_and_size_comes_in_many_channels(channels):
    """With faults in one channel after the other, one size of a kind would always meet the same channel of eight."""
    places = [np.random.default_rng(place).normal(size=(100, channels)) for place in range(12)]
    met = {}
    for number, (kind, faulty) in enumerate(faulty_places(places, np.ones(channels))):
        place, turn = divmod(number, sum(len(SIZES) if fault.sized else 1 for fault in FAULTS.values()))
        met.setdefault((kind, turn), set()).update(np.flatnonzero((faulty != places[place]).any(axis=0)))

    assert len(met) == 16
    assert all(len(seen) >= min(channels, 3) for seen in met.values())


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_changes_the_last_rows_of_one_channel_alone_and_the_same_way_each_time(kind):
    rows = np.random.default_rng(1).normal(size=(100, 3)).astype(np.float32)
    faulty, again = (injected_fault(rows, kind, 1, 2.0, seed=5) for _ in range(2))

    assert np.array_equal(faulty, again)
    assert np.array_equal(faulty[:-ROWS], rows[:-ROWS])
    assert np.array_equal(faulty[:, [0, 2]], rows[:, [0, 2]])
    assert not np.array_equal(faulty[-ROWS:, 1], rows[-ROWS:, 1])


def test_faults_without_a_size_keep_the_values_of_the_channel():
    """Only the course tells them from normal operation, so no limit on values finds them."""
    rows = np.random.default_rng(1).normal(size=(100, 1)).astype(np.float32)
    normal = set(rows[-ROWS:, 0].tolist())
    for kind in ("stuck", "uncorrelated", "reversed"):
        assert set(injected_fault(rows, kind, 0, 0.0)[-ROWS:, 0].tolist()) <= normal
