"""Event log and state beside other programs: second processes, logrotate, SIGHUP, other users."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from edgelstm.runtime import Detector
from edgelstm.runtime.errors import ConfigError, OutputError
from edgelstm.runtime.service.checkpoint import Checkpoint
from edgelstm.runtime.service.config import make_config
from edgelstm.runtime.service.event_log import EventLog
from edgelstm.runtime.service.state_file import read_state
from edgelstm.runtime.sources import Sample
from sink_helpers import event, wait_for

HEADER = "time,level_cm,flow_lpm\n"


@pytest.fixture
def model(models):
    return models / "cast.int8.tflite"


def rows(stream):
    return [",".join(f"{value:g}" for value in row) + "\n" for row in stream]


def start(model, source, folder, *words, **more):
    command = [sys.executable, "-m", "edgelstm", "run", model, source, "--state", folder / "state"]
    command += ["--event-log", folder / "events.jsonl", *words]
    return subprocess.Popen(list(map(str, command)), text=True, stderr=subprocess.PIPE, **more)


def ids(path):
    return [(record["id"], record["state"]) for record in map(json.loads, path.read_text().splitlines())]


def test_a_second_process_on_one_state_is_refused_and_told_the_first(model, stream, tmp_path):
    with start(model, "-", tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as first:
        assert wait_for(lambda: (tmp_path / "state").exists())
        second = start(model, "-", tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        _, errors = second.communicate("", timeout=30)
        first.communicate(HEADER + "".join(rows(stream)), timeout=30)

    assert (first.returncode, second.returncode) == (0, 1)
    assert f"in use by another edgelstm (process {first.pid})" in errors
    assert errors.count("\n") == 1


def test_two_states_may_not_share_an_event_log(model, tmp_path):
    first = Checkpoint(Detector.load(model), tmp_path / "a", tmp_path / "events.jsonl")
    with pytest.raises(ConfigError, match=r"event log .* is used twice"):
        Checkpoint(Detector.load(model), tmp_path / "b", tmp_path / "events.jsonl")
    first.close()
    Checkpoint(Detector.load(model), tmp_path / "b", tmp_path / "events.jsonl").close()


@pytest.mark.parametrize("key", ["state", "event-log"])
def test_two_streams_of_one_configuration_may_not_share_a_file(tmp_path, key):
    streams = [{"model": "a.tflite", "source": "a.csv"}, {"model": "b.tflite", "source": "b.csv"}]
    with pytest.raises(ConfigError, match=f"two models share one {key} file"):
        make_config({"stream": streams, key: str(tmp_path / "same")})


def test_state_log_and_locks_are_for_their_user_alone(model, stream, tmp_path):
    before = os.umask(0)
    try:
        checkpoint = Checkpoint(Detector.load(model), tmp_path / "state", tmp_path / "events.jsonl")
        checkpoint.event(event(0))
        checkpoint.save()
        checkpoint.close()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert modes == dict.fromkeys(("state", "events.jsonl", ".state.lock", ".events.jsonl.lock"), 0o600)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")
def test_no_file_of_a_run_is_ever_readable_for_others(model, stream, tmp_path):
    """System calls of a run with every kind of file, under a umask that forbids nothing."""
    (tmp_path / "run").mkdir()
    (tmp_path / "data.csv").write_text(HEADER + "".join(rows(stream)))
    trace, folder = tmp_path / "trace", tmp_path / "run"
    words = [model, tmp_path / "data.csv", "--state", folder / "state", "--event-log", folder / "events.jsonl"]
    words += ["--to", f"file:{folder}/e.jsonl", "--scores-to", f"sqlite:{folder}/e.db", "--state-dir", folder / "own"]
    words += ["--listen", "0.0.0.0:0"]
    command = ["strace", "-f", "-y", "-e", "trace=open,openat,creat,chmod,fchmod,fchmodat", "-o", trace]
    command += [sys.executable, "-m", "edgelstm", "run", *words]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, umask=0, timeout=120)
    pattern = rf'"{re.escape(str(folder))}/?([^"]*)", [^)]*O_CREAT[^)]*, (0[0-7]+)\)'
    made = {}
    for name, mode in re.findall(pattern, trace.read_text(errors="replace")):
        made.setdefault(name, mode)  # the first one makes the file
    left = {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in folder.rglob("*.*")}

    assert {"events.jsonl", "e.jsonl", "e.db"} <= set(made)
    assert {"own/token", "state"} <= {name.replace("/.", "/").lstrip(".").rsplit(".", 2)[0] for name in made}
    assert set(made.values()) == {"0600"}
    assert {mode for name, mode in left.items() if (folder / name).is_file()} == {0o600}


def test_sighup_takes_a_snapshot_and_does_not_end_the_run(model, stream, tmp_path):
    with start(model, "-", tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        process.stdin.write(HEADER + "".join(rows(stream[:200])))
        process.stdin.flush()
        assert wait_for(lambda: (tmp_path / "events.jsonl").exists() and (tmp_path / "events.jsonl").stat().st_size)
        seen = (read_state(tmp_path / "state") or {}).get("rows")
        assert wait_for(lambda: snapshot_rows(process, tmp_path) == 200)
        process.stdin.write("".join(rows(stream[200:])))
        process.stdin.close()
        process.stdin = None
        process.wait(30)
        errors = process.stderr.read()

    assert seen == 0
    assert process.returncode == 0, errors
    assert read_state(tmp_path / "state")["rows"] == len(stream)


def snapshot_rows(process, folder):
    """Ask for a snapshot, and tell how many rows it holds."""
    process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    return read_state(folder / "state")["rows"]


def samples(stream):
    return [Sample(row[1:].tolist(), float(row[0]), number) for number, row in enumerate(stream)]


def work(model, stream, folder, act, stop_after=None):
    """Run a checkpoint by hand; `act` is called before each row."""
    checkpoint = Checkpoint(Detector.load(model), folder / "state", folder / "events.jsonl", 1e9)
    for sample in checkpoint.unseen(samples(stream)):
        act(sample.row)
        if sample.row == stop_after:
            checkpoint.close()
            return
        for change in checkpoint.detector.update(sample.values, sample.time).events:
            checkpoint.event(change)
        checkpoint.after(sample.row)
    checkpoint.save()
    for change in checkpoint.detector.finish():
        checkpoint.event(change)
    checkpoint.close()


@pytest.mark.parametrize(
    ("kind", "moment", "crash"),
    [(kind, *rows) for kind in ("rename", "create", "copytruncate") for rows in ((330, 470), (470, 599))]
    # a crash before the next event doubles what copytruncate has copied, as logrotate's manual warns
    + [("rename", 330, 335), ("create", 330, 335)],
)
def test_a_rotated_log_loses_and_doubles_no_event_even_by_a_crash(model, stream, tmp_path, kind, moment, crash):
    """Rotation by rename, with `create` and with `copytruncate`, then a crash before the next snapshot."""
    log, old, whole = tmp_path / "events.jsonl", tmp_path / "events.jsonl.1", tmp_path / "whole"
    whole.mkdir()
    work(model, stream, whole, lambda row: None)

    def rotate(row):
        if row == moment and kind == "copytruncate":
            old.write_bytes(log.read_bytes())
            os.truncate(log, 0)
        elif row == moment and not old.exists():
            log.rename(old)
            if kind == "create":
                log.touch()

    work(model, stream, tmp_path, rotate, stop_after=crash)
    work(model, stream, tmp_path, lambda row: None)

    assert ids(old) + ids(log) == ids(whole / "events.jsonl")


def test_the_first_event_after_a_rotation_is_in_the_new_log(tmp_path, model):
    checkpoint = Checkpoint(Detector.load(model), tmp_path / "state", tmp_path / "events.jsonl", 1e9)
    checkpoint.event(event(0))
    checkpoint.after(0)
    (tmp_path / "events.jsonl").rename(tmp_path / "old")
    checkpoint.event(event(1))
    checkpoint.after(1)
    new = ids(tmp_path / "events.jsonl")
    (tmp_path / "events.jsonl").unlink()
    checkpoint.event(event(2))
    checkpoint.close()

    assert ids(tmp_path / "old") == [("e0", "open")]
    assert new == [("e1", "open")]
    assert ids(tmp_path / "events.jsonl") == [("e2", "open")]


def test_a_half_line_is_cut_off_and_a_long_log_is_not_read_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"id":"old"}\n' * 200_000 + b'{"half')
    EventLog(path, None).close()

    assert path.stat().st_size == 200_000 * 13


def test_a_full_disk_does_not_end_the_watch_and_nothing_is_lost(model, stream, tmp_path, monkeypatch, caplog):
    whole = tmp_path / "whole"
    whole.mkdir()
    work(model, stream, whole, lambda row: None)
    checkpoint = Checkpoint(Detector.load(model), tmp_path / "state", tmp_path / "events.jsonl", 0.0)
    write, full = os.write, False
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:7] if full else content))
    monkeypatch.setattr(
        "edgelstm.runtime.service.state_file.write_atomic", lambda *_, **__: None if not full else no_space()
    )
    for sample in samples(stream):
        full = 140 < sample.row < 400
        for change in checkpoint.detector.update(sample.values, sample.time).events:
            checkpoint.event(change)
        checkpoint.after(sample.row)
    checkpoint.save()
    for change in checkpoint.detector.finish():
        checkpoint.event(change)
    checkpoint.close()

    assert (tmp_path / "events.jsonl").read_bytes() == (whole / "events.jsonl").read_bytes()
    assert caplog.text.count("The watch goes on") == 1
    assert caplog.text.count("can be written again") == 1


def no_space():
    raise OutputError("Cannot write the state: no space left on the device.")
