"""A threshold from answers to alarms."""

import shutil

import numpy as np
import pytest
from command_helpers import edgelstm_here
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.alarms.answers import Answer
from edgelstm.runtime.alarms.debounce import Debounce, DebounceRules
from edgelstm.runtime.feedback import level_of, stretches_of, threshold_from
from edgelstm.runtime.recalibration import recalibrate, recalibrate_by_answers, roll_back
from edgelstm.runtime.sinks.jsonl import compact
from edgelstm.runtime.sources import Sample
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = DebounceRules(minimum=2, off=0.8, cooldown=3)
BUMPS = {"real": (260, 1.0), "false": (360, 0.22), "normal": (460, 0.25)}  # first row and height


def answers_to(*words, end=55):
    return tuple(Answer(word, word, BUMPS[word][0] + 0.0, BUMPS[word][0] + end, 1.0) for word in words)


def stretch(word, *scores):
    return stretches_of([Answer(word, word, 0.0, float(len(scores)), max(scores))], range(len(scores)), scores)[0]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=30))
def test_a_level_is_the_highest_threshold_that_still_raises_an_alarm(scores):
    level = level_of(scores, RULES)

    def raises(threshold):
        debounce = Debounce(("flow",), rules=RULES)
        return any(debounce.update(at, None, score, threshold, (1.0,)) for at, score in enumerate(scores))

    assert not any(raises(score) for score in scores if score > level)
    assert not level or raises(level)


def test_the_threshold_goes_between_false_and_real_alarms():
    value, effect = threshold_from([stretch("false", 2, 2, 2), stretch("real", 5, 5, 5)], RULES, 1.0)

    assert 2 <= value < 5
    assert value == pytest.approx(2.2)
    assert (effect.false, effect.false_after, effect.real, effect.real_after) == (1, 0, 1, 1)


def test_no_real_alarm_is_given_up_for_a_false_one():
    stretches = [stretch("false", 2, 2), stretch("false", 7, 7), stretch("real", 5, 5)]
    value, effect = threshold_from(stretches, RULES, 1.0)

    assert value == pytest.approx(2.2)
    assert effect.sentence() == "1 of 2 alarms called false are gone, 1 of 1 real ones are kept"


def test_where_they_cannot_be_told_apart_nothing_changes():
    value, effect = threshold_from([stretch("false", 6, 6), stretch("real", 5, 5)], RULES, 1.0)

    assert (value, effect.false_after, effect.real_after) == (1.0, 1, 1)


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


def test_values_of_a_new_normal_count_as_training_values(model, rows):
    before = load_bundle(model).metadata.channels[1].train_high
    rows[462].values[1] = before + 0.05
    recalibrate_by_answers(model, rows, answers_to("real", "false"))
    assert load_bundle(model).metadata.channels[1].train_high == before

    recalibrate_by_answers(model, rows, answers_to("real", "normal"))
    assert load_bundle(model).metadata.channels[1].train_high > before


def test_later_calibrations_keep_the_rise_and_a_way_back_leads_to_the_old_one(model, rows):
    normal = [row for row in rows if row.row < 190]
    recalibrate(model, normal, force=True)
    plain = load_bundle(model).metadata.threshold.value
    risen = recalibrate_by_answers(model, rows, answers_to("real", "false"), force=True).after
    again = recalibrate(model, normal, force=True).after

    assert again == pytest.approx(risen)
    assert again > plain
    roll_back(model)
    assert load_bundle(model).metadata.threshold.value == pytest.approx(risen)


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
    assert "sets the threshold by itself" in done.stderr
