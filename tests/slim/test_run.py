"""`edgelstm run` and `score` as a user meets them."""

import json
import re
import signal
import subprocess

import pytest
from command_helpers import DATA, MODEL, edgelstm, edgelstm_here, lines, spawn
from edgelstm.runtime import Detector
from edgelstm.runtime.service.runner import Runner
from edgelstm.runtime.sources import IterableSource
from sink_helpers import wait_for


def test_score_gives_one_row_per_input_row_in_the_inputs_order(tmp_path):
    done = edgelstm_here("score", MODEL, DATA, "-o", tmp_path / "s.csv")
    rows = [line.split(",") for line in (tmp_path / "s.csv").read_text().splitlines()]
    given = [line.split(",")[0] for line in DATA.read_text().splitlines()]
    window = Detector.load(MODEL).metadata.window

    assert done.returncode == 0
    assert rows[0] == ["time", "score", "anomaly"]
    assert [row[0] for row in rows[1:]] == given[1:]
    assert [row[1] == "" for row in rows[1 : window + 5]] == [True] * (window - 1) + [False] * 5


def test_score_and_run_agree(tmp_path):
    """On a stream with empty cells, too: the policies are the same."""
    text = re.sub(r"(?m)^(3300,)[^,]*", r"\1", DATA.read_text())
    (tmp_path / "data.csv").write_text(text)
    table = edgelstm_here("score", MODEL, tmp_path / "data.csv").stdout.splitlines()[1:]
    run = lines(edgelstm("run", MODEL, "-", "--scores", stdin=text).stdout)

    assert len(run) == len(table) == 600
    for row, record in zip(table, run, strict=True):
        score = "" if record["score"] is None else repr(record["score"])
        assert row == f"{record['time']},{score},{int(record['anomaly'])}"


def test_run_prints_each_event_when_it_opens_and_when_it_closes():
    events = lines(edgelstm_here("run", MODEL, DATA).stdout)

    assert [event["state"] for event in events[:2]] == ["open", "closed"]
    assert events[0]["id"] == events[1]["id"]
    assert events[0]["channels"]


def test_an_event_comes_before_the_stream_ends():
    process = spawn("run", MODEL, "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(DATA.read_text())
    process.stdin.flush()
    first = json.loads(process.stdout.readline())
    process.stdin.close()
    process.stdin = None
    process.communicate(timeout=20)

    assert first["state"] == "open"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_cleanly_and_closes_the_open_event(number):
    rows = DATA.read_text().splitlines(keepends=True)
    process = spawn("run", MODEL, "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for row in rows:
        process.stdin.write(row)
    for i in range(40):
        process.stdin.write(f"{3600 + i},{90 if i % 2 else 5},1\n")
    process.stdin.flush()
    states = []
    while states.count("open") == states.count("closed"):
        states.append(json.loads(process.stdout.readline())["state"])
        if len(states) > 20:
            break
    process.send_signal(number)
    process.stdin.close()
    process.stdin = None
    rest, said = process.communicate(timeout=20)
    states += [event["state"] for event in lines(rest)]

    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert states.count("open") == states.count("closed") > 0


def test_a_reader_that_leaves_is_no_error():
    process = spawn("run", MODEL, DATA, "--scores", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    said = process.communicate(timeout=20)[1]

    assert process.returncode == 0
    assert said == ""


def test_a_full_disk_is_said_in_one_line():
    with open("/dev/full", "w") as full:
        process = spawn("run", MODEL, DATA, "--scores", stdout=full, stderr=subprocess.PIPE)
        said = process.communicate(timeout=20)[1]

    assert process.returncode == 1
    assert said.startswith("Error: Cannot write to standard output: No space left")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time,level_cm,flow_lpm\n1,2,high\n", "line 2: column flow_lpm: 'high' is not a number"),
        ("time,level_cm\n1,2\n", "has no flow_lpm"),
        ("", "holds no rows"),
    ],
)
def test_bad_input_is_said_in_one_line_and_leaves_no_output(tmp_path, content, said):
    (tmp_path / "data.csv").write_text(content)
    done = edgelstm_here("score", MODEL, tmp_path / "data.csv", "-o", tmp_path / "s.csv")

    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_a_pipe_outlives_a_bad_line_and_says_so_once():
    rows = DATA.read_text().splitlines()
    rows[50:50] = ["\x00\x01garbage", "{", "3049,1,2,3,4"]
    done = edgelstm("run", MODEL, "-", stdin="\n".join(rows))
    plain = edgelstm("run", MODEL, DATA)

    assert done.returncode == 0
    assert done.stdout == plain.stdout
    assert done.stderr.count("passed over") == 1
    assert "3 unreadable" in done.stderr


@pytest.mark.parametrize("text", ["hello\nworld\n", "a,b\n1,2\n", "{}\n" * 30])
def test_a_pipe_of_which_nothing_fits_is_an_error(text):
    done = edgelstm("run", MODEL, "-", stdin=text)

    assert (done.returncode, done.stdout) == (1, "")
    assert "The model expects 2 channels" in done.stderr


def test_an_installation_may_set_alarms_and_limits(tmp_path):
    rules = ["--threshold", "1e9", "--limit", "flow_lpm=0:7", "--hold", "3", "--recover", "5"]
    done = edgelstm_here("run", MODEL, DATA, *rules)
    wrong = edgelstm_here("run", MODEL, DATA, "--limit", "flow=0:7")

    assert {event["kind"] for event in lines(done.stdout)} == {"sensor_fault"}
    assert "range" in done.stderr
    assert wrong.returncode == 1
    assert "Did you mean 'flow_lpm'?" in wrong.stderr


def test_score_stopped_in_the_middle_leaves_no_output(tmp_path):
    process = spawn("score", MODEL, "-", "-o", tmp_path / "s.csv", stdin=subprocess.PIPE)
    process.stdin.write(DATA.read_text())
    process.stdin.flush()
    assert wait_for(lambda: any(tmp_path.iterdir()))
    process.terminate()
    process.communicate(timeout=20)

    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_names_in_a_stream_do_not_steer_the_terminal(tmp_path):
    (tmp_path / "data.csv").write_text("time,\x1b]0;owned\x07\x9b2J,b\n1,2,3\n")
    done = edgelstm_here("score", MODEL, tmp_path / "data.csv")

    assert done.returncode == 1
    assert done.stderr.replace("\n", "").isprintable()


def test_a_runner_does_not_grow(tmp_path):
    import tracemalloc

    detector = Detector.load(MODEL)

    def run(count):
        Runner(detector, IterableSource((None, [50.0, 7.0]) for _ in range(count)), [], "pump").run()

    run(1000)
    tracemalloc.start()
    run(1000)
    before = tracemalloc.get_traced_memory()[0]
    run(3000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert grown < 100_000


@pytest.mark.parametrize("first", [0, 100])
def test_rows_without_a_time_are_dropped_counted_and_said(tmp_path, first):
    head, *rows = DATA.read_text().splitlines()
    holes = range(first, first + 4)
    rows = ["," + row.partition(",")[2] if place in holes else row for place, row in enumerate(rows)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([head, *rows, ""]))
    run = edgelstm_here("run", MODEL, path)
    done = edgelstm_here("score", MODEL, path, "-o", tmp_path / "s.csv")
    scores = (tmp_path / "s.csv").read_text().splitlines()

    assert "; 4 time" in run.stderr
    assert "4 rows without a time were dropped" in done.stderr
    assert scores[0].startswith("time,")
    assert scores[first + 1 : first + 5] == [",,0"] * 4
