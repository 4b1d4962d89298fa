"""Sinks: nothing is lost while there is room, nothing is out of order, and scoring never waits."""

import json
import random
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.errors import ConfigError, OutputError
from edgelstm.runtime.io.addresses import parse_spec
from edgelstm.runtime.sinks import DeliveryError, Forwarder, Spool, plan_delivery
from edgelstm.runtime.sinks import store_and_forward as forward_module
from edgelstm.runtime.sinks.jsonl import compact
from edgelstm.runtime.sources import Sample

RESULT = Result(1.0, 2.5, 1.0, True, (3.0, 1.0))
NAMES = ("flow", "motor")


def event(number, state="open", kind="anomaly"):
    return Event(f"e{number}", kind, state, float(number), None, 2.0, ("flow",))


def record(number):
    return {"type": "score", "model": "pump", "row": number}


def rows(held):
    return [item.record["row"] for item in held]


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class Listed:
    """A delivery into a list, which can be made to fail."""

    name = "list"
    longest_wait = 0.05

    def __init__(self):
        self.records, self.down, self.closed = [], False, False

    def deliver(self, records):
        if self.down:
            raise DeliveryError("down")
        self.records += records
        return len(records)

    def hurry(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def quick(monkeypatch):
    """Attempts follow each other quickly."""
    monkeypatch.setattr(forward_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(forward_module, "LONGEST_WAIT", 0.05)


def forwarder(folder, delivery, limit=1 << 20, scores=True):
    return Forwarder(delivery, Spool(folder, limit), "pump", NAMES, scores)


def test_a_spool_gives_back_what_was_put_in_order(tmp_path):
    spool = Spool(tmp_path)
    for number in range(5):
        assert spool.put(record(number))
    first = spool.peek(2)
    spool.drop(first)

    assert rows(first) == [0, 1]
    assert rows(spool.peek(9)) == [2, 3, 4]


def test_a_spool_survives_its_process(tmp_path):
    spool = Spool(tmp_path)
    for number in range(5):
        spool.put(record(number))
    spool.drop(spool.peek(2))
    spool.close()
    again = Spool(tmp_path)
    again.put(record(5))

    assert rows(again.peek(1)) + rows(again.peek(9))[1:] == [2, 3, 4]
    again.drop(again.peek(3))
    assert [(item.record["seq"], item.record["row"]) for item in again.peek(9)] == [(5, 5)]


@pytest.mark.parametrize("seed", range(6))
def test_a_spool_under_random_use_and_restarts_loses_and_repeats_nothing(tmp_path, seed):
    rng, spool = random.Random(seed), Spool(tmp_path, 5000)
    put = taken = 0
    for _ in range(1500):
        action = rng.random()
        if action < 0.5 and spool.put(record(put)):
            put += 1
        elif action < 0.95:
            held = spool.peek(rng.randrange(1, 9))
            assert rows(held) == list(range(taken, taken + len(held)))
            spool.drop(held)
            taken += len(held)
        else:
            spool.close()
            spool = Spool(tmp_path, 5000)
        assert spool.size <= 5000
    while held := spool.peek(50):
        taken += len(held)
        spool.drop(held)

    assert taken == put > 300
    assert len(list(tmp_path.glob("*.seg"))) <= 2


def test_a_line_torn_by_a_power_cut_is_passed_over(tmp_path):
    spool = Spool(tmp_path)
    spool.put(record(0))
    spool.close()
    segment = next(iter(tmp_path.glob("*.seg")))
    segment.write_bytes(segment.read_bytes() + b'{"seq": 1, "row"')
    (tmp_path / "cursor").write_bytes(b"\0" * 64)
    again = Spool(tmp_path)
    again.put(record(7))
    found = []
    for _ in range(4):
        held = again.peek(9)
        found += rows(held)
        again.drop(held)

    assert found == [0, 7]


def test_two_processes_may_not_share_a_spool(tmp_path):
    spool = Spool(tmp_path)
    with pytest.raises(ConfigError, match="in use by another edgelstm"):
        Spool(tmp_path)
    spool.close()


def test_a_sink_that_comes_back_gets_everything_in_order(tmp_path, quick):
    delivery = Listed()
    delivery.down = True
    sink = forwarder(tmp_path, delivery)
    for number in range(100):
        sink.take(Sample([1.0, 2.0], None, number), RESULT)
    assert wait_for(lambda: sink.trouble == "down")
    delivery.down = False

    assert wait_for(lambda: len(delivery.records) == 100)
    assert [one["row"] for one in delivery.records] == list(range(100))
    assert delivery.records[0]["contribution"] == {"flow": 0.9, "motor": 0.1}
    sink.close()
    assert delivery.closed


def test_what_was_not_delivered_waits_for_the_next_start(tmp_path, quick):
    dead = Listed()
    dead.down = True
    first = forwarder(tmp_path, dead)
    first.event(event(1))
    first.close()
    delivery = Listed()
    second = forwarder(tmp_path, delivery)
    second.event(event(2))
    second.close()

    assert [one["id"] for one in delivery.records] == ["e1", "e2"]


def test_a_full_spool_drops_the_newest_and_says_so_once(tmp_path, quick):
    delivery = Listed()
    delivery.down = True
    sink = forwarder(tmp_path, delivery, limit=3000)
    said = []
    sink.report = said.append
    for number in range(100):
        sink.event(event(number))
    dropped = sink.dropped
    delivery.down = False
    assert wait_for(lambda: sink.spool.backlog == 0)
    sink.event(event(100))
    sink.close()
    ids = [one["id"] for one in delivery.records]
    kept = 100 - dropped

    assert 0 < kept < 40
    assert ids[:kept] == [f"e{number}" for number in range(kept)]
    assert [(one.kind, one.state) for one in said] == [("overflow", "open"), ("overflow", "closed")]
    assert f"{dropped} records dropped" in said[1].reason
    assert ids[kept:] == [said[0].id, said[1].id, "e100"]


def test_a_disk_that_stays_nearly_full_is_said_once(tmp_path, monkeypatch, caplog):
    """Here and there a record fits; that must not open and close the overflow a million times."""
    import os
    from collections import namedtuple

    disk = namedtuple("disk", "f_bavail f_frsize")
    free = disk(1, 4096)
    monkeypatch.setattr(os, "statvfs", lambda folder: free)
    delivery = Listed()
    sink = forwarder(tmp_path, delivery)
    said, whole, number = [], os.write, 0
    sink.report = said.append
    monkeypatch.setattr(os, "write", lambda file, text: whole(file, text if number % 3 == 0 else text[:5]))
    for number in range(200):
        sink.event(event(number))
    during = list(said)
    free, number = disk(1 << 20, 4096), 0
    sink.event(event(200))
    sink.close()

    assert [(one.kind, one.state) for one in during] == [("overflow", "open")]
    assert [(one.kind, one.state) for one in said] == [("overflow", "open"), ("overflow", "closed")]
    assert caplog.text.count("newer records are dropped") == 1
    assert delivery.records[-1]["id"] == "e200"


def test_events_alone_are_sent_unless_scores_are_asked_for(tmp_path):
    delivery = Listed()
    sink = forwarder(tmp_path, delivery, scores=False)
    sink.take(Sample([1.0, 2.0], None, 0), RESULT)
    sink.event(event(0))
    sink.close()

    assert [one["type"] for one in delivery.records] == ["event"]


def open_sink(spec):
    return plan_delivery(parse_spec(spec), "pump", True)()


def score_records(count, first=0):
    return [
        {"seq": n, "type": "score", "model": "pump", "row": n, "time": None, "score": 1.0, "threshold": 2.0,
         "anomaly": False, "status": "ok", "contribution": None}
        for n in range(first, first + count)
    ]  # fmt: skip


def test_sqlite_holds_each_event_and_score_once(tmp_path):
    sink = open_sink(f"sqlite:{tmp_path}/e.db?keep=50")
    opened = {"seq": 0, "type": "event", "model": "pump", **event(1).record()}
    closed = {**opened, "seq": 1, "state": "closed", "end": 9.0}
    for batch in ([opened], [opened, closed], [opened], score_records(200), score_records(200)):
        assert sink.deliver(batch) == len(batch)
    sink.close()
    base = sqlite3.connect(tmp_path / "e.db")

    assert base.execute('SELECT id, state, "end", channels FROM event').fetchall() == [
        ("e1", "closed", 9.0, '["flow"]')
    ]
    assert base.execute("SELECT count(*), min(seq) FROM score").fetchone() == (50, 150)
    base.close()


def test_a_database_that_cannot_be_made_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="as a database"):
        open_sink(f"sqlite:{tmp_path}/none/e.db")


def test_a_file_is_rotated_by_size_and_keeps_some_old_ones(tmp_path):
    sink = open_sink(f"file:{tmp_path}/e.jsonl?limit=1000&keep=2")
    for number in range(100):
        sink.deliver([record(number)])
    sink.close()
    files = [tmp_path / f"e.jsonl{end}" for end in (".2", ".1", "")]
    found = [json.loads(line)["row"] for file in files for line in file.read_text().splitlines()]

    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.jsonl", "e.jsonl.1", "e.jsonl.2"]
    assert found == list(range(found[0], 100))
    assert all(file.stat().st_size <= 1000 for file in files)


def test_a_full_disk_leaves_the_records_in_the_spool(tmp_path, quick):
    sink = forwarder(tmp_path, open_sink("file:/dev/full?limit=0"))
    sink.event(event(0))

    assert wait_for(lambda: "space" in sink.trouble)
    assert sink.spool.backlog > 0
    sink.close()


def test_a_command_gets_each_record_and_is_tried_again(tmp_path, quick):
    script = tmp_path / "note.sh"
    script.write_text(f"#!/bin/sh\ncat >> {tmp_path}/got\ntest -e {tmp_path}/ready\n")
    script.chmod(0o755)
    sink = forwarder(tmp_path / "spool", open_sink(f"command:{script} 'a b'"))
    sink.event(event(0))
    assert wait_for(lambda: sink.trouble == "exit code 1")
    (tmp_path / "ready").touch()
    assert wait_for(lambda: sink.delivered == 1)
    sink.close()

    assert {json.loads(line)["id"] for line in (tmp_path / "got").read_text().splitlines()} == {"e0"}


@pytest.mark.parametrize(
    "spec", ["command:", "command:no-such-program -x", "ftp://a", "file:x?limit=big", "sqlite:x?keap=1"]
)
def test_sinks_that_cannot_work_are_refused_at_once(spec):
    with pytest.raises(ConfigError):
        open_sink(spec)


class Hook:
    """A webhook on loopback that answers as told."""

    def __init__(self):
        hook = self
        self.bodies, self.headers, self.answer, self.delay = [], [], 200, 0.0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                time.sleep(hook.delay)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.answer == 200:
                    hook.bodies.append(json.loads(body))
                    hook.headers.append(dict(self.headers))
                self.send_response(hook.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_webhook_gets_each_event_as_json_with_a_key(tmp_path, hook):
    (tmp_path / "token").write_text("sesame\n")
    delivery = plan_delivery(parse_spec({"url": hook.url, "token-file": f"{tmp_path}/token"}), "pump", False)()
    sink = forwarder(tmp_path / "spool", delivery)
    sink.event(event(0))
    sink.close()

    assert hook.bodies[0]["id"] == "e0"
    assert (hook.headers[0]["Idempotency-Key"], hook.headers[0]["Authorization"]) == ("pump-0", "Bearer sesame")


def test_a_webhook_that_fails_is_tried_again_and_a_senseless_record_is_given_up(tmp_path, hook, quick):
    hook.answer = 503
    sink = forwarder(tmp_path, open_sink(hook.url))
    sink.event(event(0))
    assert wait_for(lambda: "503" in sink.trouble or "Service" in sink.trouble)
    hook.answer = 422
    assert wait_for(lambda: sink.delivery.refused == 1)
    hook.answer = 200
    sink.event(event(1))
    sink.close()

    assert [one["id"] for one in hook.bodies] == ["e1"]


def slowest_take(sink, count=2000):
    """The longest that one sample was held up, seconds."""
    worst = 0.0
    for number in range(count):
        begin = time.perf_counter()
        sink.take(Sample([1.0, 2.0], None, number), RESULT)
        worst = max(worst, time.perf_counter() - begin)
    return worst


def test_a_slow_webhook_never_holds_up_scoring(tmp_path, hook, monkeypatch):
    monkeypatch.setattr(forward_module, "GRACE", 0.1)
    hook.delay = 1.0
    sink = forwarder(tmp_path, open_sink(hook.url))
    begin = time.monotonic()
    worst = slowest_take(sink)

    assert worst < 0.5  # one answer takes a second; the margin is for a busy machine
    assert time.monotonic() - begin < 2.0
    sink.close()


def test_a_dead_webhook_never_holds_up_scoring(tmp_path, monkeypatch):
    monkeypatch.setattr(forward_module, "GRACE", 0.1)
    sink = forwarder(tmp_path, open_sink("http://127.0.0.1:9/hook"))
    worst = slowest_take(sink)

    assert worst < 0.5
    assert wait_for(lambda: "refused" in sink.trouble)
    assert sink.spool.backlog > 100_000
    sink.close()


def test_a_record_with_a_number_beyond_all_limits_is_still_json():
    assert json.loads(compact({"score": float("nan"), "channels": ["a"]})) == {"score": None, "channels": ["a"]}


def test_a_spool_that_is_used_for_long_takes_no_more_memory_or_disk(tmp_path):
    import tracemalloc

    spool = Spool(tmp_path, 1 << 20)

    def use(count):
        for number in range(count):
            spool.put(record(number))
            if number % 10 == 9:
                spool.drop(spool.peek(64))

    use(2000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    use(8000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert grown < 50_000
    assert spool.size < 600_000
    assert sys.getsizeof(spool._sizes) < 2000
