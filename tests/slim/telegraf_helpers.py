"""Telegraf's HTTP outputs, spoken by Python: bodies in chunks, gzip, and what the published sources do with each answer."""

import contextlib
import gzip
import http.client
import threading
import time

from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source

FLOW = Columns(("flow", "motor"))
TOKEN = "sesame-sesame-sesame"
DROPPED = (400, 404, 405, 406, 409, 422)  # outputs.influxdb_v2 gives such a batch up


def post(port, body, path="/api/v2/write?bucket=b&org=o", headers=(), method="POST", packed=False):
    """Answer to one request as Telegraf makes it: status, headers and text."""
    content = gzip.compress(body) if packed else body
    named = {"User-Agent": "Telegraf/1.30.0 Go/1.22.0", "Content-Type": "text/plain; charset=utf-8", **dict(headers)}
    named |= {"Content-Encoding": "gzip"} if packed else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        pieces = (content[at : at + 4096] for at in range(0, len(content), 4096)) if content else None
        connection.request(method, path, pieces, named, encode_chunked=bool(content))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


class Listening:
    """A listener that is read in a thread, into a list of samples."""

    def __init__(self, columns=FLOW, port=0, **options):
        self.samples = []
        self.source = open_source(parse_address({"url": f"listen://127.0.0.1:{port}", **options}), columns)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert self.source.listening.wait(10)
        self.port = self.source.port

    def _read(self):
        for sample in self.source:
            self.samples.append(sample)

    @property
    def values(self):
        return [sample.values for sample in self.samples]

    def close(self):
        self.source.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


class Telegraf:
    """An agent with a buffer: what is not answered with a success stays in it and is sent again, in order."""

    def __init__(self, port, batch=50, pause=0.002):
        self.port, self.batch, self.pause = port, batch, pause
        self.buffer, self.sent, self.given_up = [], 0, 0
        self._guard, self._ending = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def gather(self, line):
        with self._guard:
            self.buffer.append(line)

    def _work(self):
        while not self._ending.is_set() or self.buffer:
            batch = self.buffer[: self.batch]
            if not batch:
                time.sleep(self.pause)
                continue
            try:
                status = post(self.port, "".join(batch).encode(), packed=True)[0]
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
                continue
            if status // 100 != 2 and status not in DROPPED:
                time.sleep(0.02)
                continue
            with self._guard:
                del self.buffer[: len(batch)]
            self.sent += len(batch)
            self.given_up += len(batch) if status in DROPPED else 0

    def close(self):
        """Send what is left, and end."""
        self._ending.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
