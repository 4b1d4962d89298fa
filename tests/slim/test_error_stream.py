"""Errors of a model on a stream: what the detector scores and the calibration fits."""

import json

import numpy as np
import pytest
from edgelstm.runtime import load_bundle
from edgelstm.runtime.calibration import segment_errors
from edgelstm.runtime.error_stream import open_engine, open_stream
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.scoring.scorer import Scoring

CHANNELS = (Channel("a"), Channel("b"))


def model(kind, rows=1):
    """A model of windows of four rows: it forecasts the last row, or reconstructs all as the first."""
    predict = (
        (lambda window: window[-1:]) if kind == "forecaster" else (lambda window: np.repeat(window[:1], 4, axis=0))
    )
    return open_stream(Metadata(kind, 4, 1, CHANNELS, scoring=Scoring(rows=rows)), predict)


def test_a_forecaster_errs_by_the_difference_to_its_last_forecast():
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)

    assert segment_errors(model("forecaster"), rows).tolist() == np.diff(rows.astype(float), axis=0)[3:].tolist()


def test_an_autoencoder_errs_by_the_newest_row_with_its_sign():
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    windows = sliding_windows(rows, 4).astype(float)

    assert segment_errors(model("autoencoder"), rows).tolist() == (windows[:, -1] - windows[:, 0]).tolist()


def test_errors_over_several_rows_are_averages_of_their_sizes():
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    windows = sliding_windows(rows, 4).astype(float)
    expected = np.abs(windows[:, -3:] - windows[:, :1]).mean(axis=1)

    assert segment_errors(model("autoencoder", rows=3), rows) == pytest.approx(expected)


def test_the_warm_up_gives_no_error_and_comes_again_after_a_clear():
    for kind, first in (("forecaster", 4), ("autoencoder", 3)):
        stream = model(kind)
        for _ in range(2):
            errors = [stream.push([float(row), 0.0]) for row in range(8)]
            stream.clear()

            assert [error is None for error in errors] == [row < first for row in range(8)]


def test_the_expectation_stands_for_a_reading_that_is_missing():
    """A forecaster then has no error there; an autoencoder that of the value it makes of it."""
    stream = model("forecaster")
    for row in range(6):
        stream.push([float(row), 1.0])
    error = stream.push_filled([6.0, 99.0], filled=(1,))

    assert error == [1.0, 0.0]
    assert stream.expected == [6.0, 1.0]


def test_a_restored_stream_gives_the_same_bits(bundle, stream):
    scaled = bundle.metadata.scaler.transform(stream[:120, 1:]).tolist()
    whole, first, second = (open_stream(bundle.metadata, open_engine(bundle)) for _ in range(3))
    expected = [list(error) for row in scaled if (error := whole.push(row)) is not None]
    errors = [list(error) for row in scaled[:70] if (error := first.push(row)) is not None]
    second.restore(json.loads(json.dumps(first.to_state())))
    errors += [list(error) for row in scaled[70:] if (error := second.push(row)) is not None]

    assert errors == expected


def test_detector_and_calibration_see_the_same_errors(models, stream):
    """The errors of the calibration, scored, are the detector's scores (see also test_scoring)."""
    from edgelstm.runtime import Detector
    from edgelstm.runtime.calibration import segment_scores

    bundle = load_bundle(models / "cast.int8.tflite")
    scaled = bundle.metadata.scaler.transform(stream[:150, 1:])
    errors = segment_errors(open_stream(bundle.metadata, open_engine(bundle)), scaled)
    detector = Detector.from_bundle(bundle)
    scores = [detector.update(row[1:].tolist(), row[0]).score for row in stream[:150]]

    assert segment_scores(bundle.metadata.scoring, errors).tolist() == [score for score in scores if score is not None]
