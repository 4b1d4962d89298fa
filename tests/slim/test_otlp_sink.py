"""The OpenTelemetry sink against a server on loopback; what it gets is read by the protocol's own schema where that is installed."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from command_helpers import DATA, MODEL, edgelstm_here, lines
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sinks import plan_delivery
from edgelstm.runtime.sinks import store_and_forward as forward_module
from edgelstm.runtime.sources import Sample
from edgelstm.runtime.version import __version__
from sink_helpers import RESULT, event, forwarder, score_records, wait_for


class Collector:
    """A server that takes metrics as an OTLP/HTTP receiver does."""

    def __init__(self):
        collector = self
        self.bodies, self.requests, self.status, self.answer, self.headers = [], [], 200, b"{}", {}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
                collector.requests.append((self.path, dict(self.headers)))
                if collector.status == 200:
                    collector.bodies.append(body)
                self.send_response(collector.status)
                for name, value in collector.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(collector.answer)))
                self.end_headers()
                self.wfile.write(collector.answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"otlp://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def points(self):
        """Metric, attributes, nanoseconds and value of each point."""
        return [
            (metric["name"], {a["key"]: a["value"]["stringValue"] for a in data["attributes"]}, int(data["timeUnixNano"]),
             float(data.get("asDouble", data.get("asInt"))))
            for body in self.bodies for resource in json.loads(body)["resourceMetrics"]
            for scope in resource["scopeMetrics"] for metric in scope["metrics"] for data in metric["gauge"]["dataPoints"]
        ]  # fmt: skip

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def collector(monkeypatch):
    monkeypatch.setattr(forward_module, "FIRST_WAIT", 0.01)
    made = Collector()
    yield made
    made.close()


def delivery(url, **options):
    return plan_delivery(parse_address({"url": url, **options}), "pump", True)()


def test_scores_and_events_become_gauges(tmp_path, collector):
    sink = forwarder(tmp_path / "spool", delivery(collector.url))
    sink.result(Sample([1.0, 2.0], 1.0, 0, "2024-05-01T12:00:00Z"), RESULT)
    for number, state in ((0, "open"), (1, "open"), (0, "closed"), (1, "closed")):
        sink.event(event(1_714_564_800 + number, state))
    sink.close()
    pump, at = {"edgelstm.model": "pump"}, 1_714_564_800_000_000_000
    scores, events = collector.points[:5], collector.points[5:]

    assert scores == [
        ("edgelstm.score", pump, at, 2.5), ("edgelstm.threshold", pump, at, 1.0), ("edgelstm.anomaly", pump, at, 1.0),
        ("edgelstm.contribution", pump | {"edgelstm.channel": "flow"}, at, 0.9),
        ("edgelstm.contribution", pump | {"edgelstm.channel": "motor"}, at, 0.1),
    ]  # fmt: skip
    assert [value for _, _, _, value in events] == [1.0, 2.0, 1.0, 0.0]
    assert {name for name, _, _, _ in events} == {"edgelstm.events.open"}
    assert events[0][1] == pump | {"edgelstm.event.kind": "anomaly"}
    assert collector.requests[0][0] == "/v1/metrics"


def test_the_request_is_one_of_the_protocols_schema(tmp_path, collector):
    metrics = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
    from google.protobuf import json_format

    done = edgelstm_here("run", MODEL, DATA, "--scores", "--scores-to", collector.url, "--state-dir", tmp_path)
    scored = [record["score"] for record in lines(done.stdout) if record["score"] is not None]
    requests = [json_format.Parse(body, metrics.ExportMetricsServiceRequest()) for body in collector.bodies]
    resource = {a.key: a.value.string_value for a in requests[0].resource_metrics[0].resource.attributes}
    data = [
        point for request in requests for metric in request.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == "edgelstm.score" for point in metric.gauge.data_points
    ]  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (resource["service.name"], resource["service.version"]) == ("edgelstm", __version__)
    assert resource["service.instance.id"].startswith("auto@")
    assert [point.as_double for point in data] == scored
    assert all(point.time_unix_nano > 1e18 for point in data)


def test_records_wait_while_the_collector_is_away_or_asks_to_wait(tmp_path, collector, caplog):
    collector.status, collector.headers = 503, {"Retry-After": "1"}
    sink = forwarder(tmp_path / "spool", delivery(collector.url))
    for record in score_records(3):
        sink.result(Sample([1.0, 2.0], 1.0, record["seq"], "2024-05-01T12:00:00Z"), RESULT)
    assert wait_for(lambda: sink.failures > 3)
    asked = len(collector.requests)
    collector.status = 200
    assert wait_for(lambda: sink.delivered == 3)
    sink.close()

    assert asked == 1
    assert [value for name, _, _, value in collector.points if name == "edgelstm.score"] == [2.5] * 3
    assert caplog.text.count("records wait on disk") == 1


def test_values_that_the_collector_rejects_are_counted_and_not_sent_again(tmp_path, collector, caplog):
    collector.answer = b'{"partialSuccess": {"rejectedDataPoints": "2", "errorMessage": "too old"}}'
    made = delivery(collector.url)
    assert made.deliver([{**record, "time": "2024-05-01T12:00:00Z"} for record in score_records(3)]) == 3

    assert (made.refused, len(collector.requests)) == (2, 1)
    assert caplog.text.count("refuses a record for good: too old") == 1


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"not json", b'{"partialSuccess": null}', b'{"partialSuccess": 7}', b"\xff" * 50_000]
)
def test_an_odd_answer_of_success_is_a_success(collector, answer):
    collector.answer = answer
    made = delivery(collector.url)

    assert made.deliver(score_records(1)) == 1
    assert made.refused == 0


def test_a_record_without_a_score_sends_nothing(collector):
    unscored = [{**record, "score": None, "status": "warming_up"} for record in score_records(2)]

    assert delivery(collector.url).deliver(unscored) == 2
    assert collector.requests == []


def test_the_token_goes_into_the_header_that_the_backend_wants(tmp_path, collector):
    (tmp_path / "token").write_text("sesame\n")
    for options in ({}, {"header": "api-key"}):
        delivery(f"{collector.url}/otlp", **{"token-file": f"{tmp_path}/token"}, **options).deliver(score_records(1))

    assert collector.requests[0][1]["Authorization"] == "Bearer sesame"
    assert collector.requests[1][1]["Api-Key"] == "sesame"
    assert collector.requests[0][0] == "/otlp/v1/metrics"


@pytest.mark.parametrize("address", ["otlp:collector", "otlp://host?header=a%0d%0ab", "otlps://host?ca=/none.pem"])
def test_what_cannot_be_is_refused_before_anything_is_sent(address):
    with pytest.raises(ConfigError):
        delivery(address)
