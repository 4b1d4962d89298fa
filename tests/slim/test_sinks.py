"""Sinks: nothing is lost while there is room, nothing is out of order, and scoring never waits."""

import json
import os
import sqlite3
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner
from edgelstm.runtime.errors import ConfigError, OutputError
from edgelstm.runtime.io.access import Access
from edgelstm.runtime.service.config import make_config
from edgelstm.runtime.service.systemd_unit import unit
from edgelstm.runtime.sinks import SINKS, NoOptions, SinkKind
from edgelstm.runtime.sinks.jsonl import compact
from edgelstm.runtime.sources import Sample
from sink_helpers import RESULT, Listed, event, forwarder, open_sink, record, score_records, wait_for

from edgelstm.cli.run import command


def test_a_sink_that_comes_back_gets_everything_in_order(tmp_path, quick):
    delivery = Listed()
    delivery.down = True
    sink = forwarder(tmp_path, delivery)
    for number in range(100):
        sink.result(Sample([1.0, 2.0], None, number), RESULT)
    assert wait_for(lambda: sink.failure == "down")
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
    sink.result(Sample([1.0, 2.0], None, 0), RESULT)
    sink.event(event(0))
    sink.close()

    assert [one["type"] for one in delivery.records] == ["event"]


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

    assert wait_for(lambda: "space" in sink.failure)
    assert sink.spool.backlog > 0
    sink.close()


def test_a_command_gets_each_record_and_is_tried_again(tmp_path, quick):
    script = tmp_path / "note.sh"
    script.write_text(f"#!/bin/sh\ncat >> {tmp_path}/got\ntest -e {tmp_path}/ready\n")
    script.chmod(0o755)
    sink = forwarder(tmp_path / "spool", open_sink(f"command:{script} 'a b'"))
    sink.event(event(0))
    assert wait_for(lambda: sink.failure == "exit code 1")
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


def test_a_record_with_a_number_beyond_all_limits_is_still_json():
    assert json.loads(compact({"score": float("nan"), "channels": ["a"]})) == {"score": None, "channels": ["a"]}


def test_two_sinks_that_overflow_at_one_record_name_their_events_differently(tmp_path, quick):
    ids = set()
    for name in ("one", "other"):
        delivery = Listed()
        delivery.down = True
        sink = forwarder(tmp_path / name, delivery, limit=3000)
        sink.report = lambda overflow: ids.add(overflow.id)
        for number in range(100):
            sink.event(event(number))
        delivery.down = False
        sink.close()

    assert len(ids) == 2


def test_a_file_goes_on_under_its_name_when_logrotate_renames_or_truncates_it(tmp_path):
    path, sink = tmp_path / "e.jsonl", open_sink(f"file:{tmp_path}/e.jsonl")
    sink.deliver([record(0)])
    path.rename(tmp_path / "e.jsonl.old")
    sink.deliver([record(1)])
    os.truncate(path, 0)
    sink.deliver([record(2)])
    sink.close()
    files = [tmp_path / "e.jsonl.old", path]

    assert [[json.loads(line)["row"] for line in file.read_text().splitlines()] for file in files] == [[0], [2]]


@pytest.mark.parametrize("kind", ["sqlite", "file"])
def test_files_of_sinks_are_for_their_user_alone(tmp_path, kind):
    before = os.umask(0)
    try:
        sink = forwarder(tmp_path / "spool", open_sink(f"{kind}:{tmp_path}/e"))
        sink.event(event(0))
        assert wait_for(lambda: sink.delivered)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
        sink.close()
    finally:
        os.umask(before)

    assert len(modes) >= 4
    assert set(modes.values()) == {0o600}


class Shelf:
    """A sink of a new kind, as a contributor would write one."""

    Options = NoOptions
    longest_wait = 1.0
    records: ClassVar = []

    def __init__(self, address, options, stream):
        self.name, self.model = address.name, stream.model

    def deliver(self, records):
        self.records += records
        return len(records)

    def stop_waiting(self):
        pass

    def close(self):
        pass


def test_a_sink_is_added_in_one_place(tmp_path, monkeypatch):
    """One entry in the registry: addresses, errors, help, the service's unit and the dry run know it."""
    kind = SinkKind(("shelf",), "shelf:PLACE", f"{__name__}:Shelf", Access.FOLDER)
    monkeypatch.setattr("edgelstm.runtime.sinks.registry.SINKS", [*SINKS, kind])
    sink = forwarder(tmp_path, open_sink("shelf:top"))
    sink.event(event(0))
    sink.close()
    config = make_config({"model": "/m.tflite", "source": "mqtt://localhost/a", "to": ["shelf:/top"]})

    assert [one["id"] for one in Shelf.records] == ["e0"]
    with pytest.raises(ConfigError, match="shelf:PLACE"):
        open_sink("shelv:top")
    with pytest.raises(ConfigError, match="writes in its own folder only"):
        unit(config, Path("/etc/pump.toml"), "/opt/edgelstm")
    assert "shelf:PLACE" in CliRunner().invoke(command, ["--help"]).output
