"""One state machine opens and closes the events of all kinds."""

import json

import pytest
from edgelstm.runtime.alarms.tracker import EventTracker, Level

LEVELS = {".": Level.QUIET, "-": Level.BETWEEN, "#": Level.ACTIVE}


def play(text, minimum=1, cooldown=1, key="stuck.1"):
    """Events of a series of levels, written as `.` quiet, `-` between, `#` active."""
    tracker = EventTracker("sensor_fault", "pump", minimum, cooldown)
    events = [tracker.observe(key, i, None, LEVELS[mark], float(i)) for i, mark in enumerate(text)]
    return [event for event in [*events, *tracker.finish()] if event]


@pytest.mark.parametrize(
    ("text", "minimum", "cooldown", "spans"),
    [
        ("..#..", 1, 1, [(2, 2)]),
        ("..#..", 2, 1, []),
        (".#.#.#.", 2, 1, []),
        (".#-#...", 2, 1, [(1, 3)]),
        ("---#...", 1, 1, [(3, 3)]),
        ("#--....", 1, 2, [(0, 2)]),
        ("#.#.#..", 1, 2, [(0, 4)]),
        ("#..#..", 1, 2, [(0, 0), (3, 3)]),
        ("..##", 2, 5, [(2, 3)]),
    ],
)
def test_an_event_opens_after_active_and_closes_after_quiet_observations(text, minimum, cooldown, spans):
    closed = [event for event in play(text, minimum, cooldown) if event.state == "closed"]

    assert [(event.start, event.end) for event in closed] == spans


def test_an_event_carries_its_reason_its_highest_value_and_one_id():
    opened, closed = play(".###..")

    assert (opened.kind, opened.reason, opened.state, opened.end) == ("sensor_fault", "stuck", "open", None)
    assert (opened.peak, closed.peak) == (1.0, 3.0)
    assert opened.id == closed.id


def test_events_of_two_keys_are_independent():
    tracker = EventTracker("drift", "pump")
    first = tracker.observe("inputs", 0, None, Level.ACTIVE, 1.0, ("flow",))
    second = tracker.observe("scores", 1, None, Level.ACTIVE, 2.0, ("motor",))
    closed = tracker.observe("inputs", 2, None, Level.QUIET)

    assert first.id == closed.id != second.id
    assert closed.channels == ("flow",)
    assert list(tracker.excursions) == ["scores"]
    assert tracker.active


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_tracker_restored_from_json_goes_on_as_if_never_stopped(cut):
    text, events, state = ".##.-#..#.#.", [], {}
    for part, first in ((text[:cut], 0), (text[cut:], cut)):
        tracker = EventTracker("sensor_fault", "pump", 2, 2)
        tracker.restore(state)
        for index, mark in enumerate(part, first):
            events.append(tracker.observe("stuck.1", index, None, LEVELS[mark], float(index)))
        state = json.loads(json.dumps(tracker.to_state()))

    assert [event for event in [*events, *tracker.finish()] if event] == play(text, 2, 2)
