"""Readings that are missing, impossible, far outside the training range, or stuck: each channel has its own validity."""

import json
import math

import numpy as np
import pytest
from edgelstm.runtime.input.sensor_faults import CalmCheck

NAN = math.nan


def play(detector, rows):
    return [detector.update(row[1:], row[0]) for row in rows]


def clean(stream, rows=140):
    return stream[:rows].copy()


@pytest.mark.parametrize(
    ("value", "reason"), [(NAN, "missing"), (math.inf, "missing"), (1e4, "range"), (-1e4, "range")]
)
def test_a_bad_value_is_held_and_its_channel_does_not_count(make, stream, value, reason):
    rows, detector = clean(stream), make()
    rows[60, 1] = value
    results = play(detector, rows)

    assert results[60].status == "held"
    assert results[60].parts[0] == 0
    assert detector.validator.counts[reason] == 1
    assert not [event for result in results for event in result.events]


def test_a_row_without_any_value_is_a_missing_row(make, stream):
    rows, detector = clean(stream), make()
    rows[60, 1:] = NAN
    results = play(detector, rows)

    assert results[60].status == "missing"
    assert results[60].score is None
    assert detector.validator.counts["bridged"] == 1


@pytest.mark.parametrize("name", ["cast.int8", "auto.int8", "auto.float32"])
def test_a_dead_channel_is_a_sensor_fault_until_it_is_back_for_a_window(make, stream, name):
    rows, detector = clean(stream), make(name)
    rows[40:70, 2] = NAN
    results = play(detector, rows)
    events = [event for result in results for event in result.events]

    assert [(e.kind, e.reason, e.state, e.channels) for e in events] == [
        ("sensor_fault", "missing", "open", ("flow_lpm",)),
        ("sensor_fault", "missing", "closed", ("flow_lpm",)),
    ]
    assert events[0].id == events[1].id
    assert events[1].end == rows[69, 0]


def test_a_window_after_a_dead_channel_is_back_scores_are_a_clean_runs(make, stream):
    rows, detector = clean(stream), make("auto.int8")
    rows[40:70, 2] = NAN
    back = 70 + detector.metadata.window

    assert [r.score for r in play(detector, rows)[back:]] == [
        r.score for r in play(make("auto.int8"), clean(stream))[back:]
    ]


def test_a_channel_dead_from_the_start_does_not_stop_the_others(make, stream):
    rows, detector = clean(stream), make()
    rows[:, 2] = NAN
    results = play(detector, rows)

    assert results[-1].score is not None
    assert [event.reason for result in results for event in result.events] == ["missing"]


def test_a_stuck_channel_is_told_apart_from_an_anomaly(make, stream):
    detector = make()
    events = [event for result in play(detector, stream) for event in result.events]
    stuck = [event for event in events if event.reason == "stuck"]

    assert [(e.state, e.channels) for e in stuck] == [("open", ("flow_lpm",)), ("closed", ("flow_lpm",))]
    assert 450 <= stuck[0].start - stream[0, 0] <= 450 + detector.metadata.window
    assert detector.validator.counts["stuck"] > 0


def test_a_channel_that_rests_in_training_is_not_stuck(make, stream):
    detector = make(longest_run=None)
    play(detector, stream)

    assert detector.validator.counts["stuck"] == 0


@pytest.mark.parametrize("name", ["cast.int8", "auto.int8", "cast.float32", "auto.float32"])
@pytest.mark.parametrize("value", [60.0, 1e3, 1e30, 1e300, -1e300])
def test_a_value_far_outside_raises_the_score_and_does_not_vanish_in_clipping(make, stream, name, value):
    rows, detector = clean(stream), make(name, low=None, high=None)
    rows[60, 2] = value
    results = play(detector, rows)

    assert results[60].anomaly
    assert math.isfinite(results[60].score)
    assert results[60].score > 3 * results[60].threshold
    assert detector.validator.counts["far"] == 1
    held = "int8" not in name or (name, value) == ("cast.int8", 60.0)  # a forecaster's 16 bits reach so far
    assert held == (detector.engine.clipped == 0)


def in_turn(rows):
    """Each row lacks one channel, in turn."""
    rows = rows.copy()
    for number in range(len(rows)):
        rows[number, 1 + number % (rows.shape[1] - 1)] = NAN
    return rows


def one_by_one(rows):
    """Each row as one message a channel, 40 ms apart, with the other channels missing."""
    messages = np.repeat(rows, rows.shape[1] - 1, axis=0)
    for number in range(len(messages)):
        channel = number % (rows.shape[1] - 1)
        messages[number, 1:] = np.where(np.arange(rows.shape[1] - 1) == channel, messages[number, 1:], NAN)
        messages[number, 0] += 0.04 * channel
    return messages


@pytest.mark.parametrize("name", ["cast.int8", "auto.int8", "cast.float32", "auto.float32", "flow.stream.int8"])
def test_rows_that_lack_one_channel_in_turn_are_scored_by_the_others(make, stream, name):
    results = play(make(name), in_turn(stream))
    whole = sum(result.score is not None for result in play(make(name), stream))

    assert sum(result.score is not None for result in results) == whole
    assert {result.status for result in results} == {"warmup", "held"}


@pytest.mark.parametrize("name", ["cast.int8", "cast.float32"])
def test_a_fault_in_rows_that_lack_one_channel_in_turn_is_found(make, stream, name):
    results = play(make(name), in_turn(stream))
    opened = [event.start - stream[0, 0] for result in results for event in result.events if event.state == "open"]

    assert [start for start in opened if 150 <= start < 155]
    assert [start for start in opened if 300 <= start < 310]


def test_a_channel_without_a_reading_has_no_part_in_the_score(make, stream):
    results = play(make(), in_turn(clean(stream)))

    assert all(result.parts[number % 2] == 0 for number, result in enumerate(results) if result.parts)


@pytest.mark.parametrize("name", ["cast.int8", "auto.int8", "flow.stream.int8"])
def test_a_row_that_comes_as_one_message_a_channel_is_merged(make, stream, name):
    """The model sees whole rows: its expectation after each is that of the rows in one piece."""
    pieces, whole = make(name), make(name)
    for row, messages in zip(stream[:100], np.split(one_by_one(stream[:100]), 100), strict=True):
        results = play(pieces, messages)
        result = whole.update(row[1:], row[0])

        assert pieces.stream.expected == whole.stream.expected
        assert [one.status for one in results[1:]] == ["merged" if result.score is not None else "warmup"]
        assert all((one.score is None) == (result.score is None) for one in results)
    assert pieces.validator.counts["merged"] == 100
    assert pieces.validator.counts["early"] == pieces.validator.counts["rate"] == 0


def test_merged_rows_raise_the_alarms_of_whole_rows_and_no_sensor_fault(make, stream):
    results = play(make(longest_run=None), one_by_one(stream))
    opened = [
        (event.kind, event.start - stream[0, 0]) for one in results for event in one.events if event.state == "open"
    ]

    assert {kind for kind, _ in opened} == {"anomaly"}
    assert [start for _, start in opened if 150 <= start < 155]
    assert [start for _, start in opened if 300 <= start < 305]


def test_an_early_row_that_adds_nothing_is_still_dropped(make, stream):
    rows, detector = clean(stream), make()
    rows[60, 1] = NAN
    early = [NAN, rows[60, 2] + 1]
    play(detector, rows[:61])

    assert detector.update(early, rows[60, 0] + 0.04).status == "early"
    assert detector.update(early, rows[60, 0]).status == "duplicate"


def test_a_channel_that_is_missing_more_often_than_not_is_a_sensor_fault(make, stream):
    rows, detector = clean(stream), make()
    rows[np.arange(140) % 3 > 0, 2] = NAN
    events = [event for result in play(detector, rows) for event in result.events]

    assert [(event.reason, event.state, event.channels) for event in events] == [("missing", "open", ("flow_lpm",))]


def test_a_channel_that_lacks_every_third_reading_is_none(make, stream):
    rows, detector = clean(stream), make()
    rows[np.arange(140) % 3 == 0, 2] = NAN

    assert [event for result in play(detector, rows) for event in result.events] == []


def test_a_good_reading_counts_at_once_after_one_that_is_missing_and_later_after_many(make, stream):
    rows = clean(stream)
    rows[60, 2] = rows[80:90, 2] = NAN
    results = play(make(), rows)
    silent = [number for number, result in enumerate(results) if result.parts and result.parts[1] == 0]

    assert silent == [60, *range(80, 99)]


def test_an_anomaly_of_the_other_channel_is_found_while_one_is_missing(make, stream):
    rows, detector = stream.copy(), make()
    rows[60:, 2] = NAN
    events = [event for result in play(detector, rows) for event in result.events]
    opened = [(event.kind, event.channels) for event in events if event.state == "open"]

    assert opened[0] == ("sensor_fault", ("flow_lpm",))
    assert ("anomaly", ("level_cm",)) in opened


def test_alarms_wait_for_calm_scores_when_a_channel_goes_missing_and_again_with_the_next():
    check = CalmCheck(stretch=3)
    first, both, none = frozenset({0}), frozenset({0, 1}), frozenset()

    assert [check.hold_back(none, calm) for calm in (True, False)] == [False, False]
    assert [check.hold_back(first, calm) for calm in (True, True, False, True, True)] == [True] * 5
    assert [check.hold_back(first, calm) for calm in (True, False)] == [False, False]
    assert [check.hold_back(both, calm) for calm in (True, True, True)] == [True, True, False]
    assert not check.hold_back(first, False)
    assert check.hold_back(first, True, plausible=False)
    assert [check.hold_back(first, calm) for calm in (True, True)] == [True, False]


def test_the_expectation_that_stands_for_a_dead_channel_stays_within_the_values_of_training(make, stream):
    rows, detector = stream.copy(), make()
    rows[60:, 2] = NAN
    channel = detector.metadata.channels[1]
    scale, offset = detector.metadata.scaler.scale[1], detector.metadata.scaler.offset[1]
    filled = []
    for row in rows:
        detector.update(row[1:], row[0])
        filled.append(float(np.frombuffer(detector.stream.packed, np.float32)[1]) * scale + offset)

    assert channel.train_low - 1e-3 <= min(filled[60:]) <= max(filled[60:]) <= channel.train_high + 1e-3


@pytest.mark.parametrize("name", ["cast.int8", "auto.int8", "flow.stream.int8"])
@pytest.mark.parametrize("cut", [61, 122, 270])
def test_a_detector_restored_in_the_middle_of_a_row_goes_on_bit_for_bit(make, stream, name, cut):
    rows = one_by_one(stream[:180])
    rows[240:300, 2] = NAN
    whole, first, second = make(name), make(name), make(name)
    expected = play(whole, rows)
    results = play(first, rows[:cut])
    second.restore(json.loads(json.dumps(first.snapshot())))

    assert results + play(second, rows[cut:]) == expected
