"""`edgelstm run`, `score` and `service` as a user meets them."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from edgelstm.runtime import Detector
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.service.config import Settings, load_config, make_config
from edgelstm.runtime.service.live_page import LivePage
from edgelstm.runtime.service.runner import Runner
from edgelstm.runtime.service.systemd import Watchdog
from edgelstm.runtime.service.systemd_unit import unit
from edgelstm.runtime.sources import IterableSource

MODELS = Path(__file__).parent / "models"
MODEL, DATA = MODELS / "auto.int8.tflite", MODELS / "stream.csv"


def edgelstm(*words, stdin=None, env=None):
    command = [sys.executable, "-m", "edgelstm", *map(str, words)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})}
    )


def spawn(*words, env=None, **more):
    command = [sys.executable, "-m", "edgelstm", *map(str, words)]
    return subprocess.Popen(command, text=True, env={**os.environ, **(env or {})}, **more)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def wait_for(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_score_gives_one_row_per_input_row_in_the_inputs_order(tmp_path):
    done = edgelstm("score", MODEL, DATA, "-o", tmp_path / "s.csv")
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
    table = edgelstm("score", MODEL, tmp_path / "data.csv").stdout.splitlines()[1:]
    run = lines(edgelstm("run", MODEL, "-", "--scores", stdin=text).stdout)

    assert len(run) == len(table) == 600
    for row, record in zip(table, run, strict=True):
        score = "" if record["score"] is None else repr(record["score"])
        assert row == f"{record['time']},{score},{int(record['anomaly'])}"


def test_run_prints_each_event_when_it_opens_and_when_it_closes():
    events = lines(edgelstm("run", MODEL, DATA).stdout)

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
    done = edgelstm("score", MODEL, tmp_path / "data.csv", "-o", tmp_path / "s.csv")

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
    done = edgelstm("run", MODEL, DATA, *rules)
    wrong = edgelstm("run", MODEL, DATA, "--limit", "flow=0:7")

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


def write_config(folder, **more):
    text = f'model = "{MODEL}"\nsource = "{DATA}"\nstate-dir = "{folder}/state"\n'
    (folder / "pump.toml").write_text(text + "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items()))
    return folder / "pump.toml"


def test_a_configuration_feeds_several_sinks_at_once(tmp_path):
    done = edgelstm("run", "--config", write_config(
        tmp_path, **{"to": [f"file:{tmp_path}/events.jsonl"], "scores-to": [f"sqlite:{tmp_path}/scores.db"]}
    ))  # fmt: skip
    base = sqlite3.connect(tmp_path / "scores.db")
    counts = (
        base.execute("SELECT count(*) FROM score").fetchone()[0],
        base.execute("SELECT count(*) FROM event").fetchone()[0],
    )
    base.close()
    opened = [event["id"] for event in lines(done.stdout) if event["state"] == "open"]

    assert done.returncode == 0
    assert counts == (600, len(opened))
    assert [one["id"] for one in lines((tmp_path / "events.jsonl").read_text()) if one["state"] == "open"] == opened


def test_several_models_run_in_one_process(tmp_path):
    (tmp_path / "both.toml").write_text(
        f'source = "{DATA}"\nstate-dir = "{tmp_path}"\n[[stream]]\nmodel = "{MODEL}"\nname = "a"\n'
        f'[[stream]]\nmodel = "{MODELS / "cast.int8.tflite"}"\nname = "b"\n'
    )
    done = edgelstm("run", "--config", tmp_path / "both.toml")
    alone = edgelstm("run", MODEL, DATA)
    events = lines(done.stdout)

    assert {event.pop("model") for event in events} == {"a", "b"}
    assert [event for event in events if event["id"] in alone.stdout] == lines(alone.stdout)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("sauce", "x", "unknown key 'sauce'. Did you mean 'source'?"),
        ("follow", "maybe", "follow must be a bool"),
        ("to", ["carrier-pigeon:x"], "unknown kind"),
        ("to", [{"url": "sqlite:x", "kep": 1}], "Did you mean 'keep'?"),
        ("columns", "a,b,c", "--columns names 3"),
        ("columns", [1], "columns must be text or a list of it"),
        ("limit", [5], "limit must be text or a list of it"),
        ("to", [5], "to must be text or a list of it"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_reason(tmp_path, key, value, said):
    path = write_config(tmp_path)
    written = (
        ", ".join(f"{name} = {json.dumps(part)}" for name, part in value[0].items())
        if isinstance(value[0], dict)
        else ""
    )
    path.write_text(path.read_text() + f"{key} = {f'[{{{written}}}]' if written else json.dumps(value)}\n")
    done = edgelstm("run", "--config", path, "--dry-run")

    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_a_dry_run_checks_all_and_writes_nothing(tmp_path):
    done = edgelstm("run", "--config", write_config(tmp_path, to=[f"sqlite:{tmp_path}/e.db"]), "--dry-run")

    assert done.returncode == 0
    assert "autoencoder, int8" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["pump.toml"]


def test_the_keys_of_a_configuration_are_the_flags_of_run():
    from edgelstm.runtime.service.config import StreamConfig
    from edgelstm.runtime.service.config import _keys as keys

    from edgelstm.cli.run import command

    flags = {option.lstrip("-") for parameter in command.params for option in parameter.opts}

    assert {*keys(Settings), *keys(StreamConfig)} == flags - {"config", "dry-run"}


class Page:
    """A live page over a stream that goes on."""

    def __init__(self, settings=None, rows=600):
        values = [[float(cell) for cell in line.split(",")] for line in DATA.read_text().splitlines()[1:]]
        self.gate, self.rows = threading.Event(), rows
        self.runner = Runner(Detector.load(MODEL), IterableSource(self._pairs(values)), [], "pump")
        self.page = LivePage([self.runner], settings or Settings(listen="127.0.0.1:0"))
        self.thread = threading.Thread(target=self.runner.run)
        self.thread.start()
        wait_for(lambda: self.runner.status.samples == rows)

    def _pairs(self, values):
        values[9][0] -= 5  # a late row
        yield from ((row[0], row[1:]) for row in values[: self.rows])
        self.gate.wait(60)

    def get(self, path, token="", host=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.page.port}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def close(self):
        self.gate.set()
        self.thread.join()
        self.page.close()


@pytest.fixture
def page():
    made = Page()
    yield made
    made.close()


def test_metrics_are_in_prometheus_text_format(page):
    status, text, headers = page.get("/metrics")
    samples = [line for line in text.splitlines() if not line.startswith("#")]

    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert all(re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? -?[0-9.e+-]+', line) for line in samples)
    assert 'edgelstm_samples_total{stream="pump"} 600' in samples
    assert 'edgelstm_running{stream="pump"} 1.0' in samples
    assert 'edgelstm_input_troubles_total{stream="pump",reason="late"} 1.0' in samples
    assert len(re.findall("^# TYPE", text, re.MULTILINE)) == len(
        set(re.findall(r"^(\w+)", "\n".join(samples), re.MULTILINE))
    )


def test_health_turns_bad_when_samples_stay_away(page, monkeypatch):
    assert page.get("/healthz")[:2] == (200, '{"ok": true, "streams": {"pump": "ok"}}')

    page.runner.status.last_at -= 10_000

    assert page.get("/healthz")[:2] == (503, '{"ok": false, "streams": {"pump": "silent"}}')


def test_the_page_gets_only_the_scores_that_it_lacks(page):
    whole = json.loads(page.get("/api/live")[1])["streams"][0]
    part = json.loads(page.get("/api/live?pump=590")[1])["streams"][0]

    assert len(whole["scores"]) == 600
    assert [row[0] for row in part["scores"]] == list(range(591, 601))
    assert whole["events"]
    assert sum(whole["contribution"]) == pytest.approx(1.0)


def test_the_page_asks_nothing_from_outside(page):
    _, html, headers = page.get("/")

    assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"'>)]*)", html) == ["data:,"]
    assert "http://" not in html
    assert "https://" not in html
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_loopback_answers_to_loopback_names_only(page):
    assert page.get("/metrics", host="evil.example")[0] == 403
    assert page.get("/metrics", host="localhost:1")[0] == 200


def test_elsewhere_a_token_is_needed(tmp_path):
    page = Page(Settings(listen="0.0.0.0:0", state_dir=str(tmp_path)), rows=50)
    token = (tmp_path / "token").read_text().strip()
    codes = [
        page.get(path, given)[0]
        for path in ("/metrics", "/api/live", "/", "/healthz")
        for given in ("", "x" * 32, token)
    ]
    page.close()

    assert codes == [401, 401, 200] * 2 + [200] * 6
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("listen", ["8377", "127.0.0.1:http", "256.0.0.1:80", "127.0.0.1:99999"])
def test_an_address_that_cannot_be_served_is_refused(listen):
    with pytest.raises(ConfigError):
        LivePage([], Settings(listen=listen))


@pytest.fixture
def systemd(tmp_path):
    """A NOTIFY_SOCKET, and what came in it."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.settimeout(0.05)
    got = []

    def read():
        while True:
            try:
                got.append((time.monotonic(), channel.recv(4096).decode()))
            except TimeoutError:
                continue
            except OSError:
                return

    reader = threading.Thread(target=read)
    reader.start()
    yield {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "800000"}, got
    channel.close()
    reader.join()


def test_systemd_is_told_of_the_start_the_end_and_of_samples_only(systemd, tmp_path):
    env, got = systemd
    data = tmp_path / "live.csv"
    data.write_text("time,level_cm,flow_lpm\n")
    process = spawn("run", MODEL, data, "--follow", env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: got)
    time.sleep(0.7)
    before = [text for _, text in got if text == "WATCHDOG=1"]
    with data.open("a") as stream:
        for i in range(15):
            stream.write(f"{i},50,7\n")
            stream.flush()
            time.sleep(0.1)
    fed = sum(text == "WATCHDOG=1" for _, text in got)
    time.sleep(0.7)
    silent = sum(text == "WATCHDOG=1" for _, text in got)
    process.terminate()
    process.wait(20)
    assert wait_for(lambda: got[-1][1] == "STOPPING=1")

    assert got[0][1].startswith("READY=1")
    assert before == []
    assert fed >= 5
    assert silent <= fed + 2


def test_the_watchdog_starves_when_one_of_two_streams_stands_still():
    class Still:
        status = type("S", (), {"samples": 0, "state": "running"})()

    busy, still = Still(), Still()
    still.status = type("S", (), {"samples": 0, "state": "running"})()
    dog = Watchdog([busy, still], 1000.0)
    busy.status.samples = 5
    one = dog.fed()
    still.status.samples = 1
    both = dog.fed()
    dog.close()

    assert (one, both) == (False, True)


def service_config(folder, **more):
    record = {"model": str(MODEL), "source": "mqtts://broker/plant/#?password-file=/etc/edgelstm/password", **more}
    return make_config(record), folder / "pump.toml"


UNITS = {
    "network": {},
    "serial": {"source": "serial:/dev/ttyUSB0", "to": ["sqlite:events.db"]},
    "loopback": {"source": "mqtt://localhost/#", "listen": "127.0.0.1:8377"},
}


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed (apt-get install systemd)"
)
def test_the_unit_is_valid_and_hardened(tmp_path, kind):
    config, path = service_config(tmp_path, **UNITS[kind])
    file = tmp_path / "edgelstm-pump.service"
    file.write_text(unit(config, path, sys.executable, [1.0]))
    verified = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60)
    security = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", file],
        capture_output=True,
        text=True,
        timeout=60,
    )
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", security.stdout).group(1))

    assert file.name not in verified.stderr
    assert exposure < 2.0
    assert security.returncode == 0


def test_the_unit_grants_what_the_configuration_needs_and_no_more(tmp_path):
    made = {kind: unit(*service_config(tmp_path, **more), "/opt/edgelstm", [60.0]) for kind, more in UNITS.items()}

    assert "LoadCredential=password:/etc/edgelstm/password" in made["network"]
    assert "DeviceAllow" not in made["network"]
    assert "DeviceAllow=/dev/ttyUSB0 rw" in made["serial"]
    assert "PrivateNetwork=yes" in made["serial"]
    assert "IPAddressDeny=any\nIPAddressAllow=localhost" in made["loopback"]
    assert all("WatchdogSec=600\n" in text for text in made.values())


@pytest.mark.parametrize(
    "more",
    [
        {"source": "pump.csv"},
        {"source": "-"},
        {"to": ["sqlite:/tmp/e.db"]},
        {"model": "pump.tflite"},
        {"state": "/tmp/s"},
    ],
)
def test_a_configuration_that_cannot_be_a_service_is_refused(tmp_path, more):
    with pytest.raises(ConfigError):
        unit(*service_config(tmp_path, **more), "/opt/edgelstm")


def test_a_configuration_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff\x00 = [[[")
    for name in ("a.toml", "b.toml"):
        with pytest.raises(ConfigError):
            load_config(tmp_path / name)


def test_service_writes_the_unit(tmp_path):
    (tmp_path / "pump.toml").write_text(f'model = "{MODEL}"\nsource = "mqtt://localhost/plant"\n')
    done = edgelstm("service", tmp_path / "pump.toml", "--program", "/opt/venv/bin/edgelstm")

    assert done.returncode == 0
    assert "ExecStart=/opt/venv/bin/edgelstm run --config ${CREDENTIALS_DIRECTORY}/pump.toml" in done.stdout


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


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)")
def test_the_page_shows_the_stream_in_a_real_browser(page, tmp_path):
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    words += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=3000", "--timeout=20000", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *words, f"http://127.0.0.1:{page.page.port}/"], capture_output=True, text=True, timeout=60
    )

    assert '<span id="link" role="status" class="good">live</span>' in done.stdout
    assert "<dt>samples</dt><dd>600</dd>" in done.stdout
    assert "<td>anomaly</td>" in done.stdout
    assert re.search(r'aria-label="Scores; newest [0-9.]+, threshold [0-9.]+"', done.stdout)
