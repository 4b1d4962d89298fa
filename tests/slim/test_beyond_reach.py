"""Values far beyond what an integer model holds: a forecast of 16 bits follows them as float's does."""

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle

LEVEL = 1e5  # times the deviation in training: 16 bits end long before


@pytest.fixture
def rows(models, stream):
    """300 rows of the stream, 100 of a level far beyond it in both channels, and 100 of the stream again."""
    metadata = load_bundle(models / "cast.int8.tflite").metadata
    normal = np.array([row[1:3] for row in stream], float)[:400]
    far = metadata.scaler.inverse(np.full((100, 2), LEVEL))
    return np.concatenate([normal[:300], far, normal[300:]]).tolist()


def scores_of(path, rows):
    detector = Detector.from_bundle(load_bundle(path))
    results = [detector.update(row) for row in rows]
    return np.array([np.nan if result.score is None else result.score for result in results]), detector


@pytest.mark.parametrize("scheme", ["int8", "float32"])
def test_a_level_far_beyond_training_is_an_error_when_it_comes_and_when_it_goes(models, rows, scheme):
    scores, detector = scores_of(models / f"cast.{scheme}.tflite", rows)

    assert scores[300] > 10 * detector.threshold
    assert scores[400] > 10 * detector.threshold


def test_a_level_beyond_16_bits_is_followed(models, rows):
    detector = Detector.from_bundle(load_bundle(models / "cast.int8.tflite"))
    reach = detector.stream.engine.reach
    for row in rows[:400]:
        detector.update(row)

    assert reach < LEVEL / 10
    assert np.allclose(detector.stream.expected, LEVEL, rtol=0.01)
