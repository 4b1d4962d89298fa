"""Answers to alarms: what looks like one called false raises none, and no alarm called real is lost."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from command_helpers import edgelstm_here
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.alarms.answers import Answer
from edgelstm.runtime.alarms.debounce import Debounce, DebounceRules
from edgelstm.runtime.alarms.shape import MOST, AlarmShape, distinct, harmless_of
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.feedback import Raised, learn
from edgelstm.runtime.recalibration import recalibrate, recalibrate_by_answers, roll_back
from edgelstm.runtime.sinks.jsonl import compact
from edgelstm.runtime.sources import Sample

RULES = DebounceRules(minimum=2, off=0.8, cooldown=2)
BUMPS = {"real": (260, 1.0), "false": (360, 0.22), "normal": (460, 0.25)}  # first row and height
FLOW, MOTOR = (0.9, 0.1), (0.1, 0.9)
START = AlarmShape((0.81 / 0.82, 0.01 / 0.82), 2.0, 4)


def answers_to(*words, end=55):
    return tuple(Answer(word, word, BUMPS[word][0] + 0.0, BUMPS[word][0] + end, 1.0) for word in words)


def raised(at, shares=(1.0,), peak=2.0, rows=5):
    return Raised(float(at), float(at + rows), AlarmShape(shares, peak, rows))


def answer(word, at):
    return Answer(f"{word}{at}", word, float(at), float(at + 5), 2.0)


def play(scores, parts=FLOW, harmless=(START,), debounce=None):
    debounce = debounce or Debounce(("flow", "motor"), "pump", RULES, harmless)
    events = [debounce.update(i, float(i), score, 1.0, parts) for i, score in enumerate(scores)]
    return [(event.state, event.start, event.end) for event in [*events, *debounce.finish()] if event]


def test_what_looks_like_a_harmless_alarm_raises_none():
    assert play([0, 2, 2, 2, 0, 0, 0, 2, 2, 0, 0], harmless=()) != []
    assert play([0, 2, 2, 2, 0, 0, 0, 2, 2, 0, 0]) == []


def test_a_higher_one_is_an_alarm_from_its_first_sample_on():
    assert play([0, 2, 2, 3, 0, 0]) == [("open", 1.0, None), ("closed", 1.0, 3.0)]


def test_a_longer_one_is_an_alarm_from_its_first_sample_on():
    assert play([0, 2, 2, 2, 2, 2, 2, 0, 0]) == [("open", 1.0, None), ("closed", 1.0, 6.0)]


def test_one_of_another_channel_is_an_alarm():
    assert play([0, 2, 2, 0, 0], MOTOR) == [("open", 1.0, None), ("closed", 1.0, 2.0)]


def test_bursts_within_the_cool_down_count_as_one_stretch():
    assert play([2, 2, 0, 2, 2, 2, 0, 0]) == [("open", 0.0, None), ("closed", 0.0, 5.0)]


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_debounce_restored_anywhere_holds_back_as_if_never_stopped(cut):
    scores = [0, 2, 2, 2, 2, 2, 2, 0, 0]
    first, second = (Debounce(("flow", "motor"), "pump", RULES, (START,)) for _ in range(2))
    events = [first.update(i, float(i), score, 1.0, FLOW) for i, score in enumerate(scores[:cut])]
    second.restore(first.to_state())
    events += [second.update(cut + i, float(cut + i), score, 1.0, FLOW) for i, score in enumerate(scores[cut:])]

    assert [(event.state, event.start, event.end) for event in events if event] == play(scores)


def test_a_shape_that_covers_a_real_alarm_is_not_taken():
    alarms = [raised(0, peak=2.0), raised(100, peak=9.0), raised(200, peak=2.2)]
    harmless, effect = learn(alarms, [answer("false", 0), answer("false", 100), answer("real", 200)])

    assert harmless == ()
    assert (effect.false, effect.false_after, effect.real, effect.real_after) == (2, 2, 1, 1)


def test_a_real_alarm_that_is_larger_costs_no_shape():
    harmless, effect = learn([raised(0), raised(100, peak=9.0)], [answer("false", 0), answer("real", 100)])

    assert harmless == (raised(0).shape,)
    assert effect.sentence() == "1 of 1 alarms called false are gone, 1 of 1 real ones are kept"


def test_an_answer_taken_back_takes_its_shape_back():
    known, _ = learn([raised(0)], [answer("false", 0)])
    harmless, _ = learn([raised(0)], [answer("real", 0)], known)

    assert harmless == ()


def test_shapes_of_earlier_answers_are_kept_and_bounded():
    earlier = AlarmShape((1.0,), 1.0, 400)

    assert set(learn([raised(0)], [answer("false", 0)], [earlier])[0]) == {earlier, raised(0).shape}
    assert len(distinct([AlarmShape((1.0,), 1.0 + at, 1000 - at) for at in range(500)])) == MOST


@pytest.mark.parametrize(
    "record",
    [{}, {"shares": [1.0], "peak": 1.0, "rows": 1}, {"shares": [0.5, 0.5], "peak": 1e31, "rows": 1},
     {"shares": [0.5, 2.0], "peak": 1.0, "rows": 1}, {"shares": [0.5, 0.5], "peak": 1.0, "rows": 10**9}, 7],
)  # fmt: skip
def test_damaged_shapes_are_refused(record):
    with pytest.raises(ModelError, match="answers to alarms"):
        harmless_of({"feedback": {"harmless": [record]}}, 2)


@pytest.fixture
def model(tmp_path, models):
    return shutil.copy(models / "cast.int8.tflite", tmp_path / "pump.int8.tflite")


@pytest.fixture
def rows(stream):
    """Four periods of the stream again and again, with three bumps of one channel."""
    normal = np.tile(stream[:96, 1:], (6, 1))
    for first, height in BUMPS.values():
        normal[first : first + 12, 1] += height
    return [Sample(values.tolist(), float(at), at, str(at)) for at, values in enumerate(normal)]


def alarms(model, rows):
    detector, found = Detector.load(model), []
    for row in rows:
        found += [event for event in detector.update(row.values, row.time).events if event.state == "open"]
    return [event.start for event in found if event.kind == "anomaly"]


def near(starts, word):
    return any(BUMPS[word][0] - 2 <= start <= BUMPS[word][0] + 15 for start in starts)


def test_alarms_called_false_are_gone_and_real_ones_stay(model, rows):
    before = alarms(model, rows)
    done = recalibrate_by_answers(model, rows, answers_to("real", "false", "normal"))
    after = alarms(model, rows)

    assert near(before, "real")
    assert near(before, "false")
    assert near(before, "normal")
    assert near(after, "real")
    assert not near(after, "false")
    assert not near(after, "normal")
    assert (done.feedback.false, done.feedback.false_after, done.feedback.real_after) == (2, 0, 1)
    assert done.before == done.after


def test_values_of_a_new_normal_count_as_training_values(model, rows):
    before = load_bundle(model).metadata.channels[1].train_high
    rows[462].values[1] = before + 0.05
    recalibrate_by_answers(model, rows, answers_to("real", "false"))
    assert load_bundle(model).metadata.channels[1].train_high == before

    recalibrate_by_answers(model, rows, answers_to("real", "normal"))
    assert load_bundle(model).metadata.channels[1].train_high > before


def test_answers_given_twice_teach_the_same(model, rows):
    recalibrate_by_answers(model, rows, answers_to("real", "false", "normal"))
    once = load_bundle(model).metadata.sections["feedback"]
    recalibrate_by_answers(model, rows, answers_to("real", "false", "normal"))

    assert load_bundle(model).metadata.sections["feedback"] == once


def test_later_calibrations_keep_what_was_taught_and_a_way_back_leads_to_the_alarms(model, rows):
    recalibrate_by_answers(model, rows, answers_to("real", "false"))
    recalibrate(model, [row for row in rows if row.row < 190], force=True)
    taught = load_bundle(model)
    untaught = {**taught.metadata.sections, "feedback": {}}
    replace(taught, metadata=taught.metadata.with_(sections=untaught)).save(model)
    before = alarms(model, rows)
    taught.save(model)

    assert near(before, "false")
    assert not near(alarms(model, rows), "false")


def test_a_way_back_leads_to_the_alarms_before(model, rows):
    before = alarms(model, rows)
    recalibrate_by_answers(model, rows, answers_to("real", "false"))
    roll_back(model)

    assert alarms(model, rows) == before


def test_calibrate_takes_the_file_of_answers(model, rows, tmp_path):
    data, answers = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    names = load_bundle(model).metadata.names
    data.write_text(
        "\n".join([",".join(["time", *names]), *(f"{row.time},{row.values[0]},{row.values[1]}" for row in rows)])
    )
    answers.write_text("".join(compact(one.record()) + "\n" for one in answers_to("real", "false", "normal")))
    done = edgelstm_here("calibrate", model, data, "--feedback", answers)

    assert done.returncode == 0, done.stderr
    assert "2 of 2 alarms called false are gone, 1 of 1 real ones are kept" in done.stdout


def test_answers_to_other_rows_are_refused(model, rows, tmp_path):
    data, answers = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    names = load_bundle(model).metadata.names
    data.write_text(
        "\n".join([",".join(["time", *names]), *(f"{row.time},{row.values[0]},{row.values[1]}" for row in rows)])
    )
    answers.write_text(compact(Answer("x", "false", 1e9, 1e9 + 5, 2.0).record()) + "\n")
    done = edgelstm_here("calibrate", model, data, "--feedback", answers)

    assert done.returncode == 1
    assert "None of the 1 answered alarms lies in these" in done.stderr


def test_feedback_goes_with_no_other_rule(model):
    done = edgelstm_here("calibrate", model, "rows.csv", "--feedback", "a.jsonl", "--threshold-rule", "quantile:0.9")

    assert done.returncode == 2
    assert "leaves the threshold as it is" in done.stderr
