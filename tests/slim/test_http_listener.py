"""Points over HTTP: payloads of Telegraf's and InfluxDB's documentation, answers by the protocol, hostile senders, restarts."""

import base64
import gzip
import json
import math

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, http_listener, open_source
from sink_helpers import wait_for
from telegraf_helpers import TOKEN, Listening, Telegraf, post

LINE = b"pump,host=pi flow=1.5,motor=2i 1700864000000000000\n"
WEATHER = Columns(("temperature", "humidity"))
# the examples of InfluxDB's documentation of writing over HTTP
DOCUMENTED = b"""
airSensors,sensor_id=TLM0201 temperature=73.97038159354763,humidity=35.23103248356096,co=0.48445310567793615 1630424257000000000
airSensors,sensor_id=TLM0202 temperature=75.30007505999716,humidity=35.651929918691714,co=0.5141876544505826 1630424257000000000
"""


@pytest.fixture
def listening():
    made = Listening()
    yield made
    made.close()


@pytest.fixture
def opened():
    made = []
    yield lambda *words, **options: made.append(Listening(*words, **options)) or made[-1]
    for one in made:
        one.close()


@pytest.mark.parametrize("packed", [False, True])
def test_a_point_in_chunks_is_a_sample_with_its_own_time(listening, packed):
    assert post(listening.port, LINE, packed=packed)[0] == 204
    assert wait_for(lambda: listening.values == [[1.5, 2.0]])
    assert listening.samples[0].time == 1700864000.0


def test_the_documented_payload_holds_two_sensors_and_a_tag_says_which(opened, caplog):
    first, chosen = opened(WEATHER), opened(WEATHER, tags="sensor_id=TLM0202")
    for one in (first, chosen):
        assert post(one.port, DOCUMENTED)[0] == 204

    assert wait_for(lambda: first.samples and chosen.samples)
    assert first.values == [[73.97038159354763, 35.23103248356096]]
    assert chosen.values == [[75.30007505999716, 35.651929918691714]]
    assert (first.source.skipped, chosen.source.skipped) == (1, 0)
    assert caplog.text.count("Say which one is meant with tags=NAME=VALUE") == 1


def test_points_of_one_moment_are_one_row(listening):
    body = b"a flow=1 1700864000000000000\nb motor=2 1700864000000000000\na flow=3 1700864001000000000\n"
    post(listening.port, body + b"b motor=4 1700864001000000000")

    assert wait_for(lambda: listening.values == [[1.0, 2.0], [3.0, 4.0]])


def test_a_row_waits_for_its_other_channels_and_goes_without_them(opened):
    one = opened(wait=0.3)
    post(one.port, b"a flow=1 1700864000000000000")

    assert wait_for(lambda: one.samples)
    assert one.values[0][0] == 1.0
    assert math.isnan(one.values[0][1])


def test_other_measurements_are_passed_over_but_not_when_there_is_nothing_else(listening, caplog):
    cpu = b"cpu,host=pi usage_idle=98.1 1700864000000000000\n"
    post(listening.port, LINE + 30 * cpu)
    assert wait_for(lambda: listening.samples)

    assert (listening.source.skipped, caplog.text) == (0, "")

    other = Listening()
    assert post(other.port, 30 * cpu)[0] == 204
    other.close()

    assert caplog.text.count("nothing so far feeds the model: The model expects 2 channels (flow, motor)") == 1


@pytest.mark.parametrize(
    ("precision", "text"),
    [("", "1700864000000000000"), ("&precision=ns", "1700864000000000000"), ("&precision=s", "1700864000"),
     ("&precision=ms", "1700864000000"), ("&precision=us", "1700864000000000"), ("&precision=auto", "1700864000"),
     ("&precision=millisecond", "1700864000000")],
)  # fmt: skip
def test_times_come_in_the_precision_that_the_request_names(listening, precision, text):
    post(listening.port, f"pump flow=1,motor=2 {text}".encode(), f"/api/v2/write?bucket=b{precision}")

    assert wait_for(lambda: listening.samples)
    assert listening.samples[0].time == 1700864000.0


def test_a_point_without_a_time_gets_that_of_its_arrival(listening):
    post(listening.port, b"pump flow=1,motor=2")

    assert wait_for(lambda: listening.samples)
    assert listening.samples[0].time == pytest.approx(listening.samples[0].time, abs=60)
    assert listening.samples[0].time > 1.7e9


def test_telegrafs_json_is_read_alone_and_in_batches(opened):
    metrics = [
        {"fields": {"flow": 1.5 + at, "motor": 2}, "name": "pump", "tags": {"host": "pi"}, "timestamp": 1700864000 + at}
        for at in range(3)
    ]
    one = opened(Columns(("flow", "motor"), ("fields.flow", "fields.motor")), tags="host=pi")
    kind = {"Content-Type": "application/json"}
    for document in (metrics[0], {"metrics": metrics[1:]}):
        assert post(one.port, json.dumps(document, indent=1).encode(), "/telegraf", kind)[0] == 204

    assert wait_for(lambda: one.values == [[1.5, 2.0], [2.5, 2.0], [3.5, 2.0]])
    assert [sample.time for sample in one.samples] == [1700864000.0, 1700864001.0, 1700864002.0]


@pytest.mark.parametrize(
    ("body", "named", "status"),
    [
        (LINE, {"path": "/api/v2/query"}, 404),
        (LINE, {"path": "/api/v2/write?precision=year"}, 400),
        (b"", {"method": "GET"}, 405),
        (b"", {"method": "GET", "path": "/ping"}, 204),
        (LINE, {"headers": {"Content-Encoding": "br"}}, 415),
        (LINE, {"headers": {"Content-Encoding": "gzip"}}, 400),
        (gzip.compress(LINE, mtime=0)[:-4], {"headers": {"Content-Encoding": "gzip"}}, 400),
        (LINE, {"headers": {"Origin": "https://example.org"}}, 403),
        (b"no line protocol at all\n", {}, 400),
        (b"\xff\xfe\x00", {}, 400),
        (b'pump flow="high",motor=2\n', {}, 400),
        (b"[[[[" * 100_000, {}, 400),
        (LINE + b"no line protocol at all\n", {}, 204),
        (b"# a comment\n\n", {}, 204),
        (b"", {}, 204),
    ],
    ids=["path", "precision", "method", "ping", "encoding", "no gzip", "half a gzip", "web page", "no point", "no text", "text value",
         "nested", "one bad line", "comment", "empty"],
)  # fmt: skip
def test_each_request_is_answered_by_the_protocol(listening, body, named, status):
    answer, headers, text = post(listening.port, body, **named)

    assert answer == status
    assert status == 204 or set(json.loads(text)) == {"code", "message"}
    assert status != 405 or headers["Allow"] == "POST"
    assert post(listening.port, LINE)[0] == 204


def test_a_damaged_line_is_counted_and_said_once(listening, caplog):
    for _ in range(30):
        assert post(listening.port, b"what is this\n" + LINE)[0] == 204

    assert wait_for(lambda: len(listening.samples) == 30)
    assert listening.source.skipped == 30
    assert caplog.text.count("a line is passed over") == 1


def test_a_token_is_needed_in_any_of_the_usual_forms(opened, tmp_path, caplog):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    one = opened(**{"token-file": f"{tmp_path}/token"})
    basic = "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()
    for header in (f"Token {TOKEN}", f"Bearer {TOKEN}", basic):
        assert post(one.port, LINE, headers={"Authorization": header})[0] == 204
    answers = [post(one.port, LINE, headers={"Authorization": "Token guess"}) for _ in range(8)]
    right = post(one.port, LINE, headers={"Authorization": f"Token {TOKEN}"})

    assert post(one.port, LINE)[0] in (401, 429)
    assert [status for status, _, _ in answers] == [401] * 5 + [429] * 3
    assert (right[0], int(right[1]["Retry-After"]) > 0) == (429, True)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("address", "words"),
    [("listen://0.0.0.0:8086", "token-file=FILE"), ("listen:///tmp/x", "no place to listen"),
     ("listen://127.0.0.1:8086/x", "no place to listen"), ("listen://127.0.0.1?tags=host", "NAME=VALUE"),
     ("listen://127.0.0.1?wait=-1", "0 seconds or more"), ("listen://127.0.0.1?token-file=/none", "Cannot read")],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_listens(address, words):
    with pytest.raises(ConfigError, match=words):
        open_source(parse_address(address), Columns(("flow",)))


@pytest.mark.parametrize("token", ["short", ""])
def test_a_token_that_is_short_or_lacking_in_its_file_is_refused(tmp_path, token):
    (tmp_path / "token").write_text(f"{token}\n")
    with pytest.raises(ConfigError, match="shorter than 16"):
        open_source(parse_address(f"listen://127.0.0.1?token-file={tmp_path}/token"), Columns(("flow",)))


def test_a_port_in_use_is_refused(listening):
    with pytest.raises(ConfigError, match="in use"):
        list(open_source(parse_address(f"listen://127.0.0.1:{listening.port}"), Columns(("flow",))))


def test_senders_are_put_off_while_rows_wait_and_nothing_is_lost(monkeypatch, caplog):
    monkeypatch.setattr(http_listener, "WAITING", 100)
    one = Listening()
    rows, one.source._next = one.source._next, lambda timeout: iter(())  # the model is busy
    for at in range(3):
        lines = "".join(f"p flow={60 * at + n},motor=0 {1700864000 + 60 * at + n}\n" for n in range(60))
        status, headers, _ = post(one.port, lines.encode())
        assert (status, headers["Retry-After"]) == ((204, None) if at < 2 else (503, "1"))
    assert post(one.port, LINE)[0] == 503
    one.source._next = rows
    assert wait_for(lambda: len(one.samples) == 120)
    assert post(one.port, lines.encode())[0] == 204
    one.close()

    assert [values[0] for values in one.values] == [float(n) for n in range(180)]
    assert caplog.text.count("their senders have to wait") == 1


def test_what_was_answered_for_is_scored_when_the_watch_ends():
    one = Listening(wait=60)
    post(one.port, LINE + b"pump,host=pi flow=7 1700864001000000000\n")
    one.close()

    assert [values[0] for values in one.values] == [1.5, 7.0]


def test_a_listener_that_is_restarted_under_load_loses_nothing():
    """Shown for 20 restarts by benchmarks/sources.py; an answer that gets lost makes a sender repeat its batch."""
    one, seen, sent = Listening(), [], 0
    agent = Telegraf(one.port)
    for _ in range(3):
        for _ in range(300):
            agent.gather(f"pump flow={sent},motor=0 {1700864000 + sent}\n")
            sent += 1
        assert wait_for(lambda one=one: len(one.samples) > 100)
        one.close()
        seen += one.values
        one = Listening(port=one.port)
    agent.close()
    one.close()
    numbers = [int(values[0]) for values in seen + one.values]

    assert set(numbers) == set(range(sent))
    assert list(dict.fromkeys(numbers)) == list(range(sent))
    assert agent.given_up == 0
