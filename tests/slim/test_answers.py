"""Answers to alarms: given on the live page or over MQTT, stored, told to sinks, and read again."""

import json
import stat
import urllib.error
import urllib.request

import pytest
from browser import NEEDS_CHROMIUM, Browser
from edgelstm.runtime import Detector
from edgelstm.runtime.alarms.answers import Answer, read_answers
from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.service.answer_book import AnswerBook
from edgelstm.runtime.service.event_log import recent_events
from edgelstm.runtime.service.runner import Runner
from edgelstm.runtime.sinks.jsonl import compact
from page_helpers import Page
from sink_helpers import Listed, forwarder, wait_for

ALARM = Event("a1", "anomaly", "closed", 10.0, 20.0, 3.0, ("flow",))


@pytest.fixture
def answered(tmp_path):
    """A page whose stream takes answers."""
    listed = Listed()
    page = Page(sinks=[forwarder(tmp_path / "spool", listed)])
    page.runner._book = AnswerBook(tmp_path / "answers" / "pump.jsonl")
    page.runner.status.answers = page.runner._book.answers
    page.listed = listed
    yield page
    page.close()


def alarm_of(page):
    events = json.loads(page.get("/api/live")[1])["streams"][0]["events"]
    return next(event for event in events if event["kind"] == "anomaly")


def post(page, record, **headers):
    body = record if isinstance(record, bytes) else json.dumps(record).encode()
    address = f"http://127.0.0.1:{page.page.port}/api/answer"
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", **headers}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_an_answer_is_stored_shown_and_told_to_the_sinks(answered):
    alarm = alarm_of(answered)

    assert post(answered, {"stream": "pump", "event": alarm["id"], "answer": "false"}) == (200, "{}")
    (stored,) = read_answers(answered.runner._book.path)
    assert (stored.event, stored.answer, stored.start, stored.by) == (alarm["id"], "false", alarm["start"], "page")
    assert stat.S_IMODE(answered.runner._book.path.stat().st_mode) == 0o600
    assert json.loads(answered.get("/api/live")[1])["streams"][0]["answers"] == {alarm["id"]: "false"}
    assert wait_for(lambda: any(record.get("kind") == "answer" for record in answered.listed.records))
    (told,) = [record for record in answered.listed.records if record.get("kind") == "answer"]
    assert (told["reason"], told["start"]) == ("false", alarm["start"])
    assert told["text"].endswith("called a false alarm")


def test_the_newest_answer_to_an_alarm_counts(answered):
    identity = alarm_of(answered)["id"]
    for word in ("false", "false", "real"):
        post(answered, {"stream": "pump", "event": identity, "answer": word})

    assert [answer.answer for answer in read_answers(answered.runner._book.path)] == ["real"]
    assert len(answered.runner._book.path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("record", "status"),
    [
        ({"stream": "pump", "event": "none", "answer": "real"}, 400),
        ({"stream": "other", "event": "none", "answer": "real"}, 404),
        ({"stream": "pump"}, 400),
        (b"[" * 2000, 400),
        (b"\xff", 400),
        (b"{}" + b" " * 5000, 413),
    ],
)
def test_a_bad_answer_is_refused(answered, record, status):
    assert post(answered, record)[0] == status
    assert not answered.runner._book.path.exists()


def test_an_unknown_word_is_no_answer(answered):
    status, text = post(answered, {"stream": "pump", "event": alarm_of(answered)["id"], "answer": "maybe"})

    assert (status, text) == (400, "An answer is one of real, false, normal; received 'maybe'.\n")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Origin": "http://evil.example"}, 403),
    ],
)
def test_another_site_cannot_answer(answered, headers, status):
    record = {"stream": "pump", "event": alarm_of(answered)["id"], "answer": "real"}

    assert post(answered, record, **headers)[0] == status
    assert not answered.runner._book.path.exists()


def test_an_answer_needs_the_token(tmp_path):
    from edgelstm.runtime.service.config import Settings

    token = tmp_path / "token"
    token.write_text("a-long-token-of-the-page\n")
    page = Page(Settings(listen="127.0.0.1:0", token_file=str(token)), rows=50)
    try:
        status, _ = post(page, {"stream": "pump", "event": "x", "answer": "real"})
        right, _ = post(
            page, {"stream": "pump", "event": "x", "answer": "real"}, Authorization="Bearer a-long-token-of-the-page"
        )
    finally:
        page.close()

    assert (status, right) == (401, 400)


@pytest.mark.slow(reason="a browser is started")
@NEEDS_CHROMIUM
def test_a_click_in_a_browser_answers(answered, tmp_path):
    browser = Browser(tmp_path / "profile", f"http://127.0.0.1:{answered.page.port}/", 1000)
    try:
        assert wait_for(lambda: browser.evaluate("document.querySelectorAll('.answers button').length"))
        browser.evaluate("document.querySelectorAll('.answers button')[1].click()")
        assert wait_for(answered.runner._book.path.exists)
        assert wait_for(lambda: browser.evaluate("document.querySelectorAll('button[aria-pressed=true]').length == 1"))
    finally:
        browser.close()

    assert [answer.answer for answer in read_answers(answered.runner._book.path)] == ["false"]


def test_answers_of_an_earlier_run_are_known_and_half_a_line_is_cut(tmp_path):
    path = tmp_path / "answers.jsonl"
    AnswerBook(path).add(Answer.of(ALARM, "real", 1.0, "page"))
    with path.open("a") as stream:
        stream.write('{"event":"torn"')
    again = AnswerBook(path)
    again.add(Answer.of(ALARM, "normal", 2.0, "mqtt"))

    assert [answer.answer for answer in read_answers(path)] == ["normal"]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"schema":2}', '{"schema":1,"event":"a","answer":"maybe","start":1,"end":2,"peak":3,"channels":[]}',
             '{"schema":1,"event":"a","answer":"real","start":1e400,"end":2,"peak":3,"channels":[]}']
)  # fmt: skip
def test_a_line_that_is_no_answer_is_named(tmp_path, line):
    path = tmp_path / "answers.jsonl"
    path.write_text(compact(Answer.of(ALARM, "real", 1.0, "page").record()) + "\n" + line + "\n")

    with pytest.raises(ModelError, match="line 2 is not an answer"):
        read_answers(path)


def test_only_anomalies_are_answered():
    with pytest.raises(ConfigError, match="only anomalies"):
        Answer.of(Event("d", "drift", "open", 1.0, None, 2.0, (), "inputs"), "real", 1.0, "page")


def test_alarms_of_an_earlier_run_can_be_answered_after_a_restart(tmp_path, models, stream):
    log = tmp_path / "events.jsonl"
    log.write_text("not an event\n" + compact(ALARM.record()) + "\n")
    runner = Runner(Detector.load(models / "auto.int8.tflite"), [], (), "pump", book=AnswerBook(tmp_path / "a.jsonl"))
    for event in recent_events(log, 50):
        runner.status.recall(event)
    runner.answer("a1", "real", "page")

    assert [answer.event for answer in read_answers(tmp_path / "a.jsonl")] == ["a1"]
