"""State on disk: power cuts, kills, damaged files, and models that are replaced while at work."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_helpers import edgelstm_here
from edgelstm.runtime import Detector
from edgelstm.runtime.errors import OutputError
from edgelstm.runtime.service.checkpoint import Checkpoint
from edgelstm.runtime.service.state_file import read_state
from edgelstm.runtime.sources import Sample


def samples(stream):
    return [Sample(row[1:].tolist(), float(row[0]), number) for number, row in enumerate(stream)]


def work(model, stream, folder, stop_after=None, every=0.0):
    """Run a checkpoint by hand; stop dead after some rows."""
    checkpoint = Checkpoint(Detector.load(model), folder / "state", folder / "events.jsonl", every)
    for sample in checkpoint.unseen(samples(stream)):
        if sample.row == stop_after:
            checkpoint.close()
            return checkpoint
        for event in checkpoint.detector.update(sample.values, sample.time).events:
            checkpoint.event(event)
        checkpoint.after(sample.row)
    checkpoint.save()
    for event in checkpoint.detector.finish():
        checkpoint.event(event)
    checkpoint.close()
    return checkpoint


@pytest.fixture
def model(models):
    return models / "cast.int8.tflite"


@pytest.mark.parametrize("every", [0.0, 0.002, 1e9])
def test_a_log_after_any_stop_is_that_of_an_uninterrupted_run(model, stream, tmp_path, every):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    whole.mkdir()
    torn.mkdir()
    work(model, stream, whole)
    for stop in (10, 155, 301, 302, 333, 460, 599):
        work(model, stream, torn, stop, every)
        with open(torn / "events.jsonl", "ab") as log:
            log.write(b'{"id":"half a li')
    work(model, stream, torn, None, every)

    assert (torn / "events.jsonl").read_bytes() == (whole / "events.jsonl").read_bytes()
    assert len((whole / "events.jsonl").read_text().splitlines()) >= 6


@pytest.mark.slow(reason="runs are killed and started many times")
def test_kills_at_random_instants_leave_the_log_of_an_uninterrupted_run(model, stream, tmp_path):
    """SIGKILL is what a power cut is to a process."""
    long = np.concatenate([stream + np.array([len(stream) * turn, 0, 0]) for turn in range(6)])
    data = tmp_path / "long.csv"
    np.savetxt(data, long, delimiter=",", header="time,level_cm,flow_lpm", comments="", fmt=["%d", "%.3f", "%.4f"])
    command = [sys.executable, "-m", "edgelstm", "run", str(model), str(data), "--snapshot-every", "0.02"]

    def start(name):
        kept = ["--state", str(tmp_path / f"{name}.state"), "--event-log", str(tmp_path / f"{name}.jsonl")]
        return subprocess.Popen([*command, *kept], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    whole = start("whole")
    assert whole.wait(120) == 0, whole.stderr.read()
    whole.stderr.close()
    chance, killed = random.Random(5), 0
    for share in (0.2, 0.5, 0.8):
        process = start("torn")
        instant = len(long) * (share + chance.uniform(-0.1, 0.1))
        while process.poll() is None and (read_state(tmp_path / "torn.state") or {}).get("rows", 0) < instant:
            time.sleep(chance.uniform(0, 0.01))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        process.stderr.close()
    last = start("torn")
    assert last.wait(120) == 0, last.stderr.read()
    last.stderr.close()

    assert killed >= 1
    assert (tmp_path / "torn.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_defect_ends_a_run_in_one_line_and_the_next_start_goes_on(model, stream, tmp_path, monkeypatch):
    data = tmp_path / "rows.csv"
    np.savetxt(data, stream, delimiter=",", header="time,level_cm,flow_lpm", comments="")
    update = Detector.update

    def broken(detector, sample, *more):
        if detector.index == 400:
            raise ZeroDivisionError("a defect")
        return update(detector, sample, *more)

    def run(name):
        kept = ["--state", tmp_path / f"{name}.state", "--event-log", tmp_path / f"{name}.jsonl"]
        return edgelstm_here("run", model, data, "--name", "tank", "--snapshot-every", "0", *kept)

    assert run("whole").returncode == 0
    with monkeypatch.context() as patch:
        patch.setattr(Detector, "update", broken)
        failed = run("torn")

    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [failed.stderr.strip()]
    assert "tank has stopped after 400 samples on a defect (ZeroDivisionError: a defect)" in failed.stderr
    assert read_state(tmp_path / "torn.state")["rows"] == 400
    assert run("torn").returncode == 0
    assert (tmp_path / "torn.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_first_start_keeps_the_log_that_is_there(model, stream, tmp_path):
    (tmp_path / "events.jsonl").write_text('{"id":"old"}\n{"half')
    work(model, stream[:30], tmp_path)

    assert (tmp_path / "events.jsonl").read_text() == '{"id":"old"}\n'


@pytest.mark.parametrize("content", [b"", b"garbage", b"0" * 64 + b"\n{}", b"\xff" * 5000])
def test_a_damaged_state_is_told_and_the_model_starts_afresh(model, stream, tmp_path, caplog, content):
    (tmp_path / "state").write_bytes(content)
    checkpoint = work(model, stream[:40], tmp_path)

    assert "starts afresh" in caplog.text
    assert checkpoint.rows == 40


def test_another_model_goes_on_after_the_rows_that_were_reported_on(models, stream, tmp_path, caplog):
    """A kill between a change of the model and the next snapshot leaves the state of the model before."""
    first, middle = tmp_path / "state", 333  # the old model has an alarm open there
    work(models / "auto.int8.tflite", stream, tmp_path, middle)
    before = (tmp_path / "events.jsonl").read_bytes()
    open_ids = {one["id"] for one in events_in(before)} - {
        one["id"] for one in events_in(before) if one["state"] == "closed"
    }
    checkpoint = Checkpoint(Detector.load(models / "cast.int8.tflite"), first, tmp_path / "events.jsonl", 1e9)
    for event in checkpoint.left_open:
        checkpoint.event(event)
    rows = [sample.row for sample in checkpoint.unseen(samples(stream))]
    checkpoint.close()

    assert "goes on where that one ended" in caplog.text
    assert rows == list(range(middle, len(stream)))
    assert checkpoint.detector.index == middle
    after = (tmp_path / "events.jsonl").read_bytes()
    assert after.startswith(before)
    assert open_ids
    assert {(one["id"], one["state"]) for one in events_in(after[len(before) :])} == {
        (one, "closed") for one in open_ids
    }


def events_in(content):
    return [json.loads(line) for line in content.splitlines()]


def test_a_longer_file_goes_on_where_the_last_run_ended(model, stream, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    work(model, stream, whole)
    work(model, stream[:310], tmp_path)
    work(model, stream, tmp_path)

    assert (tmp_path / "events.jsonl").read_bytes() == (whole / "events.jsonl").read_bytes()


def test_another_file_is_read_from_its_beginning(model, stream, tmp_path, caplog):
    work(model, stream, tmp_path)
    later = stream + np.array([len(stream), 0, 0])
    checkpoint = Checkpoint(Detector.load(model), tmp_path / "state")

    assert sum(1 for _ in checkpoint.unseen(samples(later))) == len(stream)
    assert "read from its beginning" in caplog.text


def test_a_rotated_file_is_read_whole_and_known_again(model, stream, tmp_path, caplog):
    rotated = [*samples(stream), *samples(stream[:50] + np.array([len(stream), 0, 0]))]
    checkpoint = Checkpoint(Detector.load(model), tmp_path / "state")
    for sample in checkpoint.unseen(rotated):
        checkpoint.after(sample.row)
    checkpoint.save()
    checkpoint.close()
    again = Checkpoint(Detector.load(model), tmp_path / "state")

    assert again.rows == 50
    assert [sample.row for sample in again.unseen(samples(stream[:60] + np.array([len(stream), 0, 0])))] == [
        *range(50, 60)
    ]
    assert not caplog.text


@pytest.mark.slow(reason="runs are killed and started many times")
def test_a_followed_file_goes_on_after_a_kill_where_the_state_was(model, stream, tmp_path):
    data, log = tmp_path / "grows.csv", tmp_path / "torn.jsonl"
    kept = ["--state", str(tmp_path / "torn.state"), "--event-log", str(log), "--snapshot-every", "0"]
    command = [sys.executable, "-m", "edgelstm", "run", str(model), str(data)]
    lines = [",".join(f"{value:g}" for value in row) for row in stream]
    data.write_text("time,level_cm,flow_lpm\n")
    for begin, end in ((0, 200), (200, 350), (350, len(lines))):
        with open(data, "a") as file:
            file.writelines(f"{line}\n" for line in lines[begin:end])
        process = subprocess.Popen([*command, "--follow", *kept], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while (read_state(tmp_path / "torn.state") or {}).get("rows", 0) < (end if end == len(lines) else end - 30):
            time.sleep(0.02)
        process.kill()
        process.wait()
    whole = subprocess.run(
        [*command, "--state", str(tmp_path / "whole.state"), "--event-log", str(tmp_path / "whole.jsonl")],
        capture_output=True, check=True,
    )  # fmt: skip

    assert whole.returncode == 0
    torn = log.read_text().splitlines()
    assert torn == (tmp_path / "whole.jsonl").read_text().splitlines()[: len(torn)]
    assert len(torn) >= 6


def test_a_day_of_snapshots_spares_the_card(model, stream, tmp_path):
    checkpoint = work(model, stream, tmp_path)
    size = (tmp_path / "state").stat().st_size

    assert read_state(tmp_path / "state")["rows"] == len(stream)
    assert size * 24 * 3600 / 300 < 2_000_000
    assert checkpoint.written > 0


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")
def test_a_snapshot_is_written_synced_renamed_and_the_folder_synced(model, tmp_path):
    program = (
        "import sys; from pathlib import Path; from edgelstm.runtime.service.state_file import write_state; "
        "write_state(Path(sys.argv[1]), {'rows': 1})"
    )
    trace = tmp_path / "trace"
    calls = "trace=write,fsync,rename,renameat,renameat2"
    traced = ["strace", "-f", "-y", "-e", calls, "-o", trace, sys.executable, "-c", program, tmp_path / "state"]
    subprocess.run(traced, check=True)
    folder = re.escape(str(tmp_path))
    found = re.findall(rf"(write|fsync|rename)\w*\((?:\d+<|\")({folder}[^>\"]*)", trace.read_text())
    calls = [(call, Path(path).name if path != str(tmp_path) else "folder") for call, path in found]
    kinds = [(call, name if name == "folder" else "beside" if name.endswith(".part") else name) for call, name in calls]

    assert kinds == [("write", "beside"), ("fsync", "beside"), ("rename", "beside"), ("fsync", "folder")]


def test_a_state_that_cannot_be_written_at_the_start_or_the_end_is_an_error(model, tmp_path):
    with pytest.raises(OutputError, match="Make the folder"):
        Checkpoint(Detector.load(model), tmp_path / "none" / "state")
    (tmp_path / "kept").mkdir()
    checkpoint = Checkpoint(Detector.load(model), tmp_path / "kept" / "state")
    shutil.rmtree(tmp_path / "kept")
    with pytest.raises(OutputError, match="Make the folder"):
        checkpoint.save()
