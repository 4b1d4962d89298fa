"""The InfluxDB sink against a server on loopback that answers as InfluxDB 2 and 3 do."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sinks import DeliveryError, plan_delivery
from edgelstm.runtime.sinks import store_and_forward as forward_module
from edgelstm.runtime.sinks.point_lines import point
from edgelstm.runtime.sources import Sample
from edgelstm.runtime.sources.records import parse_line_protocol
from sink_helpers import RESULT, event, forwarder, score_records, wait_for

PARTIAL = b'{"error":"partial write of line protocol occurred","data":[{"line_number":2,"error_message":"bad"}]}'


class Database:
    """A server that takes lines as `/api/v2/write` does; lines with a word of `bad` in them are refused, the others kept."""

    def __init__(self):
        database = self
        self.points, self.requests, self.answer, self.bad = {}, [], 204, "\0"

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                database.requests.append((urlsplit(self.path), self.headers))
                status = database.take(gzip.decompress(body).decode().split("\n")) if database.answer == 204 else None
                content = PARTIAL if status == 400 else b""
                self.send_response(status or database.answer)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"influx://127.0.0.1:{self.server.server_address[1]}/machines"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, lines):
        for line in lines:
            if self.bad not in line:
                parse_line_protocol(line)
                series, moment = line.split(" ")[0], line.rsplit(" ", 1)[1]
                self.points[series, moment] = line
        return 400 if any(self.bad in line for line in lines) else 204

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def database(monkeypatch):
    monkeypatch.setattr(forward_module, "FIRST_WAIT", 0.01)
    made = Database()
    yield made
    made.close()


def delivery(url, **options):
    return plan_delivery(parse_address({"url": url, **options}), "pump", True)()


def timed(count, first=0):
    return [record | {"time": f"2024-05-01T12:00:{record['seq']:02}Z"} for record in score_records(count, first)]


def test_events_and_scores_become_points(tmp_path, database):
    (tmp_path / "token").write_text("sesame\n")
    sink = forwarder(tmp_path / "spool", delivery(database.url, org="plant 1", **{"token-file": f"{tmp_path}/token"}))
    sink.result(Sample([1.0, 2.0], 1.0, 0, "2024-05-01T12:00:00Z"), RESULT)
    sink.event(event(1_714_564_800))
    sink.event(event(1_714_564_800, state="closed"))
    assert wait_for(lambda: sink.delivered == 3)
    sink.close()

    (address, headers), *_ = database.requests
    assert address.path == "/api/v2/write"
    assert parse_qs(address.query) == {"bucket": ["machines"], "org": ["plant 1"], "precision": ["us"]}
    assert (headers["Authorization"], headers["Content-Encoding"]) == ("Token sesame", "gzip")
    score, closed = (parse_line_protocol(line) for line in database.points.values())  # the event is one point
    assert (score["measurement"], score["model"], score["score"], score["anomaly"]) == (
        "edgelstm_score",
        "pump",
        2.5,
        1,
    )
    assert score["contribution.flow"] == 0.9  # three squared, of three squared and one
    assert score["time"] == closed["time"] == 1_714_564_800e6
    assert (closed["measurement"], closed["kind"], closed["state"]) == ("edgelstm_event", "anomaly", "closed")
    assert closed["channels"] == "flow"


def test_a_repeated_batch_changes_nothing(database):
    sink = delivery(database.url)
    assert sink.deliver(timed(5)) == sink.deliver(timed(5)) == 5
    assert len(database.points) == 5


def test_of_a_batch_that_is_taken_in_part_only_the_bad_record_is_given_up(database, caplog):
    sink, database.bad = delivery(database.url), "seq=2i"

    assert sink.deliver(timed(5)) == 5
    assert sink.deliver(timed(3)) == 3

    assert (len(database.points), sink.refused) == (4, 2)
    assert caplog.text.count("refuses a record for good") == 1
    assert "partial write" in caplog.text


@pytest.mark.parametrize("code", [301, 401, 404, 429, 500, 503])
def test_other_answers_keep_the_records(database, code):
    sink, database.answer = delivery(database.url), code

    with pytest.raises(DeliveryError, match=f"answer {code}"):
        sink.deliver(timed(2))


def test_records_wait_while_the_database_is_away(tmp_path, database):
    database.answer = 503
    sink = forwarder(tmp_path / "spool", delivery(database.url))
    for row in range(200):
        sink.result(Sample([1.0, 2.0], 1.0, row, f"2024-05-01T12:{row // 60:02}:{row % 60:02}Z"), RESULT)
    assert wait_for(lambda: sink.failures >= 2)
    database.answer = 204
    assert wait_for(lambda: sink.delivered == 200)
    sink.close()

    assert len(database.points) == 200


def test_hostile_names_and_words_stay_one_line():
    record = {
        "type": "event",
        "model": "a,b =c\nd",
        "kind": "x",
        "id": "1",
        "reason": 'say "\\" \n evil,x=1 2',
        "start": 2e9,
    }

    line = point(record)

    assert "\n" not in line
    assert parse_line_protocol(line)["model"] == "a,b =c d"
    assert parse_line_protocol(line)["reason"] == 'say "\\"   evil,x=1 2'


def test_what_has_no_date_is_written_with_the_time_of_writing():
    for when in (None, "7", float("nan")):
        assert parse_line_protocol(point(score_records(1)[0] | {"time": when}))["time"] > 1.7e15


def test_an_address_without_a_bucket_and_wrong_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="names no bucket"):
        delivery("influx://host")
    with pytest.raises(ConfigError, match="Cannot read the certificates"):
        delivery("influxs://host/machines", ca=f"{tmp_path}/none.pem")
    with pytest.raises(ConfigError, match="Cannot read the secret"):
        delivery("influx://host/machines", **{"token-file": f"{tmp_path}/none"})
