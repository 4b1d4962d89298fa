"""Input policies on times and rows: each rule, its counter, and its event; readings are in test_readings."""

import math

import numpy as np
import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.input.policies import Policies, parse_limit
from edgelstm.runtime.io.timestamps import parse_time

NAN = math.nan


def play(detector, rows):
    return [detector.update(row[1:], row[0]) for row in rows]


def clean(stream, rows=140):
    return stream[:rows].copy()


def test_a_good_stream_is_not_objected_to(make, stream):
    detector = make()
    results = play(detector, clean(stream))

    assert not any(detector.validator.counts.values())
    assert {result.status for result in results} == {"warmup", "ok"}
    assert not [event for result in results for event in result.events]


def test_a_doubled_row_is_dropped_and_the_scores_stay(make, stream):
    rows, detector = clean(stream), make()
    results = play(detector, np.insert(rows, 50, rows[49], axis=0))

    assert results[50].status == "duplicate"
    assert results[50].score is None
    assert detector.validator.counts["duplicate"] == 1
    assert [r.score for i, r in enumerate(results) if i != 50] == [r.score for r in play(make(), rows)]


def test_a_late_row_is_dropped_and_the_scores_stay(make, stream):
    rows, detector = clean(stream), make()
    results = play(detector, np.insert(rows, 50, rows[40], axis=0))

    assert results[50].status == "late"
    assert detector.validator.counts["late"] == 1
    assert [r.score for i, r in enumerate(results) if i != 50] == [r.score for r in play(make(), rows)]


def test_a_burst_is_thinned_to_the_rate_of_training(make, stream):
    rows, detector = clean(stream), make()
    burst = np.repeat(rows[50:51], 9, axis=0)
    burst[:, 0] += np.arange(1, 10) * 0.04
    results = play(detector, np.concatenate([rows[:51], burst, rows[51:]]))

    assert detector.validator.counts["early"] == 9
    assert [r.score for r in results if r.status != "early"] == [r.score for r in play(make(), rows)]


def test_a_short_gap_is_bridged_on_a_straight_line(make, stream):
    rows, detector = clean(stream), make("auto.int8")
    straight = rows.copy()
    straight[51] = (straight[50] + straight[52]) / 2
    results = play(detector, np.delete(rows, 51, axis=0))

    assert detector.validator.counts["bridged"] == 1
    assert [r.score for r in results[52:]] == [r.score for r in play(make("auto.int8"), straight)[53:]]


@pytest.mark.parametrize("name", ["cast.int8", "auto.int8"])
def test_after_a_long_gap_scores_are_those_of_a_fresh_start_with_the_same_baseline(make, stream, name):
    rows, detector, fresh = clean(stream), make(name), make(name)
    play(detector, rows[:50])
    fresh.scorer.restore(detector.scorer.to_state())
    fresh.scorer.reset()
    after, expected = (play(one, rows[80:]) for one in (detector, fresh))

    assert detector.validator.counts["gap"] == 1
    assert {r.status for r in after[: detector.metadata.window - 1]} == {"warmup"}
    assert [r.score for r in after] == [r.score for r in expected]
    assert after[-1].score is not None


def test_a_gap_closes_an_open_alarm(make, stream):
    detector = make()
    rows = stream[:312]
    results = play(detector, rows)
    late = detector.update(stream[400, 1:], stream[400, 0])

    assert (
        any(event.state == "open" for event in results[-1].events + results[-8].events)
        or detector.validator.counts["gap"]
    )
    assert [event.state for event in late.events] == ["closed"]
    assert late.events[0].end <= rows[-1, 0]


def test_a_clock_set_back_is_followed_after_five_rows(make, stream):
    rows, detector = clean(stream), make()
    rows[60:, 0] -= 3600
    results = play(detector, rows)

    assert [r.status for r in results[60:64]] == ["late"] * 4
    assert detector.validator.counts["clock"] == 1
    assert results[-1].status == "ok"


@pytest.mark.parametrize("jump", [1.7e9, 3600.0, -3600.0])
def test_a_live_clock_that_jumps_costs_no_sample(make, stream, jump):
    """A Pi boots in 1970 and is set right by NTP; the monotonic clock tells that no sample is missing."""
    rows, detector = clean(stream), make()
    arrivals = rows[:, 0] - rows[0, 0]
    rows[60:, 0] += jump
    results = [detector.update(row[1:], row[0], at) for row, at in zip(rows, arrivals, strict=True)]

    assert detector.validator.counts["clock"] == 1
    assert [r.score for r in results] == [r.score for r in play(make(), clean(stream))]


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        ("2026-03-29 01:59:{:02}", "2026-03-29 03:00:{:02}", {"gap": 1}),
        ("2026-10-25 02:59:{:02}", "2026-10-25 02:00:{:02}", {"clock": 1, "late": 4}),
        ("2026-03-29T01:59:{:02}+01:00", "2026-03-29T03:00:{:02}+02:00", {}),
        ("2026-10-25T02:59:{:02}+02:00", "2026-10-25T02:00:{:02}+01:00", {}),
    ],
)
def test_summer_time_in_a_log_is_a_gap_or_a_clock_set_back_and_nothing_with_offsets(
    make, stream, before, after, counted
):
    rows, detector = clean(stream, 120), make()
    rows[:60, 0] = [parse_time(before.format(second)) for second in range(60)]
    rows[60:, 0] = [parse_time(after.format(second)) for second in range(60)]
    results = play(detector, rows)

    assert {reason: count for reason, count in detector.validator.counts.items() if count} == counted
    assert results[-1].status == "ok"


@pytest.mark.parametrize("time", [None, NAN, math.inf, -math.inf])
def test_a_time_that_is_no_number_is_dropped(make, stream, time):
    rows, detector = clean(stream), make()
    play(detector, rows[:60])

    assert detector.update(rows[60, 1:], time).status == "time"
    assert detector.update(rows[60, 1:], rows[60, 0]).status == "ok"


def test_a_first_time_after_rows_without_one_starts_the_stream_anew(make, stream):
    rows, detector = clean(stream), make()
    for row in rows[:60]:
        detector.update(row[1:], None)

    assert detector.update(rows[60, 1:], 1e9).status == "warmup"
    assert detector.validator.counts["clock"] == 1


def test_a_time_that_is_no_number_at_the_very_start_is_dropped(make, stream):
    detector = make()

    assert detector.update(stream[0, 1:], NAN).status == "time"
    assert detector.update(stream[0, 1:], stream[0, 0]).status == "warmup"


def test_limits_can_be_set(make, stream):
    rows = clean(stream)
    patient = make(policies=Policies(bridge=40))
    play(patient, np.delete(rows, slice(50, 80), axis=0))

    assert patient.validator.counts == patient.validator.counts | {"gap": 0, "bridged": 30}


@pytest.mark.parametrize(("factor", "seen"), [(0.6, "early"), (0.7, None), (1.4, None), (2.0, "bridged"), (9.0, "gap")])
def test_a_rate_other_than_in_training_is_a_sensor_fault(make, stream, factor, seen):
    """Neither thinned nor bridged rows hide it, nor a stream that is all gaps."""
    rows, detector = clean(stream), make()
    rows[:, 0] *= factor if factor != 0.6 else 0.4
    events = [event for result in play(detector, rows) for event in result.events if event.reason == "rate"]

    assert [(event.kind, event.state, event.channels) for event in events] == [("sensor_fault", "open", ())]
    assert detector.validator.counts["rate"] >= 1
    assert seen is None or detector.validator.counts[seen] > 20


def test_a_rate_that_is_right_again_closes_its_fault(make, stream):
    rows, detector = stream.copy(), make()
    rows[100:200, 0] = rows[100, 0] + 1.4 * np.arange(100)
    rows[200:, 0] = rows[199, 0] + 1 + np.arange(400)
    events = [event for result in play(detector, rows) for event in result.events if event.reason == "rate"]

    assert [event.state for event in events] == ["open", "closed"]
    assert rows[100, 0] < events[0].start < rows[200, 0]


@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_jitter_a_burst_and_a_gap_are_no_other_rate(make, stream, jitter):
    rows, detector = stream.copy(), make(longest_run=None)
    rows[:, 0] += np.random.default_rng(0).uniform(-jitter / 2, jitter / 2, len(rows))
    rows[50:60, 0] = rows[50, 0] + 0.01 * np.arange(10)
    rows[300:, 0] += 500
    play(detector, rows)

    assert not detector.validator.rate.wrong
    assert "rate" not in detector.faults.reasons


def test_limits_of_the_installation_go_over_those_of_the_model(make, stream):
    rows, detector = clean(stream), make(policies=Policies(limits={"level_cm": (0.0, 60.0)}))
    play(detector, rows)

    assert detector.validator.counts["range"] == (rows[:, 1] > 60).sum() > 0


def test_a_limit_of_an_unknown_channel_is_refused_with_the_nearest(make):
    with pytest.raises(ConfigError, match="Did you mean 'flow_lpm'"):
        make(policies=Policies(limits={"flow_lmp": (0.0, 1.0)}))


@pytest.mark.parametrize("text", ["flow", "flow=", "flow=3", "flow=a:b", "=0:1", "flow=2:1"])
def test_limits_that_are_none_are_refused(text):
    with pytest.raises(ConfigError, match="CHANNEL=LOW:HIGH"):
        parse_limit(text)


@pytest.mark.parametrize("wrong", [{"bridge": -1}, {"hold": 0}, {"stuck": -5}, {"recover": 0}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ConfigError, match="positive"):
        Policies(**wrong)


@pytest.mark.parametrize("moment", [1e12, 1e300])
@pytest.mark.parametrize("period", [1.0, 1e-300])
def test_a_step_beyond_every_count_of_rows_is_a_gap(make, stream, moment, period):
    detector = make()
    detector.validator.period = period
    play(detector, clean(stream, 3).tolist())

    assert detector.update(stream[3, 1:], moment).status == "warmup"
    assert detector.validator.counts["gap"] >= 1
