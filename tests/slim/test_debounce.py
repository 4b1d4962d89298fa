"""When scores become events."""

import pytest
from edgelstm.runtime.alarms.debounce import Debounce, DebounceRules
from edgelstm.runtime.errors import ConfigError

EVEN = (0.5, 0.5)


def play(scores, decision, contribution=EVEN, identity="pump"):
    debounce = Debounce(("flow", "motor"), identity, decision)
    found = [debounce.update(i, float(i), score, 1.0, contribution) for i, score in enumerate(scores)]
    return [event for event in [*found, *debounce.finish()] if event]


def test_one_high_score_is_no_event_when_two_are_asked_for():
    assert play([0, 5, 0, 0, 5, 0], DebounceRules(minimum=2)) == []


def test_an_event_starts_at_its_first_high_score_and_ends_at_its_last():
    opened, closed = play([0, 2, 3, 2, 0, 0, 0], DebounceRules(minimum=2, cooldown=2))

    assert (opened.state, opened.start, opened.end) == ("open", 1.0, None)
    assert (closed.state, closed.start, closed.end, closed.peak) == ("closed", 1.0, 3.0, 3)
    assert opened.id == closed.id


def test_a_score_between_off_and_on_keeps_an_event_open():
    events = play([2, 2, 0.9, 0.9, 0.9, 2, 0, 0], DebounceRules(off=0.8, minimum=2, cooldown=2))

    assert [event.state for event in events] == ["open", "closed"]
    assert events[1].end == 5.0


def test_an_alarm_that_returns_within_the_cool_down_continues_the_event():
    events = play([2, 2, 0, 0, 2, 0, 0, 0, 2, 2], DebounceRules(minimum=2, cooldown=3))

    assert [(event.state, event.start) for event in events] == [
        ("open", 0.0), ("closed", 0.0), ("open", 8.0), ("closed", 8.0),
    ]  # fmt: skip


def test_an_event_names_its_causes_strongest_first():
    events = play([2, 2, 2], DebounceRules(minimum=1), contribution=(0.4, 0.6))
    lone = play([2, 2, 2], DebounceRules(minimum=1), contribution=(0.99, 0.01))

    assert events[0].channels == ("motor", "flow")
    assert lone[0].channels == ("flow",)


def test_ids_repeat_in_a_replay_and_differ_between_events_and_models():
    scores = [2, 2, 0, 0, 2, 2, 0, 0]
    rule = DebounceRules(minimum=2, cooldown=2)
    ids = [event.id for event in play(scores, rule)]

    assert ids == [event.id for event in play(scores, rule)]
    assert len(set(ids)) == 2
    assert set(ids).isdisjoint(event.id for event in play(scores, rule, identity="fan"))


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_debounce_restored_anywhere_goes_on_as_if_never_stopped(cut):
    scores = [0, 2, 2, 0, 2, 0, 0, 0, 2, 0, 2, 2, 2]
    decision = DebounceRules(minimum=2, cooldown=2)
    first = Debounce(("flow", "motor"), "pump", decision)
    events = [first.update(i, None, score, 1.0, EVEN) for i, score in enumerate(scores[:cut])]
    second = Debounce(("flow", "motor"), "pump", decision)
    second.restore(first.to_state())
    events += [second.update(cut + i, None, score, 1.0, EVEN) for i, score in enumerate(scores[cut:])]

    assert [event for event in [*events, *second.finish()] if event] == play(scores, decision)


@pytest.mark.parametrize("wrong", [{"off": 0.0}, {"off": 1.5}, {"minimum": 0}, {"cooldown": 0}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(ConfigError):
        DebounceRules(**wrong)
