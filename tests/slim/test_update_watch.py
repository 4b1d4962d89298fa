"""A running stream whose model is updated: taken over between two samples, undone where it fails."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from edgelstm.runtime import Detector
from edgelstm.runtime.errors import InterpreterError, ModelError
from edgelstm.runtime.model_file.bundle import parse_bundle
from edgelstm.runtime.sources import Sample
from edgelstm.runtime.updates import update_watch
from edgelstm.runtime.updates.carry_over import take_over
from edgelstm.runtime.updates.normal_rows import load_normal_rows
from edgelstm.runtime.updates.options import parse_updates
from edgelstm.runtime.updates.update_watch import UpdateWatch
from update_forms import MODELS, Plant

ROWS = np.loadtxt(MODELS / "stream.csv", delimiter=",", skiprows=1)
NORMAL = ROWS[:150]


class Stream:
    """A stream at work on a device, driven sample by sample as `Runner` does."""

    def __init__(self, plant, *, wrap=None, trial="1h"):
        self.plant, self.wrap = plant, wrap
        options = parse_updates({
            "url": str(plant.repository), "root": str(plant.root_json), "group": "canary", "name": "pump", "trial": trial,
        })  # fmt: skip
        release = plant.store.ledger.current
        self.detector = Detector.from_bundle(parse_bundle(plant.store.read(release)))
        self.watch = UpdateWatch(plant.store, options, self.load, release, len(self.detector.metadata.channels))
        self.watch._poll_at = math.inf  # updates come when a test says so
        self.index, self.scores = 0, []

    def load(self, bundle):
        """The detector of a model; the second version's may be a bad one."""
        detector = Detector.from_bundle(bundle)
        return self.wrap(detector) if self.wrap and bundle.origin.startswith("pump version 2") else detector

    def feed(self, count):
        """Give samples, normal ones over and over, and return the results."""
        results = []
        for _ in range(count):
            self.watch._look_at = 0.0
            self.swap()
            values = NORMAL[self.index % len(NORMAL), 1:].tolist()
            sample = Sample(values, float(self.index), self.index)
            begin = time.perf_counter()
            try:
                result = self.detector.update(values, float(self.index))
            except Exception as error:
                if not self.watch.crashed(error):
                    raise
                self.swap()
                result = self.detector.update(values, float(self.index))
            self.watch.observe(sample, result, time.perf_counter() - begin)
            results.append(result)
            self.index += 1
        return results

    def swap(self):
        self.detector = self.watch.replaced(self.detector) or self.detector


@pytest.fixture
def plant(tmp_path):
    plant = Plant(tmp_path)
    plant.publish("first")
    plant.fetch()
    return plant


def bring(plant, marker="second"):
    """Install the next version under a trial, as the thread does."""
    plant.publish(marker)
    release, _ = plant.fetch()
    store = plant.store
    with store.changing() as ledger:
        store._write(replace(ledger, trial_since=time.time()))
    return release


def raising(detector):
    def update(*_):
        raise InterpreterError("invoke failed")

    detector.update = update
    return detector


def with_result(**changes):
    def wrap(detector):
        update = detector.update
        detector.update = lambda *words: update(*words)._replace(**changes)
        return detector

    return wrap


def slow(detector):
    update = detector.update

    def later(*words):
        time.sleep(0.02)
        return update(*words)

    detector.update = later
    return detector


def alarming(detector):
    detector.threshold = 1e-9
    return detector


BAD = {
    "crashing": (raising, "invoke failed", 1),
    "answering with no number": (with_result(score=math.nan), "no number", 1),
    "slow": (slow, "it is slow", 25),
    "silent": (with_result(score=None, status="warmup"), "gave no score", 80),
    "seeing nothing": (with_result(score=0.5), "the same score", 55),
    "alarming always": (alarming, "threshold", 160),
}


def past_probe(wrap):
    """A model that is bad only once it is at work."""

    def change(detector):
        probe = detector.probe
        detector.probe = lambda: (probe(), wrap(detector))

        return detector

    return change


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_model_is_undone_in_its_trial_time_and_the_watch_goes_on(plant, kind):
    wrap, reason, samples = BAD[kind]
    stream = Stream(plant, wrap=past_probe(wrap))
    stream.feed(60)
    bad = bring(plant)

    stream.feed(samples + 2)

    ledger = plant.store.ledger
    assert ledger.current.version == 1
    assert ledger.history[-1].event == "undone"
    assert reason in ledger.history[-1].reason
    assert bad.digest in ledger.refused
    assert plant.fetch() == (bad, False)
    assert [event.kind for event in stream.watch.take_events()] == ["model"]
    results = stream.feed(60)
    assert all(math.isfinite(result.score) for result in results[30:])
    assert stream.watch.report["version"] == 1
    assert "undone" in stream.watch.report["error"]


def test_a_model_that_fails_its_probe_never_takes_over(plant):
    def unusable(detector):
        raise ModelError("It cannot be used.")

    stream = Stream(plant, wrap=unusable)
    stream.feed(40)
    bring(plant)

    results = stream.feed(5)

    assert all(result.score is not None for result in results)
    assert plant.store.ledger.history[-1].reason == "It cannot be used."


def test_a_good_model_takes_over_with_the_window_and_is_confirmed_after_its_trial_time(plant):
    stream = Stream(plant, trial="0s")
    stream.feed(60)
    bring(plant)

    results = stream.feed(10)

    assert stream.watch.report["version"] == 2
    assert stream.watch.report["trial"]
    assert all(result.score is not None for result in results)  # no warm-up: the windows agree
    stream.feed(60)
    assert plant.store.ledger.trial_since is None
    assert plant.store.ledger.history[-1].event == "confirmed"
    assert not stream.watch.report["trial"]


def test_a_model_with_another_scaler_warms_up():
    old = Detector.load(MODELS / "auto.int8.tflite")
    for row in NORMAL[:60]:
        old.update(row[1:], row[0])
    same, other = (Detector.load(MODELS / f"{name}.tflite") for name in ("auto.int8", "auto.float32"))

    assert take_over(same, old)
    assert not take_over(other, old)  # quantized rows mean nothing to a float model
    score = old.update(NORMAL[60, 1:], NORMAL[60, 0]).score
    assert same.update(NORMAL[60, 1:], NORMAL[60, 0]).score == pytest.approx(score, rel=0.5)
    assert other.update(NORMAL[60, 1:], NORMAL[60, 0]).status == "warmup"


def test_a_model_with_other_channels_does_not_take_over():
    old, other = (Detector.load(MODELS / f"{name}.tflite") for name in ("auto.int8", "auto.int8"))
    channels = tuple(replace(channel, name=f"new_{channel.name}") for channel in other.metadata.channels)
    other.metadata = other.metadata.with_(channels=channels)

    with pytest.raises(ModelError, match="It takes other channels: new_level_cm, new_flow_lpm"):
        take_over(other, old)


def test_a_state_that_does_not_fit_costs_a_warm_up_and_no_more():
    old, new = (Detector.load(MODELS / "auto.int8.tflite") for _ in range(2))
    for row in NORMAL[:60]:
        old.update(row[1:], row[0])
    old.stream.engine.to_state = dict

    assert not take_over(new, old)
    assert new.index == old.index
    assert new.update(NORMAL[60, 1:], NORMAL[60, 0]).status == "warmup"


def test_a_rollback_by_hand_is_followed_by_a_running_watch(plant):
    stream = Stream(plant)
    bring(plant)
    stream.feed(20)
    assert stream.watch.report["version"] == 2

    plant.store.leave("rolled back", "a test", stream.watch.release.digest)

    stream.feed(2)
    assert stream.watch.report["version"] == 1


def test_the_thread_fetches_tries_replays_and_installs(plant):
    stream = Stream(plant)
    stream.feed(150)
    plant.publish("second")
    stream.watch._poll_at = 0.0

    stream.feed(1)
    stream.watch._thread.join(60)
    stream.feed(1)

    assert stream.watch.report["version"] == 2
    assert plant.store.ledger.trial_since is not None
    assert len(load_normal_rows(plant.device)) > 100
    stream.watch.close()


def test_the_look_between_samples_is_cheap(plant):
    stream = Stream(plant)
    stream.feed(1)
    stream.watch._look_at = time.monotonic() + 60
    begin = time.thread_time()  # of this thread's own work: what else the machine does is left out
    for _ in range(10_000):
        stream.watch.replaced(stream.detector)
    assert (time.thread_time() - begin) / 10_000 < 20e-6
    assert update_watch.LOOK >= 1.0
