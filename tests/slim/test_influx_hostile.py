"""The InfluxDB source with wrong settings, servers that refuse, hang or speak otherwise, and answers that are meant to harm."""

import contextlib
import socket
import threading
import time
import tracemalloc

import pytest
from edgelstm.runtime.errors import ConfigError, SeriesError
from edgelstm.runtime.io import reconnect
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.io.http_query import QueryError
from edgelstm.runtime.sources import influx_questions, open_source
from edgelstm.runtime.sources.influx_points import points_of_tables, tables_of_csv
from influx_helpers import FLOW, Reading, Replay, address, points
from sink_helpers import wait_for


@pytest.fixture(scope="module")
def replayed():
    made = Replay("flux")
    yield made
    made.remove()


@pytest.fixture
def flux(replayed):
    """A replayed InfluxDB 2, of which answers can be set."""
    replayed.forget()
    return replayed


def test_who_asks_is_told_by_a_token_or_by_a_name(flux, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("sesame\nopen\n")
    monkeypatch.setenv("PUMP_TOKEN", "simsim")
    flux.write(*points(1))
    for options in (
        {"token-file": str(tmp_path / "token")},
        {"token-env": "PUMP_TOKEN"},
        {"username": "me", "password-env": "PUMP_TOKEN"},
    ):
        with Reading(address(flux, **options)) as reading:
            reading.until(1)
    sent = dict.fromkeys(headers["Authorization"] for _, headers, _ in flux.asked)

    assert list(sent) == ["Token sesame", "Token simsim", "Basic bWU6c2ltc2lt"]
    assert {path for path, *_ in flux.asked} == {"/api/v2/query?org=plant+1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("influx://host/plant", "measurement=NAME"),
        ("influx://host?measurement=a", "names no bucket"),
        ("influx://host/plant?measurement=a&language=english", "language is influxql, flux, sql"),
        ("influx://host/plant?measurement=a&language=flux", "Add org=NAME"),
        ("influx://host/plant?measurement=a&start=old", "start new or all"),
        ("influx://host/plant?measurement=a&every=0", "every is positive"),
        ("influx://host/plant?measurement=a&tags=host", "NAME=VALUE"),
        ("influx://host/plant?measurement=a&token-file=/none", "Cannot read the secret"),
        ("influx://host/plant?measurement=a&token-env=NONE_SUCH", "no variable"),
        ("influx://host/plant?measurement=a&token-env=HOME&token-file=/etc/hostname", "not from both"),
        ("influxs://host/plant?measurement=a&ca=/none.pem", "Cannot read the certificates"),
        ("influx://host/plant?measurement=a&mesurement=b", "Did you mean"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_connected(given, said):
    with pytest.raises(ConfigError, match=said):
        open_source(parse_address(given), FLOW)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (401, b'{"code":"unauthorized","message":"unauthorized access"}'),
        (
            404,
            b'{"code":"not found","message":"failed to initialize execute state: could not find bucket \\"plant\\""}',
        ),
        (400, b'{"code":"invalid","message":"compilation failed"}'),
        (200, b"#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,Failed to parse query,897\n"),
    ],
)
def test_a_first_question_that_is_refused_ends_in_an_error_that_quotes_the_answer(flux, status, content):
    flux.answers[:] = [(status, {}, content)]
    with Reading(address(flux)) as reading:
        wait_for(lambda: reading.error)

    assert isinstance(reading.error, SeriesError)
    assert any(
        words in str(reading.error) for words in ("unauthorized", "could not find", "compilation", "parse query")
    )


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b"boom"),
        (503, {"Retry-After": "1"}, b""),
        (200, {}, b"\xff\xfe"),
        (200, {}, b",result,table,_time,_value\r\n,,0,yesterday,7\r\n"),
        (307, {"Location": "http://127.0.0.1:1/"}, b""),
        (401, {}, b"token was revoked"),
        (200, {}, b"x" * (9 << 20)),
        (200, {}, b"," * (8 << 20)),
    ],
    ids=["500", "503", "binary", "no-time", "redirect", "401", "9MiB", "commas"],
)
def test_later_answers_that_make_no_sense_are_said_once_and_asked_for_again(flux, answer, caplog, monkeypatch):
    monkeypatch.setattr(reconnect, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(reconnect, "LONGEST_WAIT", 0.05)
    flux.write(*points(2))
    with Reading(address(flux)) as reading:
        reading.until(2)
        flux.answers[:] = [answer] * (1 if answer[1].get("Retry-After") else 3)
        assert wait_for(lambda: not flux.answers)
        flux.write(*points(2, 2))
        assert reading.until(4) == [[at, 10 * at] for at in range(4)]

    told = [item.getMessage() for item in caplog.records]
    assert sum("trying again" in text for text in told) == 1
    assert sum("works again" in text for text in told) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    ],
    ids=["silence", "half", "ssh", "long-header"],
)
def test_a_server_that_hangs_or_speaks_otherwise_holds_nothing_up(sent, caplog):
    """A question ends after its timeout, whatever trickles in; closing does not wait for it."""
    with Trickle(sent) as server:
        given = f"influx://127.0.0.1:{server.port}/plant?measurement=pump&timeout=0.3"
        with Reading(given) as reading:
            assert wait_for(lambda: "trying again" in caplog.text, 5)

    assert reading.error is None


class Trickle:
    """A server that answers each connection with some bytes, then one more every 50 ms: no single read ever times out."""

    def __init__(self, sent):
        self.sent, self.ending, self.lines = sent, threading.Event(), []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(0.05)
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)

    def _serve(self):
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError):
                line, _ = self.listening.accept()
                self.lines.append(line)
                line.sendall(self.sent)
            for line in self.lines if self.sent else ():
                with contextlib.suppress(OSError):
                    line.sendall(b"z")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(5)
        for line in (*self.lines, self.listening):
            line.close()


@pytest.mark.parametrize("language", ["influxql", "flux", "sql"])
@pytest.mark.parametrize(
    "content",
    [
        b'{"results":[{"series":[{"columns":["time","a"],"values":[' + b"[1,2]," * 1_000_000 + b"[1,2]]}]}]}",
        b"[" * 4_000_000,
        b'[{"time":' + b"9" * 5000 + b"}]",
        b'{"results":[{"series":[{"columns":["time","a","b"],"values":[[1,2]]}]}]}',
        b'{"results":[{"series":[{"columns":["time","a"],"values":[[{},2]]}]}]}',
        b'{"results":7}', b"null", b'[{"time":1e300}]', b'[{"time":"2024-13-45T00:00:00Z"}]',
        b"," + b",".join(b"c%d" % at for at in range(100_000)) + b"\n" + b",1\n" * 1_000_000,
    ],
    ids=["many", "deep", "huge-number", "ragged", "time-object", "number", "null", "far", "no-date", "wide"],
)  # fmt: skip
def test_hostile_answers_cost_little_and_end_in_a_query_error(language, content):
    class Line:
        def ask(self, *_):
            return content

    target = influx_questions.Target("plant", "o", "pump", {}, 0.0)
    asked = influx_questions.LANGUAGES[language](Line(), target)
    tracemalloc.start()
    begun = time.process_time()
    with contextlib.suppress(QueryError):
        asked.after(0, ("a",), ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 150 << 20
    assert time.process_time() - begun < 15


def test_annotated_csv_as_influxdata_publishes_it():
    """The example of the reference on annotated CSV, and two tables of other types behind each other."""
    text = (
        "#group,false,false,true,true,false,false,true,true,true,true\n"
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string,string\n"
        "#default,mean,,,,,,,,,\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement,host,region\n"
        ",,0,2022-12-31T05:41:24Z,2023-01-31T05:41:24.001Z,2023-01-01T00:52:00Z,15.43,mem,m,A,east\n"
        ",,1,2022-12-31T05:41:24Z,2023-01-31T05:41:24.001Z,2023-01-01T00:52:00Z,59.25,mem,m,B,east\n"
        "\r\n"
        "#group,false,false,true,true,false,false,true,true,true,true\r\n"
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,boolean,string,string,string,string\r\n"
        "#default,mean,,,,,,,,,\r\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement,host,region\r\n"
        ",,2,2022-12-31T05:41:24Z,2023-01-31T05:41:24.001Z,2023-01-01T00:52:00Z,true,on,m,A,east\r\n"
    )
    made = points_of_tables(rows for _, rows in tables_of_csv(text.encode()))

    assert [(dict(point.tags), dict(point.fields)) for point in made] == [
        ({"host": "A", "region": "east"}, {"mem": 15.43, "on": 1.0}),
        ({"host": "B", "region": "east"}, {"mem": 59.25}),
    ]
    assert made[0].time == 1_672_534_320_000_000_000
