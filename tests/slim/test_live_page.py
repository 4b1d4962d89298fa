"""The live page, metrics and health: right answers, to the right clients, however many others are slow."""

import json
import re
import socket
import threading
import time

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io import http_server
from edgelstm.runtime.io.token_gate import TokenGate
from edgelstm.runtime.service.config import Settings
from edgelstm.runtime.service.live_page import LivePage
from page_helpers import Page, carry_limits
from sink_helpers import Listed, forwarder, wait_for


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


def test_two_sinks_of_one_name_are_told_apart_in_metrics(tmp_path):
    sinks = [forwarder(tmp_path / name, Listed()) for name in "ab"]
    page = Page(rows=50, sinks=sinks)
    text = page.get("/metrics")[1]
    page.close()

    assert re.findall(r'edgelstm_sink_up\{stream="pump",sink="([^"]*)"\} 1.0', text) == ["list", "list 2"]


def test_health_turns_bad_when_samples_stay_away(page, monkeypatch):
    assert page.get("/healthz")[:2] == (200, '{"ok": true, "streams": {"pump": "ok"}}')

    page.runner.status.last_at -= 10_000

    assert page.get("/healthz")[:2] == (503, '{"ok": false, "streams": {"pump": "silent"}}')


def test_health_is_bad_while_rows_come_and_none_is_scored(page):
    for _ in range(100):
        page.runner.detector.update([50.0, 7.0], 0.0)
    assert page.get("/healthz")[:2] == (503, '{"ok": false, "streams": {"pump": "unscored"}}')

    time, window = 1e6, page.runner.detector.metadata.window
    for row in range(window + 1):
        page.runner.detector.update([50.0, 7.0], time + row)
    assert page.get("/healthz")[0] == 200


def test_the_page_gets_only_the_scores_that_it_lacks(page):
    whole = json.loads(page.get("/api/live")[1])["streams"][0]
    part = json.loads(page.get("/api/live?pump=590")[1])["streams"][0]

    assert len(whole["scores"]) == 600
    assert [row[0] for row in part["scores"]] == list(range(591, 601))
    assert whole["events"]
    assert sum(whole["contribution"]) == pytest.approx(1.0)


def test_the_page_gets_what_the_model_would_catch(page):
    assert json.loads(page.get("/api/live")[1])["streams"][0]["limits"] is None

    carry_limits(page)
    limits = json.loads(page.get("/api/live")[1])["streams"][0]["limits"]

    assert limits["rows"] == [["flow", "0.7", "-", "12 s"]]
    assert "90% of cases within 60 s" in limits["title"]


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


def test_strangers_are_not_told_the_streams_names(tmp_path):
    page = Page(Settings(listen="0.0.0.0:0", state_dir=str(tmp_path)), rows=50)
    token = (tmp_path / "token").read_text().strip()
    answers = [page.get("/healthz", given)[:2] for given in ("", "x" * 32, token)]
    page.close()

    assert answers == [(200, '{"ok": true}')] * 2 + [(200, '{"ok": true, "streams": {"pump": "ok"}}')]


def test_a_client_that_guesses_tokens_has_to_wait_and_others_do_not(tmp_path, caplog):
    page = Page(Settings(listen="0.0.0.0:0", state_dir=str(tmp_path)), rows=50)
    token = (tmp_path / "token").read_text().strip()
    codes = [page.get("/metrics", f"wrong-token-number-{number}")[0] for number in range(8)]
    right, _, headers = page.get("/metrics", token)
    missing = page.get("/healthz")[0]
    assert wait_for(lambda: page.get("/metrics", token)[0] == 200)
    page.close()

    assert codes == [401] * 5 + [429] * 3
    assert (right, headers["Retry-After"], missing) == (429, "1", 200)
    assert caplog.text.count("wrong tokens from 127.0.0.1") == 1


def test_the_wait_doubles_up_to_minutes_and_a_right_token_ends_it():
    now = [0.0]
    gate = TokenGate("right" * 4, clock=lambda: now[0])
    waits = []
    for _ in range(20):
        gate.allows("10.0.0.1", "Bearer wrong")
        waits.append(gate.wait("10.0.0.1"))
        now[0] += waits[-1]
    for number in range(5000):
        gate.allows(f"10.1.{number // 250}.{number % 250}", "Bearer wrong")

    assert waits[:9] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert waits[-1] == 300
    assert gate.allows("10.0.0.2", "Bearer " + "right" * 4)
    assert len(gate._clients) == 1000


def slow_clients(port, count, over):
    """Connections that send a byte every 50 ms and never end their request."""

    def drip(connection):
        with connection:
            while not over.wait(0.05):
                try:
                    connection.sendall(b"G")
                except OSError:
                    return

    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for connection in connections:
        threading.Thread(target=drip, args=(connection,), daemon=True).start()
    return connections


@pytest.mark.parametrize("count", [16, 200])
def test_slow_clients_do_not_hold_up_health(page, count):
    over = threading.Event()
    slow_clients(page.page.port, count, over)
    times = []
    for _ in range(5):
        begin = time.monotonic()
        assert page.get("/healthz")[0] == 200
        times.append(time.monotonic() - begin)
    over.set()

    assert max(times) < 1.0


def test_a_request_has_one_deadline_however_often_it_sends_a_byte(page, monkeypatch):
    monkeypatch.setattr(http_server, "DEADLINE", 0.4)
    with socket.create_connection(("127.0.0.1", page.page.port)) as client:
        begin = time.monotonic()
        client.settimeout(0.05)
        closed = False
        while not closed and time.monotonic() < begin + 5:
            try:
                client.sendall(b"G")
                closed = client.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True

    assert closed
    assert time.monotonic() - begin < 2.0


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"HEAD /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET /etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: [::\r\n\r\n", 403),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_any_request_gets_one_answer(page, request_text, status):
    with socket.create_connection(("127.0.0.1", page.page.port)) as client:
        client.sendall(request_text)
        answer = b""
        while block := client.recv(1 << 16):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert len(body) == (0 if request_text.startswith(b"HEAD") else int(re.search(rb"Length: (\d+)", head)[1]))
