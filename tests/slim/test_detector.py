"""The detector: same numbers as the plain building blocks, and what a user may expect of it."""

from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.error_stream import mean_error
from edgelstm.runtime.errors import ModelError, ShapeError
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.scoring.registry import scorer_of


def plain_scores(bundle, values):
    """Scores by Scaler, TFLiteModel and the scorer alone, window by window."""
    said, model = bundle.metadata, TFLiteModel(bundle.flatbuffer)
    scaled, scorer = said.scaler.transform(values), scorer_of(said.scoring)
    outputs = model.predict(sliding_windows(scaled, said.window))
    if said.kind == "autoencoder":
        windows = zip(sliding_windows(scaled, said.window), outputs, strict=True)
        errors = [mean_error(target, output, said.scoring.rows) for target, output in windows]
    else:
        errors = np.subtract(scaled[said.window :], outputs[:-1, 0], dtype=np.float64)
    return [scorer.update(error.tolist())[0] for error in errors]


def test_the_hot_path_gives_the_bits_of_the_plain_code(bundle, stream):
    detector = Detector.from_bundle(bundle)
    results = [detector.update(row[1:], row[0]) for row in stream]
    scores = [result.score for result in results if result.score is not None]

    assert scores == plain_scores(bundle, stream[:, 1:])
    assert len(scores) == len(stream) - bundle.metadata.window + (bundle.metadata.kind == "autoencoder")


def test_an_average_over_several_rows_gives_the_bits_of_the_plain_code(models, stream):
    bundle = load_bundle(models / "auto.int8.tflite")
    scoring = replace(bundle.metadata.scoring, rows=5, smoothing=0.5)
    bundle = replace(bundle, metadata=bundle.metadata.with_(scoring=scoring))
    detector = Detector.from_bundle(bundle)
    scores = [result.score for result in (detector.update(row[1:]) for row in stream) if result.score is not None]

    assert scores == plain_scores(bundle, stream[:, 1:])


def test_lists_tuples_and_arrays_are_the_same_sample(bundle, stream):
    kinds = (list, tuple, np.asarray, lambda row: np.asarray(row, np.float64)[:])
    runs = []
    for kind in kinds:
        detector = Detector.from_bundle(bundle)
        runs.append([detector.update(kind(row[1:].tolist()), row[0]).score for row in stream[:60]])

    assert all(run == runs[0] for run in runs)


def test_warm_up_gives_no_score_and_says_so(bundle, stream):
    detector = Detector.from_bundle(bundle)
    results = [detector.update(row[1:], row[0]) for row in stream[: bundle.metadata.window - 1]]

    assert all(result.score is None and result.status == "warmup" and not result.anomaly for result in results)


def test_contributions_sum_to_one_and_name_the_shifted_channel(models, stream):
    detector = Detector.load(models / "cast.int8.tflite")
    results = [detector.update(row[1:], row[0]) for row in stream]
    shifted = results[300]

    assert sum(shifted.contribution) == pytest.approx(1)
    assert shifted.contribution[0] > 0.9
    assert shifted.anomaly


def test_every_fault_of_the_stream_raises_an_event_and_normal_rows_none(bundle, stream):
    detector = Detector.from_bundle(bundle)
    events = [event for row in stream for event in detector.update(row[1:], row[0]).events] + list(detector.finish())
    starts = [event.start - stream[0, 0] for event in events if event.kind == "anomaly" and event.state == "open"]

    assert any(150 <= start < 155 for start in starts)
    assert any(300 <= start < 305 for start in starts)
    assert not [start for start in starts if start < 150]


def test_the_callers_array_is_not_touched(bundle, stream):
    rows = stream[:50, 1:].copy()
    detector = Detector.from_bundle(bundle)
    for row in rows:
        detector.update(row)

    assert np.array_equal(rows, stream[:50, 1:])


@pytest.mark.parametrize("sample", [[1.0], [1.0, 2.0, 3.0], 5.0, [[1.0, 2.0]], []])
def test_a_wrong_number_of_channels_is_named(bundle, sample):
    detector = Detector.from_bundle(bundle)

    with pytest.raises(ShapeError, match=r"2 channels \(level_cm, flow_lpm\)"):
        detector.update(sample)


def test_reset_starts_over(bundle, stream):
    detector = Detector.from_bundle(bundle)
    first = [detector.update(row[1:], row[0]) for row in stream[:200]]
    detector.reset()

    assert [detector.update(row[1:], row[0]) for row in stream[:200]] == first


def test_a_model_without_score_statistics_is_refused(bundle):
    with pytest.raises(ModelError, match="no score statistics"):
        Detector(bundle.metadata.with_(scoring=None), lambda window: window)
