"""A Keras model fed in batches says what it would say one window at a time."""

import numpy as np
from edgelstm.runtime.model_file.metadata import Channel, Metadata

from edgelstm.evaluation.batched_predict import BATCH, batched_predict


class Doubling:
    """Stands for a Keras model, and counts its calls."""

    def __init__(self):
        self.sizes = []

    def predict_on_batch(self, windows):
        self.sizes.append(len(windows))
        return 2 * windows


METADATA = Metadata("autoencoder", 3, channels=(Channel("a"), Channel("b")))


def fed(segments, windows):
    """Answers and the model that gave them."""
    model = Doubling()
    predict = batched_predict(model, METADATA, segments)
    return [predict(window) for window in windows], model


def windows_of(segment):
    return [segment[at : at + 3] for at in range(len(segment) - 2)]


def test_windows_in_order_are_predicted_in_batches():
    segment = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    answers, model = fed([segment], windows_of(segment))

    assert all(np.array_equal(answer, 2 * window) for answer, window in zip(answers, windows_of(segment), strict=True))
    assert len(model.sizes) == -(-1998 // BATCH)


def test_segments_follow_each_other_and_short_ones_are_passed_over():
    parts = [
        np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32) for seed, rows in enumerate((40, 2, 30))
    ]
    asked = windows_of(parts[0]) + windows_of(parts[2])
    answers, model = fed(parts, asked)

    assert all(np.array_equal(answer, 2 * window) for answer, window in zip(answers, asked, strict=True))
    assert model.sizes == [66]


def test_after_dropped_rows_the_place_is_found_again():
    segment = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    asked = windows_of(segment)[:100] + windows_of(segment)[1500:]
    answers, model = fed([segment], asked)

    assert all(np.array_equal(answer, 2 * window) for answer, window in zip(answers, asked, strict=True))
    assert 1 not in model.sizes


def test_a_window_that_is_in_no_segment_is_predicted_alone():
    segment = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    other = np.ones((3, 2), np.float32)
    answers, model = fed([segment], [*windows_of(segment)[:5], other, *windows_of(segment)[5:]])

    assert np.array_equal(answers[5], 2 * other)
    assert model.sizes == [98, 1]


def test_a_constant_series_needs_one_batch():
    segment = np.ones((300, 2), np.float32)
    _, model = fed([segment], windows_of(segment))

    assert model.sizes == [298]


def test_memory_does_not_grow_with_the_rows():
    import tracemalloc

    segment = np.random.default_rng(0).normal(size=(50_000, 2)).astype(np.float32)
    predict = batched_predict(Doubling(), METADATA, [segment])
    tracemalloc.start()
    for at in range(len(segment) - 2):
        predict(segment[at : at + 3])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2_000_000
