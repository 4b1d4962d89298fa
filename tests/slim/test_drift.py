"""Drift of inputs and of scores, and the threshold that follows: slow changes told, short ones not."""

import json
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.drift.dspot import FIRST, AdaptiveThreshold
from edgelstm.runtime.drift.statistics import SECTION, Reference, fit_reference
from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.scoring.pareto_tail import fit_tail

ROWS = 2500


@pytest.fixture
def bundle(models):
    return load_bundle(models / "cast.int8.tflite")


def tank(count, seed=3):
    """The tiny models' tank, shape (count, 3) with the time."""
    random, time = np.random.default_rng(seed), np.arange(count)
    level = 50 + 20 * np.sin(2 * np.pi * time / 24) + random.normal(0, 0.5, count)
    flow = 5 + 2 * np.cos(2 * np.pi * time / 24) + 0.5 * np.sin(2 * np.pi * time / 8) + random.normal(0, 0.05, count)
    return np.stack([time, level, flow], axis=1).astype(float)


def play(detector, rows):
    return [event for row in rows.tolist() for event in detector.update(row[1:], row[0]).events]


def drifts(events):
    return [event for event in events if event.kind == "drift"]


def test_a_file_carries_the_reference_of_its_drift(bundle):
    reference = Reference.of(bundle.metadata.sections[SECTION], 2)

    assert np.asarray(reference.edges).shape == np.asarray(reference.above).shape == (2, 9)
    assert reference.block % 128 == 0
    assert min(reference.limits) >= 0.25


def test_normal_operation_has_no_drift_and_a_shift_has(model_path):
    rows = tank(2 * ROWS)
    rows[ROWS:, 1] += 25
    found = drifts(play(Detector.load(model_path), rows))

    assert {event.reason for event in found} == {"inputs", "scores"}
    assert min(event.start for event in found) > ROWS


def test_a_slow_trend_of_one_channel_is_a_drift_of_that_channels_inputs(bundle):
    rows = tank(ROWS)
    rows[1000:, 2] += np.linspace(0, 2, ROWS - 1000)
    found = drifts(play(Detector.from_bundle(bundle), rows))
    inputs = [event for event in found if event.reason == "inputs"]

    assert inputs[0].state == "open"
    assert inputs[0].channels == ("flow_lpm",)
    assert inputs[0].start > 1000
    assert inputs[0].peak > 1


def test_a_worn_sensor_is_a_drift_of_the_scores(bundle):
    """More noise than in training, in the range of training: the histogram hardly moves, the model's error does."""
    rows = tank(ROWS)
    rows[1000:, 2] += np.random.default_rng(0).normal(0, 0.3, ROWS - 1000)
    found = drifts(play(Detector.from_bundle(bundle), rows))

    assert next((event.reason, event.state, event.channels[0]) for event in found) == ("scores", "open", "flow_lpm")


def test_a_drift_is_over_when_its_cause_is(bundle):
    rows = tank(4 * ROWS)
    rows[1000:2000, 1] += 25
    found = drifts(play(Detector.from_bundle(bundle), rows))

    assert {(event.reason, event.state) for event in found} == {
        (reason, state) for reason in ("inputs", "scores") for state in ("open", "closed")
    }
    # the score has followed the new level, and needs its memory of 1500 rows some times over to forget it
    ends = {event.reason: (event.start, event.end) for event in found if event.state == "closed"}
    assert 1000 < ends["inputs"][0] < ends["inputs"][1] < 3000
    assert 1000 < ends["scores"][0] < ends["scores"][1] < 7000


def test_a_short_anomaly_is_no_drift(bundle, stream):
    events = play(Detector.from_bundle(bundle), stream)

    assert [event for event in events if event.kind == "anomaly"]
    assert drifts(events) == []


def test_a_dead_channel_is_a_sensor_fault_and_no_drift(bundle):
    rows = tank(ROWS)
    rows[500:, 2] = np.nan
    events = play(Detector.from_bundle(bundle), rows)

    assert [(event.kind, event.reason) for event in events] == [("sensor_fault", "missing")]


def test_a_stuck_channel_is_a_sensor_fault_and_no_drift_of_inputs(bundle):
    channels = tuple(replace(channel, longest_run=1) for channel in bundle.metadata.channels)
    rows = tank(ROWS)
    rows[500:, 2] = rows[500, 2]
    events = play(Detector.from_bundle(replace(bundle, metadata=bundle.metadata.with_(channels=channels))), rows)

    assert "stuck" in {event.reason for event in events}
    assert "inputs" not in {event.reason for event in drifts(events)}


CUTS = (1, 127, 128, 1100, 1500, 2100)


@pytest.fixture(scope="module")
def adapting(models):
    """Rows with a shift, the events of an adapting detector over them, its snapshots at the cuts, and the last."""
    rows = tank(ROWS)
    rows[1000:2000, 1] += 25
    bundle = load_bundle(models / "cast.int8.tflite")
    undisturbed, whole = (Detector.from_bundle(bundle, adapt=2.0) for _ in range(2))
    events, snapshots, counts = [], {}, {}
    for begin, end in pairwise((0, *CUTS, ROWS)):
        events += play(whole, rows[begin:end])
        snapshots[end], counts[end] = json.dumps(whole.snapshot()), len(events)
    assert events == play(undisturbed, rows)  # snapshots leave no trace
    assert drifts(events)
    return rows, events, snapshots, counts


@pytest.mark.parametrize("cut", CUTS)
def test_a_restored_watch_goes_on_as_if_never_stopped(bundle, adapting, cut):
    rows, events, snapshots, counts = adapting
    second = Detector.from_bundle(bundle, adapt=2.0)
    second.restore(json.loads(snapshots[cut]))

    assert play(second, rows[cut:]) == events[counts[cut] :]
    assert json.dumps(second.snapshot()) == snapshots[ROWS]


def test_too_few_rows_know_nothing_of_drift(bundle):
    assert fit_reference([np.zeros((100, 2), np.float32)], [np.zeros(100)], 1.0) is None
    plain = bundle.metadata.with_(sections={})

    assert Detector.from_bundle(replace(bundle, metadata=plain)).alarms.drift is None


def test_a_reference_survives_the_file(bundle):
    rows = [np.random.default_rng(0).normal(size=(900, 2)).astype(np.float32)]
    reference = fit_reference(rows, [np.full(900, 0.5)], 1.0)
    read = Reference.of(json.loads(json.dumps(asdict(reference))) | {"of a later version": 1}, 2)

    assert asdict(read) == json.loads(json.dumps(asdict(reference)))


@pytest.mark.parametrize(
    "wrong", [{"block": 0}, {"block": 64}, {"edges": [[1.0]]}, {"limits": []}, {"unit": None}, {"level": float("nan")}]
)
def test_a_damaged_section_is_refused(bundle, wrong):
    sections = {**bundle.metadata.sections, SECTION: bundle.metadata.sections[SECTION] | wrong}
    with pytest.raises(ModelError, match="drift section is damaged"):
        Detector.from_bundle(replace(bundle, metadata=bundle.metadata.with_(sections=sections)))


def test_the_threshold_stays_unless_asked(bundle):
    detector = Detector.from_bundle(bundle)
    play(detector, tank(ROWS))

    assert detector.threshold == bundle.metadata.threshold.value


def test_an_adapted_threshold_leaves_about_the_risk_asked_for():
    random = np.random.default_rng(0)
    adaptation = AdaptiveThreshold(4.0, 10.0)
    for part in np.split(random.exponential(size=32 * 2000), 2000):
        adaptation.update(part.tolist())

    assert (random.exponential(size=1_000_000) > adaptation.threshold).mean() == pytest.approx(1e-4, rel=0.9)


def test_the_tail_of_an_exponential_is_found():
    peaks = np.random.default_rng(1).exponential(size=5000).tolist()

    assert fit_tail(peaks).excess(1e-4 / 0.02) == pytest.approx(np.log(200), rel=0.1)


def test_an_adapted_threshold_follows_a_slow_rise_but_no_further_than_its_bound():
    random = np.random.default_rng(0)
    adaptation = AdaptiveThreshold(3.0, 2.0)
    seen = []
    for turn in range(2000):
        adaptation.update((random.exponential(0.3, 32) + turn / 200).tolist())
        seen.append(adaptation.threshold)

    assert seen[40] < seen[500] <= 6.0
    assert seen[-1] == 6.0
    assert min(seen) >= 1.5


def test_an_adapted_threshold_is_frozen_while_alarming(models, stream):
    detector = Detector.load(models / "cast.int8.tflite", adapt=3.0)
    play(detector, tank(FIRST + 200))
    before = detector.alarms.drift.adaptation.to_state()
    rows = tank(1000)
    rows[:, 0] += FIRST + 200
    rows[:, 1] += 40
    opened = [event for event in play(detector, rows) if event.kind == "anomaly"]

    assert [event.state for event in opened] == ["open"]
    assert len(detector.alarms.drift.adaptation.peaks) - len(before["peaks"]) <= 2
    assert detector.threshold == pytest.approx(before["threshold"], rel=0.05)


@pytest.mark.parametrize("factor", [1.0, 0.0, -2.0, 1e9, float("nan")])
def test_a_factor_that_allows_nothing_is_refused(factor):
    with pytest.raises(ConfigError, match="factor above 1"):
        AdaptiveThreshold(1.0, factor)


def test_a_drift_is_an_event_like_any_other(bundle):
    rows = tank(ROWS)
    rows[500:, 1] += 25
    events = drifts(play(Detector.from_bundle(bundle), rows))

    assert isinstance(events[0], Event)
    assert len({event.id for event in events if event.state == "open"}) == 2
    assert json.loads(json.dumps(events[0].record()))["kind"] == "drift"
