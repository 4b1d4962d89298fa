"""Detection limits: the smallest faults that a detector finds, from faults injected into normal rows."""

from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.scoring.registry import style_of

from edgelstm.training.detection_limits import detection_limits

CHANNELS = tuple(Channel(name, train_low=-4.0, train_high=4.0) for name in ("flow", "pressure"))
RANDOM = np.random.default_rng(0)


class Mean:
    """A forecaster that knows normal operation as 0 in every channel."""

    def predict_on_batch(self, windows):
        return np.zeros((len(windows), 1, windows.shape[2]), np.float32)


@pytest.fixture(scope="module")
def fitted():
    rows = RANDOM.normal(size=(3000, 2)).astype(np.float32)
    metadata = Metadata(
        "forecaster", 4, 1, CHANNELS, 2.0, Scaler("none", (0.0, 0.0), (1.0, 10.0)), scoring=style_of("witnesses")
    )
    return rows, fit_detector(metadata, lambda window: np.zeros((1, 2), np.float32), [rows])


def test_limits_are_in_sensor_units_and_what_they_say_is_found(fitted):
    rows, metadata = fitted
    flow, pressure = detection_limits(Mean(), metadata, [rows])["channels"]

    assert flow["channel"] == "flow"
    assert 0.2 < flow["offset"] < 3
    assert flow["drift"] >= flow["offset"]
    assert pressure["offset"] == pytest.approx(10 * flow["offset"], rel=1.0)


def test_a_lower_threshold_finds_smaller_faults(fitted):
    rows, metadata = fitted
    strict = metadata.with_(threshold=replace(metadata.threshold, value=4.0))
    loose, tight = (detection_limits(Mean(), model, [rows])["channels"][0] for model in (metadata, strict))

    assert loose["offset"] < tight["offset"]


def test_few_rows_give_no_limits(fitted):
    rows, metadata = fitted

    assert detection_limits(Mean(), metadata, [rows[:90]]) is None


def test_what_lies_five_ranges_outside_of_training_is_found_whatever_the_threshold_says(fitted):
    rows, metadata = fitted
    flow, pressure = (
        replace(channel, train_low=-half, train_high=half) for channel, half in zip(CHANNELS, (0.5, 400.0), strict=True)
    )
    deaf = metadata.with_(threshold=replace(metadata.threshold, value=1e9), channels=(flow, pressure))
    offsets = [channel["offset"] for channel in detection_limits(Mean(), deaf, [rows])["channels"]]

    assert 2 < offsets[0] < 13
    assert offsets[1] is None
