"""Telegraf's `execd` processor: points go through, and points of scores and events come beside them."""

import subprocess

import pytest
from command_helpers import DATA, MODEL, edgelstm, lines, spawn
from edgelstm.runtime.sources.records import parse_line_protocol

OTHER = "cpu,host=pi usage_idle=98.1 1700864000000000000"


@pytest.fixture(scope="module")
def points():
    """The rows of the tests' stream as a plugin would gather them, with points of another plugin between them."""
    rows = [line.split(",") for line in DATA.read_text().splitlines()[1:]]
    pump = [
        f"pump,host=pi level_cm={level},flow_lpm={flow} {1700860000 + int(float(t))}000000000"
        for t, level, flow in rows
    ]
    return [line for point in pump for line in (point, OTHER)]


@pytest.fixture(scope="module")
def done(points):
    return edgelstm("run", MODEL, "--telegraf", "--name", "pump 1", stdin="\n".join(points) + "\n")


def test_every_point_goes_through_unchanged_and_before_its_score(done, points):
    out = done.stdout.splitlines()
    own = [line for line in out if not line.startswith("edgelstm_")]
    first = out.index(points[0])

    assert own == points
    assert out[first + 1].startswith("edgelstm_score,model=pump\\ 1 ")
    assert done.returncode == 0


def test_scores_and_events_are_those_of_a_run_that_prints_json(done, tmp_path):
    plain = edgelstm("run", MODEL, DATA, "--scores", "--to", f"file:{tmp_path}/events.jsonl")
    scores = [record for record in lines(plain.stdout) if record["score"] is not None]
    events = lines((tmp_path / "events.jsonl").read_text())
    records = [parse_line_protocol(line) for line in done.stdout.splitlines() if line.startswith("edgelstm_")]
    ours = [record for record in records if record["measurement"] == "edgelstm_score" and "score" in record]

    assert [record["score"] for record in ours] == pytest.approx([record["score"] for record in scores])
    assert {record["model"] for record in records} == {"pump 1"}
    assert [record["id"] for record in records if record["measurement"] == "edgelstm_event"] != []
    assert len(records) - len([r for r in records if r["measurement"] == "edgelstm_score"]) == len(events)


def test_times_are_nanoseconds_and_those_of_the_points(done, points):
    scored = [line for line in done.stdout.splitlines() if line.startswith("edgelstm_score")]

    assert [line.rsplit(" ", 1)[1] for line in scored] == [line.rsplit(" ", 1)[1] for line in points[::2]]


def test_a_point_is_answered_before_the_next_one_comes(points):
    """Telegraf keeps the pipe open for as long as it runs."""
    process = spawn("run", MODEL, "--telegraf", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    answers = []
    for point in points[:8:2]:
        process.stdin.write(point + "\n")
        process.stdin.flush()
        answers.append((process.stdout.readline().strip(), process.stdout.readline().strip()))
    process.terminate()
    _, errors = process.communicate(timeout=20)

    assert [point for point, _ in answers] == points[:8:2]
    assert all(score.startswith("edgelstm_score,model=auto ") for _, score in answers)
    assert "4 samples" in errors


def test_damaged_points_do_not_end_the_processor(points):
    noise = ["what is this", 'pump level_cm="high",flow_lpm=1', "\x00\x01"] * 20
    done = edgelstm("run", MODEL, "--telegraf", stdin="\n".join([*noise, *points[:20]]) + "\n")

    assert done.returncode == 0
    assert done.stderr.count("a line is passed over") == 1
    assert "60 unreadable" in done.stderr
    assert done.stdout.count("edgelstm_score") == 10


def test_a_source_that_is_no_standard_input_is_refused():
    done = edgelstm("run", MODEL, DATA, "--telegraf")

    assert (done.returncode, done.stdout) == (1, "")
    assert "telegraf requires a model that reads standard input" in done.stderr
