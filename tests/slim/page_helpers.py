"""A live page over a stream that goes on."""

import threading
import urllib.error
import urllib.request

from command_helpers import DATA, MODEL
from edgelstm.runtime import Detector
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.service.config import Settings
from edgelstm.runtime.service.live_page import LivePage
from edgelstm.runtime.service.runner import Runner
from edgelstm.runtime.sources import IterableSource
from sink_helpers import wait_for


class Page:
    """A live page over a stream that goes on."""

    def __init__(self, settings=None, rows=600, start=0.0, sinks=()):
        values = [[float(cell) for cell in line.split(",")] for line in DATA.read_text().splitlines()[1:]]
        self.gate, self.rows, self.start = threading.Event(), rows, start
        settings = settings or Settings(listen="127.0.0.1:0")
        narrator = Narrator.of(settings.language, settings.timezone)
        self.runner = Runner(
            Detector.load(MODEL), IterableSource(self._pairs(values)), sinks, "pump", narrator=narrator
        )
        self.page = LivePage([self.runner], settings)
        self.thread = threading.Thread(target=self.runner.run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.runner.status.samples == rows)

    def _pairs(self, values):
        values[9][0] -= 5  # a late row
        yield from ((self.start + row[0], row[1:]) for row in values[: self.rows])
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


def carry_limits(page):
    """Give a page's model detection limits."""
    found = {"channel": "flow", "offset": 0.7, "drift": None, "stuck": 12}
    section = {"rows": 60, "share": 0.9, "channels": [found]}
    metadata = page.runner.detector.metadata
    page.runner.detector.metadata = metadata.with_(sections={**metadata.sections, "detection_limits": section})
