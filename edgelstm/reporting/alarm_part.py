"""Alarms of the report: the first ones in words, and the page of all of them beside it."""

from __future__ import annotations

from edgelstm.alarm_page.recorder import Recorder
from edgelstm.alarm_page.write import alarm_page

from .data import Subject
from .schema import Alarms

SAID = 8  # events in the report; the page has all


def alarms_of(recorder: Recorder, scheme: str) -> Alarms:
    """Return the report's words about alarms.

    Args:
        recorder: Replay of the shown scheme.
        scheme: Its name.
    """
    words, events = recorder.narrator.words.page, recorder.ordered
    more = len(events) - SAID
    return Alarms(
        words["heading"],
        words["found" if events else "quiet"].format(scheme=scheme, span=recorder.span),
        tuple(event.text for event in events[:SAID]),
        words["page"],
        words["more"].format(count=more) if more > 0 else "",
        language=recorder.narrator.words.code,
    )


def page_of(recorder: Recorder, subject: Subject, model: str) -> bytes:
    """Return the page of alarms.

    Args:
        recorder: Replay of the shown scheme.
        subject: Rows that it was judged on.
        model: Name of its file.
    """
    labels = subject.judge.labels if subject.judge else None
    return alarm_page(recorder, model, subject.description, labels)
