"""A detector that is stopped, stored and restored goes on as if it had never stopped."""

import json
from functools import cache, reduce
from itertools import pairwise

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.input.policies import warmup


def irregular(stream):
    """The stream with some of everything in it."""
    rows = stream.copy()
    rows[60, 1] = np.nan
    rows[90:100, 2] = np.nan
    rows[200:, 0] += 30
    rows[260, 2] = 1e30
    return np.delete(np.insert(rows, 40, rows[39], axis=0), [120, 121, 122, 123, 124, 125], axis=0)


def play(detector, rows):
    return [detector.update(row[1:].tolist(), row[0]) for row in rows]


CUTS = (0, 1, 10, 24, 25, 41, 61, 95, 110, 125, 210, 262, 300, 303, 320, 345, 480, 590)


@pytest.fixture(scope="module")
def played(models, stream):
    """Give the whole run of a model over the irregular stream, and its snapshots at the cuts as JSON."""

    @cache
    def play_whole(name):
        bundle, rows = load_bundle(models / name), irregular(stream)
        undisturbed, whole = Detector.from_bundle(bundle), Detector.from_bundle(bundle)
        snapshots, results = {}, []
        for begin, end in pairwise((0, *CUTS, len(rows))):
            results += play(whole, rows[begin:end])
            snapshots[end] = json.dumps(whole.snapshot())
        assert results == play(undisturbed, rows)  # snapshots leave no trace
        return rows, [*results, whole.finish()], snapshots, whole.snapshot()

    return play_whole


@pytest.mark.parametrize("cut", CUTS)
def test_a_restored_detector_gives_the_same_bits_and_events(model_path, bundle, played, cut):
    rows, expected, snapshots, last = played(model_path.name)
    second = Detector.from_bundle(bundle)
    second.restore(json.loads(snapshots[cut]))

    assert [*play(second, rows[cut:]), second.finish()] == expected[cut:]
    assert second.snapshot() == last


def test_a_snapshot_of_another_model_is_refused_and_the_detector_is_as_new(models, stream):
    detector, other = Detector.load(models / "cast.int8.tflite"), Detector.load(models / "auto.int8.tflite")
    play(other, stream[:50])
    with pytest.raises(ModelError, match="another model"):
        detector.restore(other.snapshot())

    assert play(detector, stream[:60]) == play(Detector.load(models / "cast.int8.tflite"), stream[:60])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.pop("validator"),
        lambda s: s.update(stream={}),
        lambda s: s["stream"]["engine"].update(windows=["AAAA"]),
    ],
)
def test_a_damaged_snapshot_is_refused(bundle, stream, spoil):
    detector = Detector.from_bundle(bundle)
    play(detector, stream[:50])
    state = detector.snapshot()
    spoil(state)

    with pytest.raises(ModelError, match="does not fit"):
        detector.restore(state)


@pytest.mark.parametrize("schema", [1, 2, 3, 4, 5, 6, 8, None])
def test_a_snapshot_of_another_schema_is_refused_by_its_number(bundle, stream, schema):
    detector = Detector.from_bundle(bundle)
    play(detector, stream[:50])

    with pytest.raises(
        ModelError, match=f"snapshot schema {schema}, of another version of edgelstm; this version reads 7"
    ):
        detector.restore(detector.snapshot() | {"schema": schema})


def test_a_snapshot_of_schema_3_is_refused_by_its_number(bundle):
    """Its keys as they were: the version is checked before anything else is read."""
    old = {"schema": 3, "model": "", "index": 7, "engine": {}, "guard": {}, "faults": {}, "decider": None}

    with pytest.raises(ModelError, match="snapshot schema 3, of another version"):
        Detector.from_bundle(bundle).restore(old)


KEYS = {
    "": {"schema", "model", "samples", "validator", "faults", "stream", "scorer", "alarms"},
    "validator": {"counts", "time", "lost_rows", "backwards", "late_time", "irregular", "readings", "rate"},
    "stream": {"engine", "expected", "before", "plausible"},
    "alarms": {"debounce", "evidence", "calm_check", "drift"},
    "alarms.debounce": {"excursions", "squares", "opening"},
    "alarms.drift": {"waiting_rows", "waiting_scores", "samples", "score_total", "counts_above", "squares", "recent_ratios",
              "excursions", "histogram", "page_hinkley", "adaptation"},
}  # fmt: skip


def test_the_keys_of_a_snapshot_are_those_of_its_schema(models, stream):
    """A change of keys needs a new SNAPSHOT_SCHEMA: change both here and there."""
    detector = Detector.load(models / "cast.int8.tflite", adapt=2.0)
    play(detector, stream[:50])
    state = detector.snapshot()

    assert state["schema"] == 7
    assert {
        part: set(reduce(lambda inner, key: inner[key], part.split(".") if part else (), state)) for part in KEYS
    } == KEYS
    assert not any(key.startswith("_") for part in KEYS.values() for key in part)


def test_state_tensors_survive_in_a_streaming_engine(models, stream):
    """A streaming model keeps its LSTM state inside the interpreter."""
    from edgelstm.runtime.inference.engine import TFLiteEngine
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    bundle = load_bundle(models / "flow.stream.int8.tflite")
    engines = [TFLiteEngine(TFLiteModel(bundle.flatbuffer), stateful=True) for _ in range(2)]
    samples = bundle.metadata.scaler.transform(stream[:30, 1:])
    for sample in samples:
        engines[0].push(sample.tolist(), sample.tobytes())
        engines[0].run(0)
    engines[1].restore(json.loads(json.dumps(engines[0].to_state())))

    assert engines[0].run(0) == engines[1].run(0)
    engines[1].model.reset()
    assert engines[0].run(0) != engines[1].run(0)


@pytest.fixture
def streaming(models):
    """The streaming forecaster, W = 1: its history is the interpreter's state."""
    return load_bundle(models / "flow.stream.int8.tflite")


def test_a_streaming_model_warms_up_again_after_a_gap_and_forgets_what_was_before(streaming, stream):
    """Two streams that differ before the gap give the same bits after it, once they have the same baseline."""
    calm, wild = stream[:140].copy(), stream[:140].copy()
    wild[:60, 1:] = wild[:60, 1:] * 1.2 + 1
    for rows in (calm, wild):
        rows[70:, 0] += 500
    one, other = (Detector.from_bundle(streaming) for _ in range(2))
    ours, theirs = play(one, calm[:70]), play(other, wild[:70])
    other.scorer.restore(one.scorer.to_state())
    ours, theirs = ours + play(one, calm[70:]), theirs + play(other, wild[70:])
    length = warmup(streaming.metadata)

    assert streaming.metadata.stateful
    assert {result.status for result in ours[70 : 70 + length]} == {"warmup"}
    assert ours[70 + length + 1].status == "ok"
    assert ours[60].score != theirs[60].score
    assert [result.score for result in ours[70:]] == [result.score for result in theirs[70:]]


@pytest.mark.parametrize("cut", [1, 41, 95, 210, 303, 480])
def test_a_restored_streaming_model_gives_the_same_bits_and_events(streaming, stream, cut):
    rows = irregular(stream)
    whole = Detector.from_bundle(streaming)
    expected = [*play(whole, rows), whole.finish()]
    first, second = Detector.from_bundle(streaming), Detector.from_bundle(streaming)
    found = play(first, rows[:cut])
    second.restore(json.loads(json.dumps(first.snapshot())))
    found += [*play(second, rows[cut:]), second.finish()]

    assert found == expected
    assert second.snapshot() == whole.snapshot()
