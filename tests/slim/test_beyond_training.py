"""Rows further outside of training than five times its range are anomalies, as long as they last, until they are accepted."""

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.input.beyond import Beyond, lifted
from edgelstm.runtime.input.readings import near_training
from edgelstm.runtime.model_file.scaler import Scaler
from edgelstm.runtime.recalibration import recalibrate, roll_back
from edgelstm.runtime.sources import Sample

NAMES = ["cast.int8", "cast.float32", "auto.int8"]


def ranges_of(metadata):
    """Lowest value of training and width, shape (F,) each."""
    low, high = np.array([(channel.train_low, channel.train_high) for channel in metadata.channels]).T
    return low, high - low


def watch(bundle, rows):
    detector = Detector.from_bundle(bundle)
    return [detector.update(row, float(index)) for index, row in enumerate(np.asarray(rows).tolist())]


def opened(results):
    return [event for result in results for event in result.events if (event.kind, event.state) == ("anomaly", "open")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("away", [-10_000.0, 7.0, 30.0, 10_000.0])
@pytest.mark.parametrize("still", [True, False])
def test_a_stream_far_outside_alarms_as_soon_as_it_is_scored_and_as_long_as_it_lasts(models, stream, name, away, still):
    """A forecast that has followed a stream that stands still there has no error at all."""
    bundle = load_bundle(models / f"{name}.tflite")
    _, width = ranges_of(bundle.metadata)
    normal = np.repeat(stream[:1, 1:], 140, axis=0) if still else stream[:140, 1:]
    results = watch(bundle, normal + away * width)
    scored = [result for result in results if result.score is not None]

    assert len(opened(results)) == 1
    assert len(scored) > 100
    assert all(result.anomaly and result.score > result.threshold for result in scored)


def test_one_channel_alone_is_enough_and_is_the_one_named(models, stream):
    bundle = load_bundle(models / "cast.int8.tflite")
    _, width = ranges_of(bundle.metadata)
    results = watch(bundle, stream[:140, 1:] + np.array([0.0, 50.0]) * width)

    assert next(iter(opened(results)[0].channels)) == bundle.metadata.names[1]


def test_distances_count_from_five_ranges_on_and_not_where_masked_or_unknown(models):
    metadata = load_bundle(models / "cast.int8.tflite").metadata
    low, width = ranges_of(metadata)
    within, outside = (low + width + share * 5 * width for share in (0.99, 2.0))
    half = replace(metadata.channels[0], train_low=None, train_high=None)
    unknown = metadata.with_(channels=(half, metadata.channels[1]))

    assert Beyond(metadata).distances(within.tolist()) == ()
    assert Beyond(metadata).distances(outside.tolist()) == pytest.approx((2.0, 2.0))
    assert Beyond(metadata).distances((low - 15 * width).tolist()) == pytest.approx((3.0, 3.0))
    assert Beyond(metadata).distances(outside.tolist(), masked={0}) == pytest.approx((0.0, 2.0))
    assert Beyond(metadata).distances(outside.tolist(), masked={0, 1}) == ()
    assert Beyond(unknown).distances(outside.tolist()) == pytest.approx((0.0, 2.0))


def test_a_score_is_never_lowered():
    assert lifted((9.0, (9.0, 0.0)), (2.0, 0.0), 1.5) == (9.0, (9.0, 0.0))
    assert lifted((1.0, (1.0, 0.0)), (4 * math.e / 5, math.e), 1.5) == (
        3.0,
        pytest.approx((3.0 * 4 / 41**0.5, 3.0 * 5 / 41**0.5)),
    )


def test_the_far_channel_is_named_also_where_errors_of_others_are_larger():
    assert lifted((9.0, (0.0, 9.0)), (2.0, 0.0), 1.5) == (9.0, (9.0, 0.0))


@pytest.mark.parametrize(
    ("low", "high", "width"), [(0.0, 0.01, 0.01), (0.1, 0.1 + 1e-15, 1.0), (0.1, 0.1, 1.0), (20.0, 70.0, 50.0)]
)
def test_no_row_that_is_an_anomaly_by_its_distance_passes_for_a_regular_one(models, low, high, width):
    """A unit of the scaler may be far more than a channel's range; rounding noise of a constant is no range."""
    metadata = load_bundle(models / "cast.int8.tflite").metadata
    channel = replace(metadata.channels[0], train_low=low, train_high=high)
    scaler = Scaler("none", (0.0, 0.0), (1.0, 1.0))
    beyond = Beyond(metadata.with_(channels=(channel, replace(channel, name="b")), scaler=scaler))
    least, most = near_training([channel], Scaler("none", (0.0,), (1.0,)))[0]

    assert beyond.distances([least, most]) == ()
    assert beyond.distances([low, high + 6 * width]) == pytest.approx((0.0, 1.2))


def test_calibration_on_such_rows_accepts_them_and_a_roll_back_does_not(models, stream, tmp_path):
    model = shutil.copy(models / "cast.float32.tflite", tmp_path)
    before = load_bundle(model).metadata
    _, width = ranges_of(before)
    rows = np.tile(stream[:140, 1:], (3, 1)) + 40 * width
    recalibrate(model, [Sample(row, float(at), at) for at, row in enumerate(rows.tolist())], force=True)
    accepted = Beyond(load_bundle(model).metadata)
    roll_back(model)

    assert not any(accepted.distances(row) for row in rows.tolist())
    assert all(map(Beyond(load_bundle(model).metadata).distances, rows.tolist()))
    assert load_bundle(model).metadata.channels == before.channels


def test_one_wild_reading_in_the_rows_of_a_calibration_opens_no_range(models, stream, tmp_path):
    model = shutil.copy(models / "cast.int8.tflite", tmp_path)
    _, width = ranges_of(load_bundle(model).metadata)
    rows = np.tile(stream[:140, 1:], (3, 1))
    rows[200] += 1e6 * width
    recalibrate(model, [Sample(row, float(at), at) for at, row in enumerate(rows.tolist())], force=True)

    assert Beyond(load_bundle(model).metadata).distances((rows[0] + 30 * width).tolist())
