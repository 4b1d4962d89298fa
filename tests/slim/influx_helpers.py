"""A real InfluxDB 1 for InfluxQL, and servers that answer Flux and SQL in the forms that InfluxData publishes, on loopback."""

import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from edgelstm.runtime.errors import SeriesError, ShapeError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from edgelstm.runtime.sources.influx_points import nanoseconds, rfc3339
from edgelstm.runtime.sources.records import parse_line_protocol
from sink_helpers import wait_for

FLOW = Columns(("flow", "motor"))
START = 1_700_000_000_000_000_000  # nanoseconds since 1970
INFLUXD = shutil.which("influxd")
NEEDS_INFLUXDB = pytest.mark.skipif(INFLUXD is None, reason="InfluxDB is not installed (apt-get install influxdb)")
CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:{meta}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[monitor]
store-enabled = false
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """An InfluxDB 1 with an empty database `plant`."""

    language = "influxql"

    def __init__(self):
        self.folder, self.port, self.process = Path(tempfile.mkdtemp(prefix="edgelstm-influx")), free_port(), None
        text = CONFIGURATION.format(folder=self.folder, port=self.port, meta=free_port())
        (self.folder / "influx.conf").write_text(text)

    def start(self):
        command = [INFLUXD, "run", "-config", self.folder / "influx.conf"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                self.ask("CREATE DATABASE plant")
                return self
            except OSError:
                assert time.monotonic() < end, "InfluxDB does not start"
                time.sleep(0.02)

    def ask(self, question):
        body = urllib.parse.urlencode({"q": question, "db": "plant", "epoch": "ns"}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/query", body, 10) as answer:
            return json.loads(answer.read())

    def write(self, *lines):
        url = f"http://127.0.0.1:{self.port}/write?db=plant"
        with urllib.request.urlopen(url, "\n".join(lines).encode(), 10) as answer:
            assert answer.status == 204

    def kill(self):
        """End it at once."""
        self.process.kill()
        self.process.wait(20)

    def forget(self):
        self.ask("DROP DATABASE plant")
        self.ask("CREATE DATABASE plant")

    def remove(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder)


class Replay:
    """A server that holds points and answers our questions as InfluxDB 2 does (Flux) or 3 (SQL); no other question."""

    def __init__(self, language):
        replay = self
        self.language, self.points, self.asked, self.answers = language, [], [], []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                replay.asked.append((self.path, dict(self.headers), body))
                if replay.answers:
                    status, headers, content = replay.answers.pop(0)
                else:
                    status, headers = 200, {}
                    content = replay.flux(body["query"]) if language == "flux" else replay.sql(body["q"])
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def write(self, *lines):
        for line in lines:
            head, _, moment = line.rpartition(" ")
            record = parse_line_protocol(line)
            series = head.split(" ")[0].split(",")
            tags = dict(part.split("=") for part in series[1:])
            self.points.append((int(moment), series[0], tags, record[series[0]]))
        self.points.sort(key=lambda point: point[0])

    def wanted(self, after, measurement, tags):
        return [p for p in self.points if p[0] > after and p[1] == measurement and tags.items() <= p[2].items()]

    def flux(self, query):
        start = int(re.search(r"range\(start: time\(v: (-?\d+)\)", query)[1])
        conditions = dict(re.findall(r'r\["(\w+)"\] == "([^"]*)"', query))
        points = self.wanted(start - 1, conditions.pop("_measurement"), conditions)
        fields = re.findall(r'r._field == "(\w+)"', query) or sorted({name for p in points for name in p[3]})
        if "distinct" in query:
            cells = "".join(f",_result,0,{name}\r\n" for name in sorted({n for p in points for n in p[3]}))
            head = "#datatype,string,long,string\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n"
            return (head + cells + "\r\n").encode() if cells else b"\r\n"
        limit = int(found[1]) if (found := re.search(r"limit\(n: (\d+)\)", query)) else None
        tables, text = {}, ""
        for moment, measurement, tags, values in points:
            for name in fields:
                if name in values:
                    key = (name, *sorted(tags.items()))
                    tables.setdefault(key, []).append((moment, measurement, name, tags, values[name]))
        for number, rows in enumerate(tables.values()):
            rows = rows[-1:] if "last()" in query else rows[:limit]
            names = sorted(rows[0][3])
            kind = "string" if isinstance(rows[0][4], str) else "double"
            text += f"#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,{kind},string,string{',string' * len(names)}\r\n"
            text += f"#group,false,false,true,true,false,false,true,true{',true' * len(names)}\r\n"
            text += f"#default,_result,,,,,,,{',' * len(names)}\r\n"
            text += f",result,table,_start,_stop,_time,_value,_field,_measurement{''.join(',' + name for name in names)}\r\n"
            for moment, measurement, name, tags, value in rows:
                cells = "".join(f",{tags[one]}" for one in names)
                begin, end = rfc3339(start), rfc3339(moment + 1)
                text += f",,{number},{begin},{end},{rfc3339(moment)},{value},{name},{measurement}{cells}\r\n"
            text += "\r\n"
        return text.encode()

    def sql(self, query):
        if "information_schema" in query:
            name = re.search(r"table_name = '(\w+)'", query)[1]
            points = [p for p in self.points if p[1] == name]
            rows = [{"column_name": "time", "data_type": "Timestamp(Nanosecond, None)"}] * bool(points)
            rows += [{"column_name": f, "data_type": "Float64"} for f in sorted({f for p in points for f in p[3]})]
            rows += [
                {"column_name": t, "data_type": "Dictionary(Int32, Utf8)"}
                for t in sorted({t for p in points for t in p[2]})
            ]
            return json.dumps(rows).encode()
        after = re.search(r"time > TIMESTAMP '([^']*)'", query)
        after = -(1 << 62) if after is None else nanoseconds(after[1])
        where = dict(re.findall(r"\"(\w+)\" = '([^']*)'", query))
        points = self.wanted(after, re.search(r'FROM "(\w+)"', query)[1], where)
        if "max(time)" in query:
            return json.dumps([{"time": rfc3339(points[-1][0]).rstrip("Z")} if points else {}]).encode()
        names = re.findall(r'"(\w+)"', query.split(" FROM ")[0])
        limit = int(re.search(r"LIMIT (\d+)", query)[1])
        rows = [
            {**{n: {**tags, **fields}.get(n) for n in names if {**tags, **fields}.get(n) is not None}, "time": rfc3339(moment).rstrip("Z")}
            for moment, _, tags, fields in points[:limit]
        ]  # fmt: skip
        return json.dumps(rows).encode()

    def forget(self):
        self.points.clear()
        self.asked.clear()

    def remove(self):
        self.server.shutdown()
        self.server.server_close()


def address(server, **options):
    options = {"measurement": "pump", "language": server.language, "every": 0.02, "start": "all", **options}
    if server.language == "flux":
        options.setdefault("org", "plant 1")
    return {"url": f"influx://127.0.0.1:{server.port}/plant", **options}


def points(count, first=0, tags=",host=a", step=1_000_000_000):
    return [f"pump{tags} flow={at},motor={10 * at} {START + at * step}" for at in range(first, first + count)]


class Reading:
    """A source that is read in a thread until it is closed, with the error that ended it."""

    def __init__(self, given, columns=FLOW, position=None):
        self.source, self.samples, self.error = open_source(parse_address(given), columns), [], None
        if position is not None:
            self.source.resume(position)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        try:
            for sample in self.source:
                self.samples.append(sample)
        except (SeriesError, ShapeError) as error:
            self.error = error

    def until(self, count, seconds=20):
        wait_for(lambda: len(self.samples) >= count or self.error, seconds)
        return [sample.values for sample in self.samples]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        begun = time.monotonic()
        self.source.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert time.monotonic() - begun < 5
