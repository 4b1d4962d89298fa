"""A streaming model on the base install: one row a call. Gaps and snapshots are in test_snapshot.py."""

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.inference.interpreter import TFLiteModel


@pytest.fixture
def streaming(models):
    return load_bundle(models / "flow.stream.int8.tflite")


def play(detector, rows):
    return [detector.update(row[1:].tolist(), row[0]) for row in rows]


def test_the_score_begins_after_the_warmup_and_finds_the_faults(streaming, stream):
    found = play(Detector.from_bundle(streaming), stream)
    warmup = streaming.metadata.sections["streaming"]["warmup"]

    assert [result.score is None for result in found[: warmup + 1]] == [True] * warmup + [False]
    assert any(result.anomaly for result in found[150:155])
    assert any(result.anomaly for result in found[300:305])
    assert np.mean([result.anomaly for result in found[:150]]) < 0.05


def test_the_state_is_kept_from_call_to_call_and_reset_by_a_call_from_zero(streaming):
    model = TFLiteModel(streaming.flatbuffer)
    row = np.ones(model.inputs[0].shape, np.float32)
    first, second = model.step(row)[0], model.step(row)[0]

    assert not np.array_equal(first, second)
    assert np.array_equal(model(row)[0], first)


def test_a_snapshot_of_the_windowed_form_is_not_taken_for_it(streaming):
    windowed = streaming.metadata.with_(stateful=False)

    assert Detector.from_bundle(streaming).identity != Detector(windowed, lambda window: window).identity
