"""A model file that is replaced at work, or that is bad at the start."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgelstm.runtime import Detector
from edgelstm.runtime.service import last_good
from edgelstm.runtime.service.last_good import MOST_CRASHES, LastGoodModel, LoadedModel, choose_model
from edgelstm.runtime.service.model_reload import ModelWatch
from model_files import aborting, repack

MODELS = Path(__file__).parent / "models"
DAMAGED = Path(__file__).parents[1] / "data" / "model-files"
HASTE = "import edgelstm.runtime.service.model_reload as r; r.EVERY = 0.0; r.GOOD_AFTER = {good}; from edgelstm.cli import main; main()"


def replace(content, path):
    """Replace a file whole, as `convert` and `calibrate` do."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    os.replace(beside, path)


def awaited(watch, old, seconds=30.0):
    """The new detector; None when the trial has refused it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        new = watch.replaced(old)
        if new is not None or watch._candidate is None:
            return new
        time.sleep(0.02)
    raise TimeoutError


def damages(content):
    """Files that must not take over, by name."""
    silent = {"threshold": {"value": 1e300}}
    return {
        "a body that keeps all rules and ends the interpreter": aborting(MODELS),
        "half a file": content[: len(content) // 2],
        "no file at all": b"",
        "a file of another kind": b"PK\3\4",
        "a body that ends the interpreter": (DAMAGED / "body-segfault.tflite").read_bytes(),
        "a body that raises in the interpreter": (DAMAGED / "body-runtimeerror.tflite").read_bytes(),
        "a threshold that silences": repack(content, metadata=silent),
        "a name that no terminal takes": (DAMAGED / "name-surrogate.tflite").read_bytes(),
        "sections of wrong types": repack(content, metadata={"decision": [1], "drift": 7, "streaming": "x"}),
        "another grid of rows": repack(content, metadata={"resampling": {"period": 60.0, "hold": 180.0}}),
        "other channels": (DAMAGED.parents[1] / "slim" / "models" / "ahead.int8.tflite").read_bytes(),
    }


@pytest.fixture
def path(models, tmp_path):
    """A model file of its own."""
    return Path(shutil.copy(models / "cast.int8.tflite", tmp_path / "model.tflite"))


def test_a_replaced_model_is_taken_over_after_a_full_check(path, models):
    watch, old = ModelWatch(path, every=0), Detector.load(path)
    unchanged = awaited(watch, old)
    replace((models / "cast.float32.tflite").read_bytes(), path)
    new = awaited(watch, old)

    assert unchanged is None
    assert new.metadata.scheme == "float32"
    assert new.index == 0
    assert awaited(watch, new) is None


def test_the_watch_goes_on_while_a_new_model_is_tried(path, models):
    watch, old = ModelWatch(path, every=0, folder=path.parent / "notes"), Detector.load(path)
    replace((models / "cast.float32.tflite").read_bytes(), path)
    begin = time.monotonic()
    first = watch.replaced(old)
    waited = time.monotonic() - begin
    new = awaited(watch, old)
    tried = time.monotonic() - begin

    assert first is None
    assert waited < tried / 2
    assert new.metadata.scheme == "float32"


@pytest.mark.parametrize("damage", damages((Path(__file__).parent / "models" / "cast.int8.tflite").read_bytes()))
def test_the_old_model_stays_whatever_replaces_it(damage, path, caplog):
    watch, old = ModelWatch(path, every=0), Detector.load(path)
    replace(damages(path.read_bytes())[damage], path)
    results = [awaited(watch, old) for _ in range(3)]

    assert results == [None] * 3
    assert caplog.text.count("the old model stays") == 1
    assert "Traceback" not in caplog.text


def run(*words, good=1e9, **options):
    """`edgelstm run` that looks at its model before every row."""
    command = [sys.executable, "-c", HASTE.format(good=good), "run", *map(str, words)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def feed(process, rows):
    """Send rows, one by one; return their statuses."""
    statuses = []
    for time_, level, flow in rows:
        process.stdin.write(f"{time_:g},{level},{flow}\n")
        process.stdin.flush()
        statuses.append(json.loads(process.stdout.readline())["status"])
    return statuses


def test_a_run_takes_a_replaced_model_over(models, stream, path):
    """End to end: rows come through a pipe, the file is replaced in between."""
    process = run(path, "-", "--scores")
    process.stdin.write("time,level_cm,flow_lpm\n")
    before = feed(process, stream[:40])
    replace((models / "cast.float32.tflite").read_bytes(), path)
    after, row = [], 40
    while "warmup" not in after and row < 500:
        after += feed(process, stream[row : row + 1])
        row += 1
        time.sleep(0.02)
    after += feed(process, stream[row : row + 40])
    _, errors = process.communicate(timeout=60)

    assert before[-1] == "ok"
    assert "warmup" in after
    assert after[-1] == "ok"
    assert "was replaced" in errors


def said_so_far(process):
    """Text that the process has written to standard error since the last call; never waits."""
    os.set_blocking(process.stderr.fileno(), False)
    try:
        return os.read(process.stderr.fileno(), 65536).decode()
    except BlockingIOError:
        return ""
    finally:
        os.set_blocking(process.stderr.fileno(), True)


@pytest.mark.parametrize("body", ["body-segfault", "body-runtimeerror", "verified"])
def test_a_run_outlives_a_body_that_would_end_it(body, stream, path):
    process = run(path, "-", "--scores")
    process.stdin.write("time,level_cm,flow_lpm\n")
    feed(process, stream[:30])
    replace(aborting(MODELS) if body == "verified" else (DAMAGED / f"{body}.tflite").read_bytes(), path)
    after, errors, row = [], "", 30
    while "the old model stays" not in errors and row < 550:
        after += feed(process, stream[row : row + 1])
        time.sleep(0.02)
        errors += said_so_far(process)
        row += 1
    errors += process.communicate(timeout=60)[1]

    assert set(after) == {"ok"}
    assert process.returncode == 0
    assert errors.count("the old model stays") == 1
    assert "Traceback" not in errors


def test_a_model_that_worked_is_kept_beside_the_state(stream, path, tmp_path):
    process = run(path, "-", "--state", tmp_path / "state", "--scores", good=0.0)
    process.stdin.write("time,level_cm,flow_lpm\n")
    feed(process, stream[:30])
    process.communicate(timeout=60)

    assert (tmp_path / "state.model").read_bytes() == path.read_bytes()
    assert not (tmp_path / "state.starts").exists()


def test_after_a_crash_loop_the_last_good_model_is_started(models, stream, path, tmp_path):
    """The new file passes every check, but the process is killed soon after each start."""
    shutil.copy(path, tmp_path / "state.model")
    replace((models / "cast.float32.tflite").read_bytes(), path)
    for _ in range(MOST_CRASHES - 1):
        LastGoodModel(tmp_path / "state").starting(choose_model(path).digest)
    process = run(path, "-", "--state", tmp_path / "state", "--scores")
    process.stdin.write("time,level_cm,flow_lpm\n")
    feed(process, stream[:3])
    process.kill()
    process.communicate()
    log = tmp_path / "events.jsonl"
    process = run(path, "-", "--state", tmp_path / "state", "--event-log", log)
    _, errors = process.communicate("time,level_cm,flow_lpm\n1,2,3\n", timeout=60)
    event = json.loads(log.read_text().splitlines()[0])

    assert process.returncode == 0
    assert f"ended the process {MOST_CRASHES} times" in errors
    assert "The last good model" in errors
    assert (event["kind"], event["state"], event["reason"]) == ("model", "open", "last_good")


def test_a_start_with_a_damaged_file_uses_the_last_good_model(path, tmp_path):
    good = LastGoodModel(tmp_path / "state")
    content = path.read_bytes()
    good.confirm(LoadedModel(content, choose_model(path).bundle))
    path.write_bytes((DAMAGED / "body-segfault.tflite").read_bytes())
    model = choose_model(path, good)

    assert model.content == content
    assert "is damaged" in model.fallback
    assert model.notice.kind == "model"


def test_a_start_with_a_damaged_file_and_no_good_one_is_refused_in_one_line(path, tmp_path):
    path.write_bytes((DAMAGED / "body-segfault.tflite").read_bytes())
    process = run(path, "-", "--state", tmp_path / "state")
    _, errors = process.communicate("", timeout=60)

    assert process.returncode == 1
    assert len(errors.splitlines()) == 1
    assert "is damaged" in errors


def test_an_orderly_end_is_no_crash(stream, path, tmp_path):
    process = run(path, "-", "--state", tmp_path / "state", "--scores")
    process.stdin.write("time,level_cm,flow_lpm\n")
    feed(process, stream[:3])
    at_work = (tmp_path / "state.starts").exists()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert at_work
    assert not (tmp_path / "state.starts").exists()


def test_a_model_without_an_alternative_is_started_again_after_crashes(path, tmp_path, caplog):
    good = LastGoodModel(tmp_path / "state")
    for _ in range(MOST_CRASHES):
        good.starting(choose_model(path, good).digest)

    assert choose_model(path, good).fallback == ""
    assert "no other model that has worked" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"model": 3, "starts": "x"}', b"\xff"])
def test_a_damaged_count_counts_as_none(content, tmp_path):
    good = LastGoodModel(tmp_path / "state")
    good.starts.write_bytes(content)

    assert good.crashes("0" * 64) == 0


def test_a_count_is_of_one_model(tmp_path):
    good = LastGoodModel(tmp_path / "state")
    good.starting("a")
    good.starting("a")

    assert (good.crashes("a"), good.crashes("b")) == (2, 0)
    assert last_good.MOST_CRASHES > 1
